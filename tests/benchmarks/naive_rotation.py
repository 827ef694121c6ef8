"""What people compare with: a dynamic provider as Pulumi's own guide would have it, in an hour."""

from __future__ import annotations

import os
from typing import Any

import requests
from pulumi import CustomResource, ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult


class NaiveProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["database_id"], self._reset(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(self._reset(news))

    def _reset(self, props: dict[str, Any]) -> dict[str, Any]:
        answer = requests.post(
            f"{os.environ['UPSTASH_API_URL']}/v2/redis/reset-password/{props['database_id']}",
            auth=(os.environ["UPSTASH_EMAIL"], os.environ["UPSTASH_API_KEY"]),
            timeout=60,
        )
        answer.raise_for_status()
        return {**props, **answer.json()}


class NaiveRotation(Resource):
    def __init__(self, name: str, database_id: str, triggers: dict[str, Any]) -> None:
        super().__init__(NaiveProvider(), name, {"database_id": database_id, "triggers": triggers})


class PlainNaiveProvider(NaiveProvider):
    serialize_as_secret_always = False


class NaiveRotationWithOutputs(Resource):
    """The same with what ours has: declared outputs, of which only the credentials are secret."""

    def __init__(
        self, name: str, database_id: str, triggers: dict[str, Any], outputs: list[str]
    ) -> None:
        inputs = {"database_id": database_id, "triggers": triggers}
        secret = ["password", "rest_token", "read_only_rest_token"]
        super().__init__(
            PlainNaiveProvider(),
            name,
            {**dict.fromkeys(outputs), **inputs},
            ResourceOptions(additional_secret_outputs=secret),
        )


class PluginRotation(CustomResource):
    """The native plugin's resource, as a generated SDK declares it."""

    def __init__(
        self,
        name: str,
        database_id: str,
        triggers: dict[str, Any],
        outputs: list[str],
        *,
        verify: bool,
    ) -> None:
        inputs = {"databaseId": database_id, "triggers": triggers, "verify": verify}
        type_ = "upstash-rotation:index:RedisPasswordRotation"
        super().__init__(type_, name, {**dict.fromkeys(outputs), **inputs})


class EchoProvider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("consumed", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(news)


class Consumer(Resource):
    """A resource that takes a credential and keeps it."""

    def __init__(self, name: str, redis_url: Any) -> None:
        super().__init__(EchoProvider(), name, {"redis_url": redis_url})
