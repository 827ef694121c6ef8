"""What is done to a database, over an account that responds as a test wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    RequestNotSentError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.operations import (
    MAX_READS,
    MAX_RESETS,
    MAY_HAVE_CHANGED,
    NOT_RETURNED,
    compare,
    preflight_read,
    reset,
    revoke,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.state import Snapshot, State
from pulumi_upstash_rotation.rotation.record import Cause, PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.database import parse_database
from pulumi_upstash_rotation.values import Verification

from ...support.account import ACCEPTED, ScriptedUpstash
from ...support.clock import START as NOW
from ...support.payloads import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

if TYPE_CHECKING:
    from pulumi_upstash_rotation.upstash.database import Database

PREVIOUS = "old-canary"
UNCHANGED = {**WITH_CREDENTIALS, "password": PREVIOUS}
LOST = IndeterminateOutcomeError("lost", "who knows")
FAILED = ServerError("failed", "who knows", status=500)
UNREADABLE = UnreadableResponseError("odd", "who knows")
AWAY = ServerError("away", status=503)
MADE: dict[str, Any] = WITH_CREDENTIALS


def reset_by(upstash: ScriptedUpstash, previous: str | None = PREVIOUS) -> Database:
    return reset(upstash.operation(), DATABASE_ID, previous=previous)


def test_reset_whose_response_has_the_password_is_one_call() -> None:
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS)
    assert reset_by(upstash).credentials == Credentials(**CREDENTIALS)
    assert upstash.reporter.lines == []
    assert (upstash.calls, upstash.databases) == (["reset"], [DATABASE_ID])


def test_reset_whose_response_has_no_password_reads_it() -> None:
    upstash = ScriptedUpstash()
    assert reset_by(upstash).credentials == Credentials(**CREDENTIALS)
    assert upstash.reporter.lines == []
    assert (upstash.calls, upstash.databases) == (["reset", "get"], [DATABASE_ID, DATABASE_ID])


def test_reset_without_credentials_anywhere_has_none_and_one_warning() -> None:
    upstash = ScriptedUpstash(get=DOCUMENTED)
    database = reset_by(upstash)
    assert not database.credentials
    assert database.database_name == DOCUMENTED["database_name"]
    assert upstash.reporter.lines == [("warning", f"the password was reset, but {NOT_RETURNED}")]


def test_reset_with_a_failing_read_of_the_new_password_is_a_warning() -> None:
    upstash = ScriptedUpstash(get=ServerError("it failed", status=500))
    assert not reset_by(upstash).credentials
    assert upstash.reporter.warnings == [
        "the password was reset, but the new one could not be read (it failed). Run `pulumi "
        "refresh`"
    ]


def test_reset_whose_read_shows_the_previous_password_first_waits_for_the_new_one() -> None:
    upstash = ScriptedUpstash(get=[UNCHANGED, UNCHANGED, WITH_CREDENTIALS])
    assert reset_by(upstash).credentials.password == CREDENTIALS["password"]
    assert upstash.reporter.lines == []
    assert upstash.calls == ["reset", "get", "get", "get"]
    assert upstash.clock.sleeps == [1, 2]


def test_reset_with_an_unreadable_read_of_the_new_password_reads_again() -> None:
    upstash = ScriptedUpstash(get=[UnreadableResponseError("garbage"), WITH_CREDENTIALS])
    assert reset_by(upstash).credentials.password == CREDENTIALS["password"]
    assert upstash.calls == ["reset", "get", "get"]


def test_reset_never_takes_the_previous_password_for_the_new_one() -> None:
    upstash = ScriptedUpstash(get=UNCHANGED)
    assert not reset_by(upstash).credentials
    assert upstash.reporter.warnings == [
        "the password was reset, but the new one could not be read (the API still returns the "
        "previous one). Run `pulumi refresh`"
    ]
    assert upstash.calls == ["reset"] + ["get"] * MAX_READS


@pytest.mark.parametrize(
    ("resets", "get", "previous", "calls"),
    [
        # The read shows another password than the previous one: it happened.
        (LOST, MADE, PREVIOUS, ["reset", "get"]),
        (FAILED, MADE, PREVIOUS, ["reset", "get"]),
        (UNREADABLE, MADE, PREVIOUS, ["reset", "get"]),
        # It shows the previous one: it did not happen, so reset again.
        ([LOST, MADE], UNCHANGED, PREVIOUS, ["reset", "get", "reset"]),
        ([FAILED, MADE], UNCHANGED, PREVIOUS, ["reset", "get", "reset"]),
        ([UNREADABLE, MADE], UNCHANGED, PREVIOUS, ["reset", "get", "reset"]),
        ([LOST, LOST, MADE], UNCHANGED, PREVIOUS, ["reset", "get", "reset", "get", "reset"]),
        ([LOST, LOST], [UNCHANGED, MADE], PREVIOUS, ["reset", "get", "reset", "get"]),
        # It shows one, with nothing to compare: enough after a success, not otherwise.
        (UNREADABLE, MADE, None, ["reset", "get"]),
        ([LOST, MADE], MADE, None, ["reset", "get", "reset"]),
        # It shows none, or fails: reset again.
        ([LOST, MADE], DOCUMENTED, PREVIOUS, ["reset", "get", "reset"]),
        ([UNREADABLE, MADE], DOCUMENTED, PREVIOUS, ["reset", "get", "reset"]),
        ([FAILED, MADE], AWAY, PREVIOUS, ["reset", "get", "reset"]),
    ],
)
def test_reset_with_an_indeterminate_outcome_reads_the_database(
    resets: Any, get: Any, previous: str | None, calls: list[str]
) -> None:
    upstash = ScriptedUpstash(reset=resets, get=get)
    assert reset_by(upstash, previous).credentials.password == CREDENTIALS["password"]
    assert upstash.reporter.warnings == []
    assert upstash.calls == calls


def test_reset_with_an_indeterminate_outcome_reports_the_read_and_waits_between_resets() -> None:
    upstash = ScriptedUpstash(reset=[LOST, FAILED, MADE], get=UNCHANGED)
    reset_by(upstash)
    assert upstash.reporter.lines == [
        ("info", "lost. Reading the database to check whether the password changed"),
        ("info", "failed. Reading the database to check whether the password changed"),
    ]
    assert upstash.clock.sleeps == [1, 2]


@pytest.mark.parametrize("response", [LOST, FAILED, UNREADABLE])
@pytest.mark.parametrize("get", [DOCUMENTED, AWAY])
def test_reset_whose_outcome_stays_indeterminate_raises_that(response: ApiError, get: Any) -> None:
    upstash = ScriptedUpstash(reset=response, get=get)
    with pytest.raises(IndeterminateOutcomeError) as raised:
        reset_by(upstash)
    assert str(raised.value) == f"{response.problem}; {MAY_HAVE_CHANGED}"
    assert upstash.calls == ["reset", "get"] * MAX_RESETS


@pytest.mark.parametrize("response", [LOST, FAILED, UNREADABLE])
def test_reset_that_never_happened_raises_that_the_password_is_the_same(
    response: ApiError,
) -> None:
    upstash = ScriptedUpstash(reset=response, get=UNCHANGED)
    with pytest.raises(ApiError) as raised:
        reset_by(upstash)
    assert str(raised.value) == (
        f"{response.problem}; a read of the database shows that the password has not changed"
    )
    assert not isinstance(raised.value, IndeterminateOutcomeError)
    assert upstash.calls == ["reset", "get"] * MAX_RESETS


REJECTIONS = [
    RequestNotSentError("gone", transient=True),
    AuthenticationError("gone", status=401),
]


@pytest.mark.parametrize("error", REJECTIONS)
def test_rejected_reset_is_final(error: ApiError) -> None:
    upstash = ScriptedUpstash(reset=error)
    with pytest.raises(type(error)):
        reset_by(upstash)
    assert upstash.calls == ["reset"]


@pytest.mark.parametrize("error", REJECTIONS)
def test_rejected_reset_after_an_indeterminate_one_leaves_the_outcome_indeterminate(
    error: ApiError,
) -> None:
    upstash = ScriptedUpstash(reset=[LOST, error], get=AWAY)
    with pytest.raises(IndeterminateOutcomeError) as raised:
        reset_by(upstash)
    assert str(raised.value) == f"gone; {MAY_HAVE_CHANGED}"


@pytest.mark.parametrize("error", REJECTIONS)
def test_rejected_reset_after_one_that_did_not_happen_is_final(error: ApiError) -> None:
    upstash = ScriptedUpstash(reset=[LOST, error], get=UNCHANGED)
    with pytest.raises(type(error)):
        reset_by(upstash)


def test_preflight_read_of_a_suspended_database_raises_and_resets_nothing() -> None:
    upstash = ScriptedUpstash(get={**WITH_CREDENTIALS, "state": "suspended"})
    with pytest.raises(ApiError, match=r"is suspended and cannot be reset; nothing has changed"):
        preflight_read(upstash.operation(), DATABASE_ID)
    assert upstash.calls == ["get"]


@pytest.mark.parametrize("state", ["active", "passive", None, "new"])
def test_preflight_read_of_any_other_database_returns_it(state: str | None) -> None:
    upstash = ScriptedUpstash(get={**WITH_CREDENTIALS, "state": state})
    assert preflight_read(upstash.operation(), DATABASE_ID).state == state


LAST = datetime(2026, 1, 1, tzinfo=timezone.utc)
RECORD = RotationRecord(LAST, 3, Reason(Cause.AGE), {"a": 1}, ACCEPTED)
STORED = State(DATABASE_ID, RECORD, Credentials(**CREDENTIALS))
PENDING = PendingRotation(Reason(Cause.TRIGGER, "a"), {"a": 2})
FOUND = Verification(verified=False, message="not verified: a refresh found this password")
LATER = {**WITH_CREDENTIALS, "password": "later-canary", "rest_token": None}


def compared(body: dict[str, Any], state: State = STORED) -> Snapshot:
    return compare(parse_database(body), state, now=NOW)[1]


def test_compare_with_the_stored_password_keeps_the_record_and_brings_new_attributes() -> None:
    found = compared({**WITH_CREDENTIALS, "database_name": "renamed"})
    assert found.database.database_name == "renamed"
    assert found.record == RECORD


def test_compare_with_another_password_records_an_external_reset() -> None:
    found = compared(LATER)
    assert found.database.credentials.password == "later-canary"
    assert found.database.credentials.rest_token is None
    assert found.record == RotationRecord(NOW, 3, Reason(Cause.EXTERNAL), {"a": 1}, FOUND)
    assert not found.engine_inputs_stale


def test_compare_with_another_password_explains_it_by_a_pending_rotation() -> None:
    found = compared(LATER, replace(STORED, pending=PENDING, rotate_on_delete=True))
    assert found.record == RotationRecord(NOW, 4, PENDING.reason, {"a": 2}, FOUND)
    assert found.pending is None
    assert found.engine_inputs_stale
    assert found.rotate_on_delete


@pytest.mark.parametrize("body", [WITH_CREDENTIALS, DOCUMENTED])
def test_compare_without_a_changed_password_leaves_a_pending_rotation_pending(body: Any) -> None:
    found = compared(body, replace(STORED, pending=PENDING, rotate_on_delete=True))
    assert (found.record, found.pending) == (RECORD, PENDING)
    assert (found.rotate_on_delete, found.engine_inputs_stale) == (True, False)


def test_compare_without_returned_credentials_keeps_the_stored_ones() -> None:
    found = compared(DOCUMENTED)
    assert found.database.credentials == STORED.credentials
    assert found.record == RECORD


def test_compare_with_a_hidden_token_keeps_the_stored_one() -> None:
    found = compared({**WITH_CREDENTIALS, "rest_token": None})
    assert found.database.credentials == STORED.credentials


def test_compare_without_stored_credentials_finds_the_live_ones() -> None:
    found = compared(WITH_CREDENTIALS, State(DATABASE_ID))
    assert found.database.credentials == Credentials(**CREDENTIALS)
    assert found.record == RotationRecord(verification=FOUND)


@pytest.mark.parametrize("body", [WITH_CREDENTIALS, DOCUMENTED, LATER])
def test_compare_keeps_stale_engine_inputs_stale(body: Any) -> None:
    assert compared(body, replace(STORED, engine_inputs_stale=True)).engine_inputs_stale


@pytest.mark.parametrize(
    ("get", "stored", "resets", "warned"),
    [
        (WITH_CREDENTIALS, CREDENTIALS, True, False),
        ({**WITH_CREDENTIALS, "password": "another"}, CREDENTIALS, False, False),
        (DOCUMENTED, CREDENTIALS, False, True),
        (WITH_CREDENTIALS, {}, False, True),
        (DatabaseNotFoundError("x", status=404), CREDENTIALS, False, False),
    ],
)
def test_revoke_resets_the_stored_password_and_no_other(
    get: Any, stored: dict[str, str], resets: bool, warned: bool
) -> None:
    upstash = ScriptedUpstash(get=get)
    state = State(DATABASE_ID, credentials=Credentials(**stored))
    revoke(upstash.operation(), state)
    assert upstash.calls == ["get", "reset"][: 1 + resets]
    assert bool(upstash.reporter.warnings) == warned
    assert "canary" not in str(upstash.reporter.lines)


def test_revoke_with_an_unreadable_response_is_done() -> None:
    upstash = ScriptedUpstash(reset=UNREADABLE)
    revoke(upstash.operation(), STORED)
    assert upstash.calls == ["get", "reset"]


@pytest.mark.parametrize("error", [LOST, FAILED, *REJECTIONS])
def test_revoke_with_any_other_error_raises_it(error: ApiError) -> None:
    upstash = ScriptedUpstash(reset=error)
    with pytest.raises(type(error)):
        revoke(upstash.operation(), STORED)
