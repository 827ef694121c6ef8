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
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import KnownInputs
from pulumi_upstash_rotation.resources.redis_password_rotation.operations import (
    MAX_READS,
    MAX_RESETS,
    MAY_HAVE_CHANGED,
    NOT_RETURNED,
    NewCredentialsUnknownError,
    Rotated,
    compare,
    is_rejected,
    preflight_read,
    read_again,
    reset,
    revoke,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.state import Snapshot, State
from pulumi_upstash_rotation.resources.seam import Resource
from pulumi_upstash_rotation.resources.secured import Kept
from pulumi_upstash_rotation.rotation.reconciliation import fingerprint
from pulumi_upstash_rotation.rotation.record import Cause, PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.database import parse_database
from pulumi_upstash_rotation.upstash.response import Reading
from pulumi_upstash_rotation.values import VERIFY_IS_FALSE, Verification

from ...support.account import ACCEPTED, ScriptedUpstash
from ...support.clock import START as NOW
from ...support.payloads import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

if TYPE_CHECKING:
    from pulumi_upstash_rotation.upstash.database import Database

PREVIOUS = "old-canary"
UNCHANGED = {**WITH_CREDENTIALS, "password": PREVIOUS}
OLDER = {**WITH_CREDENTIALS, "password": "older-canary"}
LOST = IndeterminateOutcomeError("lost", "who knows")
FAILED = ServerError("failed", "who knows", status=500)
UNREADABLE = UnreadableResponseError("odd", "who knows")
AWAY = ServerError("away", status=503)
MADE: dict[str, Any] = WITH_CREDENTIALS
LIVE = Verification(verified=True, message="accepted")
DEAD = Verification(verified=False, message="rejected", rejected=True)
UNREACHABLE = Verification(verified=False, message="silent")


EARLIER = "older-canary"
HIDDEN = State(DATABASE_ID, database_name="cache")
KNOWN = replace(
    HIDDEN,
    credentials=Credentials(password=PREVIOUS),
    earlier=(fingerprint(DATABASE_ID, EARLIER),),
)
BEFORE = Resource(DATABASE_ID, {"pending_rotation": "create"})
APPLIED = Resource(DATABASE_ID, {"pending_rotation": "create", "pending_applied": True})


def _keep(_before: State) -> None:
    """Stand for what the state must hold."""


def reset_by(upstash: ScriptedUpstash, before: State = KNOWN) -> Database:
    return reset(upstash.operation(), before, Kept(), _keep)[0].database


def kept_after(upstash: ScriptedUpstash, error: type[ApiError]) -> bool:
    """Reset, expect the error, and return whether the pending rotation is still kept."""
    kept = Kept()
    kept.pending(BEFORE, APPLIED)
    with pytest.raises(error) as raised:
        reset(upstash.operation(), KNOWN, kept, _keep)
    return kept.after(raised.value) == (BEFORE, False)


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
    assert upstash.reporter.lines == [
        (
            "warning",
            f"the password of Redis database 'cache' ({DATABASE_ID}) was reset, but {NOT_RETURNED}",
        )
    ]


@pytest.mark.parametrize(
    ("get", "why"),
    [
        (ServerError("it failed", status=500), "the new one could not be read (it failed)"),
        (UnreadableResponseError("odd"), "the new one could not be read (odd)"),
        (UNCHANGED, "the API still returns an earlier one"),
        ({**WITH_CREDENTIALS, "password": EARLIER}, "the API still returns an earlier one"),
    ],
)
def test_reset_that_happened_without_a_known_password_is_a_failure(get: Any, why: str) -> None:
    upstash = ScriptedUpstash(get=get)
    with pytest.raises(NewCredentialsUnknownError) as raised:
        reset_by(upstash)
    assert str(raised.value) == (
        f"the password of Redis database 'cache' ({DATABASE_ID}) was reset, but {why}; run "
        "`pulumi up` again to read it"
    )
    assert upstash.calls == ["reset"] + ["get"] * MAX_READS
    assert sum(upstash.clock.sleeps) == 15


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


@pytest.mark.parametrize("late", [PREVIOUS, EARLIER, "********", "\u2022" * 8, "[hidden]"])
def test_reset_takes_no_earlier_or_masked_password_for_the_new_one(late: str) -> None:
    upstash = ScriptedUpstash(get=[{**WITH_CREDENTIALS, "password": late}, WITH_CREDENTIALS])
    found = reset_by(upstash).credentials.password
    assert found == (CREDENTIALS["password"] if "canary" in late else None)


def test_reset_with_an_odd_response_takes_its_password_and_warns() -> None:
    upstash = ScriptedUpstash(reset=Reading(parse_database(WITH_CREDENTIALS), "broke off"))
    assert reset_by(upstash).credentials == Credentials(**CREDENTIALS)
    assert upstash.reporter.warnings == [
        f"the response to the reset of Redis database 'cache' ({DATABASE_ID}) broke off"
    ]
    assert upstash.calls == ["reset"]


@pytest.mark.parametrize(
    ("resets", "get", "before", "calls"),
    [
        # The read shows another password than the previous one: it happened.
        (LOST, MADE, KNOWN, ["reset", "get"]),
        (FAILED, MADE, KNOWN, ["reset", "get"]),
        (UNREADABLE, MADE, KNOWN, ["reset", "get"]),
        # It shows the previous one: it did not happen, or the read is late. Reset again.
        ([LOST, MADE], UNCHANGED, KNOWN, ["reset", "get", "reset"]),
        ([FAILED, MADE], UNCHANGED, KNOWN, ["reset", "get", "reset"]),
        ([UNREADABLE, MADE], UNCHANGED, KNOWN, ["reset", "get", "reset"]),
        ([LOST, MADE], OLDER, KNOWN, ["reset", "get", "reset"]),
        ([LOST, LOST, MADE], UNCHANGED, KNOWN, ["reset", "get", "reset", "get", "reset"]),
        ([LOST, LOST], [UNCHANGED, MADE], KNOWN, ["reset", "get", "reset", "get"]),
        # It shows one, with nothing to compare: enough after a success, not otherwise.
        (UNREADABLE, MADE, HIDDEN, ["reset", "get"]),
        ([LOST, MADE], OLDER, HIDDEN, ["reset", "get", "reset"]),
        # It shows none, or fails: reset again.
        ([LOST, MADE], DOCUMENTED, KNOWN, ["reset", "get", "reset"]),
        ([UNREADABLE, MADE], DOCUMENTED, KNOWN, ["reset", "get", "reset"]),
        ([FAILED, MADE], AWAY, KNOWN, ["reset", "get", "reset"]),
    ],
)
def test_reset_with_an_indeterminate_outcome_reads_the_database(
    resets: Any, get: Any, before: State, calls: list[str]
) -> None:
    upstash = ScriptedUpstash(reset=resets, get=get)
    assert reset_by(upstash, before).credentials.password == CREDENTIALS["password"]
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


def test_reset_takes_no_password_that_it_read_before_it_for_the_new_one() -> None:
    """Without a known previous password the first read proves nothing."""
    unknown = {**WITH_CREDENTIALS, "password": "unknown-canary"}
    upstash = ScriptedUpstash(reset=[LOST, DOCUMENTED], get=[unknown, unknown, MADE])
    assert reset_by(upstash, HIDDEN).credentials.password == MADE["password"]
    assert upstash.calls == ["reset", "get", "reset", "get", "get"]


@pytest.mark.parametrize("get", [DOCUMENTED, AWAY, UNCHANGED, OLDER])
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (LOST, IndeterminateOutcomeError),
        (FAILED, IndeterminateOutcomeError),
        (UNREADABLE, NewCredentialsUnknownError),
    ],
)
def test_reset_whose_outcome_stays_indeterminate_raises_that(
    response: ApiError, error: type[ApiError], get: Any
) -> None:
    upstash = ScriptedUpstash(reset=response, get=get)
    with pytest.raises(error) as raised:
        reset_by(upstash)
    assert type(raised.value) is error
    assert str(raised.value) == f"{response.problem}; {MAY_HAVE_CHANGED}"
    assert upstash.calls == ["reset", "get"] * MAX_RESETS


REJECTIONS = [
    RequestNotSentError("gone", transient=True),
    AuthenticationError("gone", status=401),
]


@pytest.mark.parametrize("error", REJECTIONS)
def test_rejected_reset_is_final_and_leaves_nothing_to_keep(error: ApiError) -> None:
    upstash = ScriptedUpstash(reset=error)
    assert not kept_after(upstash, type(error))
    assert upstash.calls == ["reset"]


@pytest.mark.parametrize("get", [AWAY, UNCHANGED, OLDER])
@pytest.mark.parametrize("error", REJECTIONS)
def test_rejected_reset_after_an_indeterminate_one_leaves_the_outcome_indeterminate(
    error: ApiError, get: Any
) -> None:
    upstash = ScriptedUpstash(reset=[LOST, error], get=get)
    with pytest.raises(IndeterminateOutcomeError) as raised:
        reset_by(upstash)
    assert str(raised.value) == f"gone; {MAY_HAVE_CHANGED}"
    assert kept_after(ScriptedUpstash(reset=[LOST, error], get=get), IndeterminateOutcomeError)


def test_second_read_takes_only_a_new_password_or_fails() -> None:
    upstash = ScriptedUpstash(get=[UNCHANGED, OLDER, WITH_CREDENTIALS])
    again = read_again(upstash.operation(), KNOWN)
    assert again == Rotated(parse_database(WITH_CREDENTIALS), was_read=True)
    away = ScriptedUpstash(get=AWAY)
    with pytest.raises(NewCredentialsUnknownError, match="could not be read"):
        read_again(away.operation(), KNOWN)


@pytest.mark.parametrize(
    ("changes", "verification", "rejected"),
    [
        ({}, ACCEPTED, False),
        ({}, UNREACHABLE, False),
        ({}, DEAD, True),
        # Its default user is off, so it rejects every password.
        (
            {"db_acl_default_user_status": "false"},
            DEAD,
            False,
        ),
        (
            dict.fromkeys(CREDENTIALS),
            Verification(verified=False, message="no", rejected=True),
            False,
        ),
    ],
)
def test_a_read_is_rejected_if_the_database_rejects_its_password(
    changes: dict[str, Any], verification: Verification, rejected: bool
) -> None:
    database = parse_database({**WITH_CREDENTIALS, **changes})
    operation = ScriptedUpstash(verification=verification).operation()
    assert is_rejected(operation, database) is rejected


def test_preflight_read_of_a_suspended_database_raises_and_resets_nothing() -> None:
    upstash = ScriptedUpstash(get={**WITH_CREDENTIALS, "state": "suspended"})
    with pytest.raises(ApiError, match=r"is suspended and cannot be reset; nothing has changed"):
        preflight_read(upstash.operation(), KnownInputs(database_id=DATABASE_ID))
    assert upstash.calls == ["get"]


@pytest.mark.parametrize("state", ["active", "passive", None, "new"])
def test_preflight_read_of_any_other_database_returns_it(state: str | None) -> None:
    upstash = ScriptedUpstash(get={**WITH_CREDENTIALS, "state": state})
    assert preflight_read(upstash.operation(), KnownInputs(database_id=DATABASE_ID)).state == state


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


def test_compare_with_an_earlier_password_keeps_the_stored_one() -> None:
    earlier = (fingerprint(DATABASE_ID, "later-canary"),)
    for pending in (None, PENDING):
        found = compared(LATER, replace(STORED, earlier=earlier, pending=pending))
        assert found.database.credentials == STORED.credentials
        assert (found.record, found.pending, found.earlier) == (RECORD, pending, earlier)


def test_compare_remembers_the_stored_password_only_after_an_own_reset() -> None:
    """After a user's reset nobody knows whether the read or the stored password is the newer."""
    assert compared(LATER).earlier == ()
    found = compared(LATER, replace(STORED, pending=PENDING))
    assert found.earlier == (fingerprint(DATABASE_ID, CREDENTIALS["password"]),)
    assert compared(WITH_CREDENTIALS, found.to_state()).record == found.record


def test_compare_without_a_stored_password_explains_a_live_one_by_an_applied_reset() -> None:
    applied = replace(PENDING, applied=True)
    found = compared(WITH_CREDENTIALS, State(DATABASE_ID, pending=applied))
    assert (found.record.reason, found.pending) == (PENDING.reason, None)
    assert compared(WITH_CREDENTIALS, State(DATABASE_ID, pending=PENDING)).pending == PENDING


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
    ("get", "stored", "login", "resets", "warned"),
    [
        (WITH_CREDENTIALS, CREDENTIALS, LIVE, True, False),
        (LATER, CREDENTIALS, DEAD, False, False),
        (LATER, CREDENTIALS, UNREACHABLE, False, False),
        (LATER, CREDENTIALS, LIVE, True, False),  # the read was late
        # The API does not show the live one, so a login finds out.
        (DOCUMENTED, CREDENTIALS, LIVE, True, False),
        (DOCUMENTED, CREDENTIALS, DEAD, False, False),
        (DOCUMENTED, CREDENTIALS, UNREACHABLE, False, True),
        (OLDER, CREDENTIALS, LIVE, True, False),
        (OLDER, CREDENTIALS, DEAD, False, False),
        (WITH_CREDENTIALS, {}, LIVE, False, True),
        # A read of the stored password that the database rejects was late.
        (UNCHANGED, {"password": PREVIOUS}, DEAD, False, False),
        (UNCHANGED, {"password": PREVIOUS}, UNREACHABLE, True, False),
    ],
)
@pytest.mark.parametrize("pending", [None, PENDING])
@pytest.mark.parametrize("last", [LIVE, Verification(verified=False, message=VERIFY_IS_FALSE)])
def test_revoke_resets_the_stored_password_and_no_other(
    get: Any,
    stored: dict[str, str],
    login: Verification,
    resets: bool,
    warned: bool,
    pending: PendingRotation | None,
    last: Verification,
) -> None:
    upstash = ScriptedUpstash(get=get, verification=login)
    state = State(
        DATABASE_ID,
        RotationRecord(verification=last),
        Credentials(**stored),
        pending=pending,
        earlier=(fingerprint(DATABASE_ID, EARLIER),),
    )
    revoke(upstash.operation(), {}, state)
    # A password that is neither stored nor an earlier one may be that of the pending rotation.
    resets = resets or bool(pending and not warned)
    assert upstash.calls == ["get", "reset"][: 1 + resets]
    assert bool(upstash.reporter.warnings) == warned
    assert "canary" not in str(upstash.reporter.lines)


GONE = DatabaseNotFoundError("x", status=404)


def test_revoke_of_a_database_that_is_deleted_is_done() -> None:
    upstash = ScriptedUpstash(get=GONE, listed=[[]], verification=UNREACHABLE)
    state = replace(STORED, customer_id="example@upstash.com")
    revoke(upstash.operation(), {}, state)
    assert upstash.calls == ["get", "list"]
    lost = ScriptedUpstash(get=GONE, listed=[[]], verification=LIVE)
    with pytest.raises(ApiError, match="but accepts the stored password"):
        revoke(lost.operation(), {}, state)


@pytest.mark.parametrize(
    "get",
    [
        GONE,  # the list has it
        ResponseStatusError("a proxy's page", status=404),
        AWAY,
    ],
)
def test_revoke_without_a_certain_answer_fails_and_stays_in_the_state(get: ApiError) -> None:
    upstash = ScriptedUpstash(get=get, listed=[[DOCUMENTED]])
    with pytest.raises(ApiError):
        revoke(upstash.operation(), {}, STORED)
    assert "reset" not in upstash.calls


def test_revoke_with_an_unreadable_response_is_done() -> None:
    upstash = ScriptedUpstash(reset=UNREADABLE, get=WITH_CREDENTIALS)
    revoke(upstash.operation(), {}, STORED)
    assert upstash.calls == ["get", "reset"]


@pytest.mark.parametrize("error", [LOST, FAILED, *REJECTIONS])
def test_revoke_with_any_other_error_raises_it(error: ApiError) -> None:
    upstash = ScriptedUpstash(reset=error, get=WITH_CREDENTIALS)
    with pytest.raises(type(error)):
        revoke(upstash.operation(), {}, STORED)
