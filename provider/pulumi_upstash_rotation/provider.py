"""The dynamic providers, by the names that every stack's state holds. Nothing else belongs here.

A state names the class that serves a resource by its import path. So
`pulumi_upstash_rotation.provider.RedisPasswordRotationProvider` must never move or be renamed.
"""

from __future__ import annotations

from .frontends.dynamic.adapter import DynamicProvider


class RedisPasswordRotationProvider(DynamicProvider):
    """Serves `RedisPasswordRotation`."""

    resource = "RedisPasswordRotation"
