"""From decision to result: what a front end gets, above all where a rotation was in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from pulumi_upstash_rotation.errors import ApiError, ServerError
from pulumi_upstash_rotation.inputs import Inputs
from pulumi_upstash_rotation.lifecycle import (
    Result,
    UnsettledRotationError,
    create,
    delete,
    read,
    update,
)
from pulumi_upstash_rotation.state import State

from .answers import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from .test_rotation import AWAY, BEFORE, LOST, NOW, UNCHANGED, ScriptedClient

LAST = datetime(2026, 1, 1, tzinfo=timezone.utc)
STATE = State(
    DATABASE_ID,
    {"a": 1},
    LAST,
    3,
    "age",
    credentials={"password": BEFORE, "rest_token": "old-token"},
)
DOUBT = replace(STATE, unsettled="trigger: a", unsettled_triggers={"a": 2})
FIRST_DOUBT = State(
    DATABASE_ID, credentials={"password": BEFORE}, unsettled="create", unsettled_triggers={"a": 1}
)


def told(result: Result | None) -> Any:
    """Return what matters of a result."""
    assert result is not None
    password = result.rotation.database.password
    return (
        password and password.get_secret_value(),
        result.rotation.cause,
        result.rotation.count,
        dict(result.triggers),
    )


def test_a_create_looks_resets_and_remembers_the_triggers() -> None:
    client: Any = ScriptedClient(reset=WITH_CREDENTIALS, get=UNCHANGED)
    result = create(client, Inputs(DATABASE_ID, {"a": 1}), now=NOW)
    assert told(result) == (CREDENTIALS["password"], "create", 1, {"a": 1})
    assert client.operations == ["get", "reset"]


def test_a_create_that_adopts_only_reads() -> None:
    client: Any = ScriptedClient()
    result = create(client, Inputs(DATABASE_ID, {"a": 1}, rotate_on_create=False), now=NOW)
    assert told(result) == (CREDENTIALS["password"], "adopted", 0, {"a": 1})
    assert client.operations == ["get"]


def test_a_create_whose_outcome_stays_unknown_hands_over_what_to_remember() -> None:
    client: Any = ScriptedClient(reset=LOST, get=[UNCHANGED, DOCUMENTED])
    with pytest.raises(UnsettledRotationError) as raised:
        create(client, Inputs(DATABASE_ID, {"a": 1}), now=NOW)
    assert (raised.value.cause, raised.value.triggers) == ("create", {"a": 1})
    assert told(raised.value.known) == (BEFORE, None, 0, {})


def test_an_update_that_is_not_due_makes_no_call_and_needs_no_client() -> None:
    def no_client() -> Any:
        raise AssertionError

    inputs = Inputs(DATABASE_ID, {"a": 1}, rotation_days=3000)
    assert update(no_client, inputs, STATE, now=NOW) is None


def test_an_update_that_is_due_is_one_call() -> None:
    client: Any = ScriptedClient(reset=WITH_CREDENTIALS)
    result = update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), STATE, now=NOW)
    assert told(result) == (CREDENTIALS["password"], "trigger: a", 4, {"a": 2})
    assert client.operations == ["reset"]


def test_an_update_whose_outcome_stays_unknown_hands_over_what_to_remember() -> None:
    client: Any = ScriptedClient(reset=LOST, get=DOCUMENTED)
    with pytest.raises(UnsettledRotationError) as raised:
        update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), STATE, now=NOW)
    assert (raised.value.cause, raised.value.triggers) == ("trigger: a", {"a": 2})
    assert raised.value.known is None


def test_a_second_rotation_in_doubt_is_judged_against_what_was_found_out_of_the_first() -> None:
    client: Any = ScriptedClient(reset=LOST, get=[WITH_CREDENTIALS, DOCUMENTED])
    with pytest.raises(UnsettledRotationError) as raised:
        update(lambda: client, Inputs(DATABASE_ID, {"a": 3}), DOUBT, now=NOW)
    assert (raised.value.cause, raised.value.triggers) == ("trigger: a", {"a": 3})
    assert told(raised.value.known) == (MADE, "trigger: a", 4, {"a": 2})


MADE = CREDENTIALS["password"]


@pytest.mark.parametrize(
    ("state", "get", "triggers", "expected", "operations"),
    [
        # It took place: done, whether it is still declared, taken back, or replaced by another.
        (DOUBT, WITH_CREDENTIALS, {"a": 2}, (MADE, "trigger: a", 4, {"a": 2}), ["get"]),
        (DOUBT, WITH_CREDENTIALS, {}, (MADE, "trigger: a", 4, {"a": 2}), ["get"]),
        (
            DOUBT,
            WITH_CREDENTIALS,
            {"a": 3},
            (MADE, "trigger: a", 5, {"a": 3}),
            ["get", "reset", "get"],
        ),
        # It did not: made if it is still declared, else forgotten.
        (
            DOUBT,
            [UNCHANGED, WITH_CREDENTIALS],
            {"a": 2},
            (MADE, "trigger: a", 4, {"a": 2}),
            ["get", "reset", "get"],
        ),
        (DOUBT, UNCHANGED, {"a": 1}, (BEFORE, "age", 3, {"a": 1}), ["get"]),
        # It can't be told: made, so that somebody holds the live password.
        (
            DOUBT,
            [DOCUMENTED, WITH_CREDENTIALS],
            {"a": 1},
            (MADE, "trigger: a", 4, {"a": 1}),
            ["get", "reset", "get"],
        ),
        # A first rotation is due until it has taken place.
        (FIRST_DOUBT, WITH_CREDENTIALS, {"a": 1}, (MADE, "create", 1, {"a": 1}), ["get"]),
        (
            FIRST_DOUBT,
            [UNCHANGED, WITH_CREDENTIALS],
            {},
            (MADE, "create", 1, {}),
            ["get", "reset", "get"],
        ),
    ],
)
def test_a_rotation_in_doubt_is_settled_by_the_next_update(
    state: State, get: Any, triggers: dict[str, Any], expected: Any, operations: list[str]
) -> None:
    client: Any = ScriptedClient(get=get)
    result = update(lambda: client, Inputs(DATABASE_ID, triggers), state, now=NOW)
    assert told(result) == expected
    assert result is not None
    assert result.unsettled is None
    assert client.operations == operations


def test_a_rotation_in_doubt_stays_in_doubt_while_the_api_is_away() -> None:
    client: Any = ScriptedClient(get=AWAY)
    with pytest.raises(ServerError):
        update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), DOUBT, now=NOW)


@pytest.mark.parametrize(
    ("get", "expected", "unsettled"),
    [
        (WITH_CREDENTIALS, (MADE, "trigger: a", 4, {"a": 2}), None),
        (UNCHANGED, (BEFORE, "age", 3, {"a": 1}), "trigger: a"),
        (DOCUMENTED, (BEFORE, "age", 3, {"a": 1}), "trigger: a"),
    ],
)
def test_a_refresh_settles_what_it_can_see(get: Any, expected: Any, unsettled: str | None) -> None:
    client: Any = ScriptedClient(get=get)
    result = read(client, DOUBT, now=NOW)
    assert told(result) == expected
    assert result is not None
    assert result.unsettled == unsettled
    assert result.inputs_lag == (unsettled is None)
    assert client.operations == ["get"]


def test_a_refresh_of_an_untouched_database_keeps_its_history() -> None:
    client: Any = ScriptedClient(get={**UNCHANGED, "rest_token": None})
    result = read(client, STATE, now=NOW)
    assert told(result) == (BEFORE, "age", 3, {"a": 1})
    assert result is not None
    assert result.rotation.rotated_at == LAST
    assert result.rotation.database.known_credentials()["rest_token"] == "old-token"


@pytest.mark.parametrize("asked", [False, True])
def test_a_delete_touches_nothing_unless_asked(asked: bool) -> None:
    client: Any = ScriptedClient(get=UNCHANGED)
    assert delete(lambda: client, replace(STATE, rotate_on_delete=asked)) == ()
    assert client.operations == (["get", "reset"] if asked else [])


def test_no_secret_is_in_a_repr() -> None:
    client: Any = ScriptedClient(reset=WITH_CREDENTIALS, get=UNCHANGED)
    result = create(client, Inputs(DATABASE_ID, {"a": "canary"}), now=NOW)
    assert "canary" not in repr(result) + repr(DOUBT) + repr(FIRST_DOUBT)
    assert isinstance(LOST, ApiError)
