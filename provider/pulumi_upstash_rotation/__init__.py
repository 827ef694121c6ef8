"""Rotate Upstash credentials as infrastructure as code, with Pulumi."""

from ._version import __version__
from .frontends.program.databases import DatabaseSummary, list_databases
from .frontends.program.redis_acl_user import RedisAclRetirement, RedisAclUser
from .frontends.program.redis_password_rotation import RedisPasswordRotation, SecurityAddons
from .frontends.program.required_credentials import RequiredCredentials

__all__ = [
    "DatabaseSummary",
    "RedisAclRetirement",
    "RedisAclUser",
    "RedisPasswordRotation",
    "RequiredCredentials",
    "SecurityAddons",
    "__version__",
    "list_databases",
]
