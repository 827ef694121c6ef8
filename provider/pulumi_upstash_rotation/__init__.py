"""Rotate Upstash credentials as infrastructure as code, with Pulumi.

Python loads the public names at their first use, because the native plugin needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .frontends.program.databases import DatabaseSummary, list_databases
    from .frontends.program.redis_acl_user import RedisAclRetirement, RedisAclUser
    from .frontends.program.redis_password_rotation import RedisPasswordRotation, SecurityAddons
    from .frontends.program.required_credentials import RequiredCredentials
    from .frontends.program.shards import in_shard

__all__ = [
    "DatabaseSummary",
    "RedisAclRetirement",
    "RedisAclUser",
    "RedisPasswordRotation",
    "RequiredCredentials",
    "SecurityAddons",
    "__version__",
    "in_shard",
    "list_databases",
]

_MODULES = {
    "DatabaseSummary": "databases",
    "RedisAclRetirement": "redis_acl_user",
    "RedisAclUser": "redis_acl_user",
    "RedisPasswordRotation": "redis_password_rotation",
    "RequiredCredentials": "required_credentials",
    "SecurityAddons": "redis_password_rotation",
    "in_shard": "shards",
    "list_databases": "databases",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  any of the public names
    """Load a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".frontends.program.{_MODULES[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
