"""A local stand-in for Upstash: its Developer API and data plane in front of real Redis servers.

The names below are loaded when first used, so that this package can be imported where the extra
`emulator` is not installed: `python -m upstash_emulator` then says so, and the pytest plugin keeps
quiet.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .emulated_database import EmulatedDatabase
    from .emulator import Emulator
    from .errors import EmulatorError
    from .faults import Fault
    from .recording import Call

__all__ = ["Call", "EmulatedDatabase", "Emulator", "EmulatorError", "Fault"]

_HOMES = {
    "Call": "recording",
    "EmulatedDatabase": "emulated_database",
    "Emulator": "emulator",
    "EmulatorError": "errors",
    "Fault": "faults",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the public names
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
