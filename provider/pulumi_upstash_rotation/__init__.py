"""Rotate Upstash credentials as infrastructure as code, with Pulumi."""

from ._version import __version__
from .databases import DatabaseSummary, list_databases
from .resource import RedisPasswordRotation, SecurityAddons

__all__ = [
    "DatabaseSummary",
    "RedisPasswordRotation",
    "SecurityAddons",
    "__version__",
    "list_databases",
]
