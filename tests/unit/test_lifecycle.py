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
from pulumi_upstash_rotation.state import State, Verification

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


SAID = Verification(verified=True, sentence="Redis accepts it")


class Asked:
    """Stands for the database itself, and keeps what it was asked."""

    def __init__(self, said: Verification = SAID) -> None:
        self.said = said
        self.asked: list[Any] = []

    def __call__(self, database: Any, before: Any, *, timeout_seconds: float) -> Verification:
        self.asked.append((database.known_credentials(), dict(before), timeout_seconds))
        return self.said


ASKED = Asked()


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
    result = create(client, Inputs(DATABASE_ID, {"a": 1}), now=NOW, verify=ASKED)
    assert told(result) == (CREDENTIALS["password"], "create", 1, {"a": 1})
    assert client.operations == ["get", "reset"]


def test_a_create_that_adopts_only_reads() -> None:
    client: Any = ScriptedClient()
    result = create(
        client, Inputs(DATABASE_ID, {"a": 1}, rotate_on_create=False), now=NOW, verify=ASKED
    )
    assert told(result) == (CREDENTIALS["password"], "adopted", 0, {"a": 1})
    assert client.operations == ["get"]


def test_a_create_whose_outcome_stays_unknown_hands_over_what_to_remember() -> None:
    client: Any = ScriptedClient(reset=LOST, get=[UNCHANGED, DOCUMENTED])
    with pytest.raises(UnsettledRotationError) as raised:
        create(client, Inputs(DATABASE_ID, {"a": 1}), now=NOW, verify=ASKED)
    assert (raised.value.cause, raised.value.triggers) == ("create", {"a": 1})
    assert told(raised.value.known) == (BEFORE, None, 0, {})


def test_a_database_is_asked_with_the_new_credentials_and_the_ones_before() -> None:
    client: Any = ScriptedClient(reset=WITH_CREDENTIALS, get={**UNCHANGED, "rest_token": "old"})
    asked = Asked()
    inputs = Inputs(DATABASE_ID, verify_timeout=7)
    result = create(client, inputs, now=NOW, verify=asked)
    assert result.rotation.verification == SAID
    assert result.rotation.warnings == ()
    before = {**CREDENTIALS, "password": BEFORE, "rest_token": "old"}
    assert asked.asked == [(CREDENTIALS, before, 7)]
    update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), STATE, now=NOW, verify=asked)
    assert asked.asked[1:] == [(CREDENTIALS, STATE.credentials, 10)]
    create(client, Inputs(DATABASE_ID, rotate_on_create=False), now=NOW, verify=asked)
    assert asked.asked[2:] == [({**CREDENTIALS, "password": BEFORE, "rest_token": "old"}, {}, 10)]


def test_a_database_is_asked_about_a_rotation_that_was_found_out_later() -> None:
    client: Any = ScriptedClient()
    asked = Asked()
    result = update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), DOUBT, now=NOW, verify=asked)
    assert result is not None
    assert result.rotation.verification == SAID
    assert asked.asked == [(CREDENTIALS, DOUBT.credentials, 10)]


def test_what_a_database_does_not_confirm_is_a_warning() -> None:
    said = Verification(verified=False, sentence="Redis did not accept it")
    client: Any = ScriptedClient(reset=WITH_CREDENTIALS, get=UNCHANGED)
    result = create(client, Inputs(DATABASE_ID), now=NOW, verify=Asked(said))
    assert (result.rotation.verification, result.rotation.warnings) == (said, (said.sentence,))


@pytest.mark.parametrize(
    ("inputs", "get", "sentence", "warnings"),
    [
        (
            Inputs(DATABASE_ID, verify=False),
            [UNCHANGED, WITH_CREDENTIALS],
            "not verified: verify is False",
            0,
        ),
        (Inputs(DATABASE_ID), DOCUMENTED, "not verified: the new credentials are not known", 1),
    ],
)
def test_a_database_is_not_asked_for_nothing(
    inputs: Inputs, get: Any, sentence: str, warnings: int
) -> None:
    client: Any = ScriptedClient(get=get)
    asked = Asked()
    result = create(client, inputs, now=NOW, verify=asked)
    assert result.rotation.verification == Verification(verified=False, sentence=sentence)
    assert len(result.rotation.warnings) == warnings
    assert asked.asked == []


FOUND = Verification(verified=False, sentence="not verified: it was found by a refresh")


@pytest.mark.parametrize(
    ("state", "get", "expected"),
    [
        (STATE, UNCHANGED, SAID),
        (STATE, DOCUMENTED, SAID),
        (STATE, WITH_CREDENTIALS, FOUND),
        (replace(STATE, credentials={}), WITH_CREDENTIALS, FOUND),
    ],
)
def test_a_refresh_keeps_what_a_database_said_unless_it_finds_another_password(
    state: State, get: Any, expected: Verification
) -> None:
    client: Any = ScriptedClient(get=get)
    result = read(client, replace(state, verification=SAID), now=NOW)
    assert result is not None
    assert result.rotation.verification == expected


def test_an_update_that_is_not_due_makes_no_call_and_needs_no_client() -> None:
    def no_client() -> Any:
        raise AssertionError

    inputs = Inputs(DATABASE_ID, {"a": 1}, rotation_days=3000)
    assert update(no_client, inputs, STATE, now=NOW, verify=ASKED) is None


def test_an_update_that_is_due_is_one_call() -> None:
    client: Any = ScriptedClient(reset=WITH_CREDENTIALS)
    result = update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), STATE, now=NOW, verify=ASKED)
    assert told(result) == (CREDENTIALS["password"], "trigger: a", 4, {"a": 2})
    assert client.operations == ["reset"]


def test_an_update_whose_outcome_stays_unknown_hands_over_what_to_remember() -> None:
    client: Any = ScriptedClient(reset=LOST, get=DOCUMENTED)
    with pytest.raises(UnsettledRotationError) as raised:
        update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), STATE, now=NOW, verify=ASKED)
    assert (raised.value.cause, raised.value.triggers) == ("trigger: a", {"a": 2})
    assert raised.value.known is None


def test_a_second_rotation_in_doubt_is_judged_against_what_was_found_out_of_the_first() -> None:
    client: Any = ScriptedClient(reset=LOST, get=[WITH_CREDENTIALS, DOCUMENTED])
    with pytest.raises(UnsettledRotationError) as raised:
        update(lambda: client, Inputs(DATABASE_ID, {"a": 3}), DOUBT, now=NOW, verify=ASKED)
    assert (raised.value.cause, raised.value.triggers) == ("trigger: a", {"a": 3})
    assert told(raised.value.known) == (MADE, "trigger: a", 4, {"a": 2})


MADE = CREDENTIALS["password"]
NEWER = {**WITH_CREDENTIALS, "password": "newer-canary"}


@pytest.mark.parametrize(
    ("state", "get", "triggers", "expected", "operations"),
    [
        # It took place: done, whether it is still declared, taken back, or replaced by another.
        (DOUBT, WITH_CREDENTIALS, {"a": 2}, (MADE, "trigger: a", 4, {"a": 2}), ["get"]),
        (DOUBT, WITH_CREDENTIALS, {}, (MADE, "trigger: a", 4, {"a": 2}), ["get"]),
        (
            DOUBT,
            [WITH_CREDENTIALS, NEWER],
            {"a": 3},
            (NEWER["password"], "trigger: a", 5, {"a": 3}),
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
    result = update(lambda: client, Inputs(DATABASE_ID, triggers), state, now=NOW, verify=ASKED)
    assert told(result) == expected
    assert result is not None
    assert result.unsettled is None
    assert client.operations == operations


def test_a_rotation_in_doubt_stays_in_doubt_while_the_api_is_away() -> None:
    client: Any = ScriptedClient(get=AWAY)
    with pytest.raises(ServerError):
        update(lambda: client, Inputs(DATABASE_ID, {"a": 2}), DOUBT, now=NOW, verify=ASKED)


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
    result = create(client, Inputs(DATABASE_ID, {"a": "canary"}), now=NOW, verify=ASKED)
    assert "canary" not in repr(result) + repr(DOUBT) + repr(FIRST_DOUBT)
    assert isinstance(LOST, ApiError)
