"""The names of arguments and outputs in every language."""

from __future__ import annotations

import pytest

from pulumi_upstash_rotation.frontends.engine.names import camel, snake
from pulumi_upstash_rotation.upstash.database import Database


@pytest.mark.parametrize(
    ("core", "program"),
    [
        ("database_id", "databaseId"),
        ("verify", "verify"),
        ("read_only_rest_token", "readOnlyRestToken"),
        ("db_lua_credits_per_min", "dbLuaCreditsPerMin"),
        ("__provider", "_Provider"),
    ],
)
def test_name_of_a_program_is_the_core_name_in_camel_case(core: str, program: str) -> None:
    assert camel(core) == program


@pytest.mark.parametrize("name", sorted(Database.model_fields))
def test_every_name_of_the_core_comes_back(name: str) -> None:
    assert snake(camel(name)) == name
