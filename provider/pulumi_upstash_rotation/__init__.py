"""Rotate Upstash credentials as infrastructure as code, with Pulumi."""

from ._version import __version__
from .resource import RedisPasswordRotation, SecurityAddons

__all__ = ["RedisPasswordRotation", "SecurityAddons", "__version__"]
