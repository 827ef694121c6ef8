"""Databases of an account: the check of an id, a name prefix, and a deletion that is certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_upstash_rotation.errors import ApiError, ServerError
from pulumi_upstash_rotation.resources.databases import (
    confirm_deletion,
    database_id_problem,
    databases_named,
)

from ..support.account import ScriptedUpstash
from ..support.payloads import DATABASE_ID, DOCUMENTED

OTHER = {**DOCUMENTED, "database_id": "another"}
OF_OTHERS = {**OTHER, "customer_id": "other@b.c"}
WAY_OUT = (
    "; the state has not changed. Check the account and the API's URL. If the database is deleted, "
    "remove the resource with `pulumi state delete`"
)


@dataclass(frozen=True)
class Known:
    """What a state knows."""

    customer_id: str | None = "example@upstash.com"
    database_id: str = DATABASE_ID
    label: str = "Redis database 'db'"


def confirm(listed: Any, known: Known) -> None:
    confirm_deletion(ScriptedUpstash(listed=listed).operation(), known)


@pytest.mark.parametrize("value", [DATABASE_ID, "a", "A_b-9", "x" * 128])
def test_database_id(value: str) -> None:
    assert database_id_problem(value) is None


@pytest.mark.parametrize(
    "value", [None, "", " ", "a/b", "../x", "a b", "a\n", "é", "x" * 129, 7, True, [], {}]
)
def test_database_id_with_other_characters_is_a_problem(value: Any) -> None:
    assert database_id_problem(value) == (
        "must be the id of an Upstash Redis database, such as 96ad0856-03b1-4ee7-9666-e81abd0349e1 "
        "(letters, digits, - and _, at most 128)"
    )


@pytest.mark.parametrize(
    ("listed", "owner"),
    [
        ([[]], "example@upstash.com"),
        ([[]], "EXAMPLE@upstash.com"),
        ([[OTHER]], "example@upstash.com"),
        ([[OF_OTHERS, OTHER]], "example@upstash.com"),
        ([[OF_OTHERS]], "Other@b.c"),
    ],
)
def test_database_that_its_own_account_does_not_list_is_deleted(listed: Any, owner: str) -> None:
    confirm(listed, Known(owner))


@pytest.mark.parametrize(
    ("listed", "owner", "problem"),
    [
        ([[DOCUMENTED]], "example@upstash.com", ", but the list of databases has it"),
        (
            [[{**DOCUMENTED, "database_id": DATABASE_ID.upper()}]],
            "example@upstash.com",
            ", but the list of databases has it",
        ),
        (
            [[OTHER]],
            "other@b.c",
            ". The state has it from the account 'other@b.c', and this may be another",
        ),
        (
            [[]],
            "other@b.c",
            ". The state has it from the account 'other@b.c', and this may be another",
        ),
        ([[OTHER]], None, ". The state has it from an unknown account, and this may be another"),
        ([[]], None, ". The state has it from an unknown account, and this may be another"),
    ],
)
def test_database_that_may_still_exist_is_an_error(
    listed: Any, owner: str | None, problem: str
) -> None:
    with pytest.raises(ApiError) as raised:
        confirm(listed, Known(owner))
    assert str(raised.value) == f"Redis database 'db' was not found (404){problem}{WAY_OUT}"


def test_list_that_cannot_be_read_confirms_nothing() -> None:
    with pytest.raises(ServerError):
        confirm([ServerError("failed (503)", status=503)], Known())


def test_databases_with_a_name_prefix_are_sorted_by_name_and_id() -> None:
    listed = [
        {"database_id": id_, "database_name": name}
        for id_, name in (("3", "b-1"), ("2", "a-1"), ("1", "a-1"), ("5", None), ("4", "c"))
    ]
    api = ScriptedUpstash(listed=[listed]).account.api
    assert [each.database_id for each in databases_named(api, "")] == ["5", "1", "2", "3", "4"]
    assert [each.database_id for each in databases_named(api, "a-")] == ["1", "2"]
