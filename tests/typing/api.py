"""The public types, as type checkers see them; checked by mypy and never run."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from typing_extensions import assert_type

from pulumi_upstash_rotation import RedisPasswordRotation, SecurityAddons

rotation = RedisPasswordRotation("cache", database_id="id")
RedisPasswordRotation("cache", database_id=rotation.database_id)
RedisPasswordRotation("cache", pulumi.ResourceOptions(protect=True), database_id="id")
RedisPasswordRotation("cache", opts=pulumi.ResourceOptions(), database_id="id", triggers=None)
RedisPasswordRotation("cache", database_id="id", triggers={"a": [1, {"b": rotation.rotated_at}]})
RedisPasswordRotation("cache", database_id="id", triggers=rotation.triggers)

RedisPasswordRotation("cache")  # type: ignore[call-arg]
RedisPasswordRotation("cache", database_id=7)  # type: ignore[arg-type]
RedisPasswordRotation("cache", database_id="id", triggers=["a"])  # type: ignore[arg-type]
RedisPasswordRotation("cache", database_id="id", trigers={})  # type: ignore[call-arg]

assert_type(rotation.database_id, pulumi.Output[str])
assert_type(rotation.port, pulumi.Output[int])
assert_type(rotation.tls, pulumi.Output[bool])
assert_type(rotation.db_request_limit, pulumi.Output[str])
assert_type(rotation.read_regions, pulumi.Output[Sequence[str]])
assert_type(rotation.security_addons, pulumi.Output[SecurityAddons])
assert_type(rotation.extra_attributes, pulumi.Output[Mapping[str, Any]])
assert_type(rotation.password, pulumi.Output[str | None])
assert_type(rotation.redis_url, pulumi.Output[str | None])
assert_type(rotation.required.password, pulumi.Output[str])
assert_type(rotation.required.rest_token, pulumi.Output[str])
assert_type(rotation.required.read_only_rest_token, pulumi.Output[str])
assert_type(rotation.required.redis_url, pulumi.Output[str])
assert_type(rotation.rest_url, pulumi.Output[str])
assert_type(rotation.attributes, dict[str, pulumi.Output[Any]])


class Secret(pulumi.CustomResource):
    """Has the signature of a Kubernetes Secret."""

    def __init__(
        self,
        resource_name: str,
        string_data: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
    ) -> None: ...


class ProjectEnvironmentVariable(pulumi.CustomResource):
    """Has the signature of a Vercel variable."""

    def __init__(
        self, resource_name: str, *, key: pulumi.Input[str], value: pulumi.Input[str]
    ) -> None: ...


Secret("cache", string_data={"REDIS_URL": rotation.required.redis_url, "HOST": "x"})
Secret("cache", string_data={"REDIS_URL": rotation.redis_url})  # type: ignore[dict-item]
ProjectEnvironmentVariable("cache", key="REDIS_URL", value=rotation.required.redis_url)
ProjectEnvironmentVariable("cache", key="TOKEN", value=rotation.rest_token)  # type: ignore[arg-type]
