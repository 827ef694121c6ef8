"""The class that tests' programs use for the native plugin. A project gets a copy of this file.

It has the signature and the attributes of the dynamic front end's class, so that one program text
serves both.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation as _Dynamic
from pulumi_upstash_rotation.frontends.engine.names import camel
from pulumi_upstash_rotation.resources.redis_password_rotation.state import SECRET_OUTPUTS

_OUTPUTS = {*_Dynamic.__annotations__, "next_rotation_at"}
_MOVED = pulumi.ResourceOptions(
    aliases=[pulumi.Alias(type_="pulumi-python:dynamic/upstash:RedisPasswordRotation")]
)


class RedisPasswordRotation(pulumi.CustomResource):
    """A rotation by the native plugin. It takes over the state of a dynamic one by its alias."""

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any
    ) -> None:
        super().__init__(
            "upstash-rotation:index:RedisPasswordRotation",
            name,
            {camel(each): inputs.get(each) for each in {*_OUTPUTS, *inputs}},
            pulumi.ResourceOptions.merge(_MOVED, opts),
        )

    @classmethod
    def get(
        cls, name: str, database_id: str, opts: pulumi.ResourceOptions | None = None
    ) -> RedisPasswordRotation:
        return cls(name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=database_id)))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__[camel(name)]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def attributes(self) -> dict[str, Any]:
        return {each: getattr(self, each) for each in _OUTPUTS - {*SECRET_OUTPUTS, "triggers"}}

    @property
    def credentials(self) -> dict[str, Any]:
        return {each: getattr(self, each) for each in SECRET_OUTPUTS}
