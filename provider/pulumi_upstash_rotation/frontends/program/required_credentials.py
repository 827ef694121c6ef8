"""Credentials for the resources that use them. None of them is ever None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from pulumi_upstash_rotation.upstash.credentials import database_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .redis_password_rotation import RedisPasswordRotation


class RequiredCredentials:
    """The credentials of a rotation as outputs that are never None. All are secret.

    If the API does not return a credential, the resource that uses it fails before Pulumi changes
    it. Without this, an update could succeed and write an empty password.
    """

    def __init__(self, rotation: RedisPasswordRotation) -> None:
        """Use the outputs of a rotation."""
        self._rotation = rotation

    @property
    def password(self) -> pulumi.Output[str]:
        """Password of the Redis user `default`."""
        return self._required("password")

    @property
    def rest_token(self) -> pulumi.Output[str]:
        """Standard token of the REST API, as powerful as the password."""
        return self._required("rest_token")

    @property
    def read_only_rest_token(self) -> pulumi.Output[str]:
        """Read-only token of the REST API."""
        return self._required("read_only_rest_token")

    @property
    def redis_url(self) -> pulumi.Output[str]:
        """URL for a Redis client, with the password."""
        return self._required("redis_url")

    def _required(self, name: str) -> pulumi.Output[str]:
        def check(values: Sequence[Any]) -> str:
            value, database_id, database_name = values
            if isinstance(value, str) and value:
                return value
            raise pulumi.RunError(
                f"the API does not return the {name} of "
                f"{database_label(str(database_id), database_name)}. Nothing that uses it has "
                "changed"
            )

        rotation = self._rotation
        outputs = (getattr(rotation, name), rotation.database_id, rotation.database_name)
        return pulumi.Output.secret(pulumi.Output.all(*outputs).apply(check))
