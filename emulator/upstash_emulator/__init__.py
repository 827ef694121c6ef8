"""A local Upstash for tests: its Developer API and REST API in front of real Redis servers.

Python loads the public names at their first use, because pytest imports this package at each start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .acl_user import AclUser
    from .calls import Call
    from .emulated_account import EmulatedAccount
    from .emulated_database import EmulatedDatabase
    from .emulator import Emulator
    from .errors import EmulatorError
    from .faults import Fault
    from .responses import Response

__all__ = [
    "AclUser",
    "Call",
    "EmulatedAccount",
    "EmulatedDatabase",
    "Emulator",
    "EmulatorError",
    "Fault",
    "Response",
]

_MODULES = {
    "AclUser": "acl_user",
    "Call": "calls",
    "EmulatedAccount": "emulated_account",
    "EmulatedDatabase": "emulated_database",
    "Emulator": "emulator",
    "EmulatorError": "errors",
    "Fault": "faults",
    "Response": "responses",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the public names
    """Load a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
