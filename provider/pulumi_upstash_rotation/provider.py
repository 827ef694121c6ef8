"""The provider classes whose import paths every state holds. Nothing else belongs here.

Every state stores the import path of its provider class. So
`pulumi_upstash_rotation.provider.RedisPasswordRotationProvider` must never move or be renamed.
"""

from __future__ import annotations

from .frontends.dynamic.adapter import DynamicProvider


class RedisPasswordRotationProvider(DynamicProvider):
    """Serves `RedisPasswordRotation`."""

    resource = "RedisPasswordRotation"
