"""A credential that a consumer requires is there, or is one clear line."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from pulumi_upstash_rotation import RequiredCredentials

from ...support.payloads import DATABASE_ID

NAMES = ("password", "rest_token", "read_only_rest_token", "redis_url")


def value_of(name: str, value: Any) -> tuple[Any, bool]:
    """Return what a required credential becomes, and whether it is secret."""

    async def resolve() -> tuple[Any, bool]:
        outputs = {name: value, "database_id": DATABASE_ID, "database_name": "cache"}
        known = {key: pulumi.Output.from_input(each) for key, each in outputs.items()}
        rotation: Any = SimpleNamespace(**known)
        output = getattr(RequiredCredentials(rotation), name)
        return await output.future(), await output.is_secret()

    return asyncio.run(resolve())


@pytest.mark.parametrize("name", NAMES)
def test_known_credential_is_handed_on_as_a_secret(name: str) -> None:
    assert value_of(name, "canary") == ("canary", True)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", NAMES)
def test_hidden_credential_fails_with_the_name_and_id_of_the_database(
    name: str, value: str | None
) -> None:
    line = (
        rf"^the API does not return the {name} of Redis database 'cache' \({DATABASE_ID}\)\. "
        "Nothing that uses it has changed$"
    )
    with pytest.raises(pulumi.RunError, match=line):
        value_of(name, value)
