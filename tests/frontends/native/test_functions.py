"""Functions read, and return what they found under the names that programs write."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_upstash_rotation.errors import DatabaseNotFoundError, InvalidInputError
from pulumi_upstash_rotation.frontends.native import functions
from pulumi_upstash_rotation.values import UNKNOWN, Unknown

from ...support.account import ScriptedUpstash
from ...support.payloads import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

SECOND = {**DOCUMENTED, "database_id": "id-2", "database_name": "b"}
FIRST = {**DOCUMENTED, "database_id": "id-1", "database_name": "a"}
NAMELESS = {"database_id": "id-0"}


def test_database_is_returned_with_its_credentials() -> None:
    upstash = ScriptedUpstash(get=WITH_CREDENTIALS)
    found = functions.call("getDatabase", {"database_id": DATABASE_ID}, upstash.account)
    assert upstash.calls == ["get"]
    assert upstash.databases == [DATABASE_ID]
    assert {name: found[name] for name in CREDENTIALS} == CREDENTIALS
    assert found["redis_url"].startswith("rediss://default:pw%2Fcanary%2B1@")
    assert found["database_name"] == "MyRedis"
    assert None not in found.values()


def test_database_that_hides_its_credentials_has_none() -> None:
    upstash = ScriptedUpstash(get=DOCUMENTED)
    found = functions.call("getDatabase", {"database_id": DATABASE_ID}, upstash.account)
    assert not {*CREDENTIALS, "redis_url"} & found.keys()


@pytest.mark.parametrize("arguments", [{}, {"database_id": 1}, {"database_id": "../x"}])
def test_database_with_a_wrong_id_is_not_asked_for(arguments: dict[str, Any]) -> None:
    upstash = ScriptedUpstash()
    with pytest.raises(InvalidInputError, match="^database_id must be"):
        functions.call("getDatabase", arguments, upstash.account)
    assert upstash.calls == []


def test_database_that_does_not_exist_is_an_error() -> None:
    missing = DatabaseNotFoundError("no such database", "nothing has changed", status=404)
    upstash = ScriptedUpstash(get=missing)
    with pytest.raises(DatabaseNotFoundError):
        functions.call("getDatabase", {"database_id": DATABASE_ID}, upstash.account)


def test_databases_are_sorted_by_name_and_have_no_credentials() -> None:
    upstash = ScriptedUpstash(listed=[[SECOND, NAMELESS, {**FIRST, **CREDENTIALS}]])
    found = functions.call("listDatabases", {}, upstash.account)
    assert upstash.calls == ["list"]
    rest = {"state": "active", "primaryRegion": "us-east-1"}
    assert found == {
        "databases": [
            {"databaseId": "id-0", "databaseName": ""},
            {"databaseId": "id-1", "databaseName": "a", **rest},
            {"databaseId": "id-2", "databaseName": "b", **rest},
        ]
    }


@pytest.mark.parametrize(("prefix", "ids"), [("a", ["id-1"]), ("x", []), ("", ["id-1", "id-2"])])
def test_prefix_selects_databases(prefix: str, ids: list[str]) -> None:
    upstash = ScriptedUpstash(listed=[[FIRST, SECOND]])
    found = functions.call("listDatabases", {"name_prefix": prefix}, upstash.account)
    assert [each["databaseId"] for each in found["databases"]] == ids


def test_prefix_of_another_type_is_an_error() -> None:
    upstash = ScriptedUpstash()
    with pytest.raises(InvalidInputError, match="^name_prefix must be a text"):
        functions.call("listDatabases", {"name_prefix": 1}, upstash.account)
    assert upstash.calls == []


@pytest.mark.parametrize(
    ("name", "argument"), [("getDatabase", "database_id"), ("listDatabases", "name_prefix")]
)
def test_unknown_argument_gives_an_unknown_result_without_a_call(name: str, argument: str) -> None:
    upstash = ScriptedUpstash()
    found = functions.call(name, {argument: UNKNOWN}, upstash.account)
    assert all(isinstance(value, Unknown) for value in found.values())
    assert upstash.calls == []


def test_other_function_does_not_exist() -> None:
    with pytest.raises(KeyError):
        functions.call("getUser", {}, ScriptedUpstash().account)
