"""The provider classes whose import paths every state holds. Nothing else belongs here.

Every state stores the import path of its provider class, such as
`pulumi_upstash_rotation.provider.RedisPasswordRotationProvider`. So none of them may ever move or
be renamed.
"""

from __future__ import annotations

from .frontends.dynamic.adapter import DynamicProvider


class RedisPasswordRotationProvider(DynamicProvider):
    """Serves `RedisPasswordRotation`."""

    resource = "RedisPasswordRotation"


class RedisAclTokenProvider(DynamicProvider):
    """Serves the token of a `RedisAclUser`."""

    resource = "RedisAclToken"


class RedisAclUserProvider(DynamicProvider):
    """Serves the user of a `RedisAclUser`."""

    resource = "RedisAclUser"


class RedisAclRetirementProvider(DynamicProvider):
    """Serves what `RedisAclUser.retire_previous()` declares."""

    resource = "RedisAclRetirement"
