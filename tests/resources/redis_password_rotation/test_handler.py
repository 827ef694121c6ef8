"""From a decision to what the state must hold, above all where a rotation is pending."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest

from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    InvalidInputError,
    PartialFailureError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.handler import (
    RedisPasswordRotationHandler,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.operations import NOT_RETURNED
from pulumi_upstash_rotation.resources.redis_password_rotation.state import (
    CHANGED_BY_ROTATION,
    Snapshot,
    to_outputs,
    with_pending,
)
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource, Run
from pulumi_upstash_rotation.rotation.reconciliation import fingerprint
from pulumi_upstash_rotation.rotation.record import Cause, PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.database import parse_database
from pulumi_upstash_rotation.values import UNKNOWN, Verification

from ...support.account import ACCEPTED, ScriptedUpstash
from ...support.clock import START as NOW
from ...support.payloads import (
    CREDENTIALS,
    DATABASE_ID,
    DOCUMENTED,
    WITH_CREDENTIALS,
)

HANDLER: Final = RedisPasswordRotationHandler()
PREVIOUS = "old-canary"
MADE = CREDENTIALS["password"]
UNCHANGED = {**WITH_CREDENTIALS, "password": PREVIOUS}
NEWER = {**WITH_CREDENTIALS, "password": "newer-canary"}
LOST = IndeterminateOutcomeError("lost", "who knows")
AWAY = ServerError("away", status=503)
REJECTED = Verification(verified=False, message="rejected", rejected=True)
UNREACHABLE = Verification(verified=False, message="not reachable")

LAST = datetime(2026, 1, 1, tzinfo=timezone.utc)
KNOWN_BEFORE = {"password": PREVIOUS, "rest_token": "old-token"}
BEFORE = parse_database({**DOCUMENTED, **KNOWN_BEFORE})
LABEL = f"Redis database 'MyRedis' ({DATABASE_ID})"
STORED: Final = to_outputs(
    Snapshot(BEFORE, RotationRecord(LAST, 3, Reason(Cause.AGE), {"a": 1}, ACCEPTED))
)
PENDING: Final = with_pending(STORED, PendingRotation(Reason(Cause.TRIGGER, "a"), {"a": 2}))
FIRST_PENDING: Final = to_outputs(
    Snapshot(
        BEFORE.with_credentials(replace(BEFORE.credentials, rest_token=None)),
        RotationRecord(),
        PendingRotation(Reason(Cause.CREATE), {"a": 1}),
    )
)
NO_CREDENTIALS = ConfigurationError("no credentials")


def arguments_of(triggers: Any = None, **others: Any) -> dict[str, Any]:
    arguments = {"database_id": DATABASE_ID, **others}
    return arguments if triggers is None else {**arguments, "triggers": triggers}


def create(upstash: ScriptedUpstash, triggers: Any = None, **others: Any) -> Resource:
    return HANDLER.create(arguments_of(triggers, **others), upstash.operation())


def update(
    upstash: ScriptedUpstash, outputs: dict[str, Any], triggers: Any = None, **others: Any
) -> Resource:
    arguments = arguments_of(triggers, **others)
    return HANDLER.update(DATABASE_ID, outputs, arguments, upstash.operation())


def read(upstash: ScriptedUpstash, outputs: dict[str, Any]) -> Resource | None:
    return HANDLER.read(DATABASE_ID, outputs, upstash.operation())


def answering(upstash: ScriptedUpstash, *verifications: Verification) -> Operation:
    """Return what surrounds a call whose logins get these answers, in turn."""
    operation, answers = upstash.operation(), iter(verifications)
    account = replace(operation.account, verify=lambda *_, **__: next(answers))
    return replace(operation, account=account)


def summary(resource: Resource | None) -> Any:
    """Return what matters of a resource: password, cause, count, triggers."""
    assert resource is not None
    assert resource.id == DATABASE_ID
    outputs = resource.outputs
    return (
        outputs.get("password"),
        outputs.get("rotation_cause"),
        outputs["rotation_count"],
        outputs["triggers"],
    )


def pending_of(outputs: Any) -> Any:
    return outputs.get("pending_rotation"), outputs.get("pending_triggers")


# --- diff ---


def diff(
    outputs: dict[str, Any], triggers: Any = None, **others: Any
) -> tuple[Diff, list[tuple[str, str]]]:
    upstash = ScriptedUpstash()
    found = HANDLER.diff(outputs, arguments_of(triggers, **others), upstash.preview())
    assert upstash.calls == []
    return found, upstash.reporter.lines


@pytest.mark.parametrize("triggers", [{"a": 1}, {"a": 1.0}, {}, None])
def test_diff_without_a_reason_has_no_change_and_no_line(triggers: Any) -> None:
    assert diff(STORED, triggers) == (Diff(changes=False), [])


def test_diff_with_a_new_trigger_changes_by_input_and_reports_the_reason() -> None:
    lines = [("info", f"the password of {LABEL} is due for a reset: trigger: a")]
    assert diff(STORED, {"a": 2}) == (Diff(changes=True), lines)


@pytest.mark.parametrize("triggers", [{"a": UNKNOWN}, UNKNOWN])
def test_diff_with_an_unknown_trigger_changes_and_reports_that_it_may_be_due(triggers: Any) -> None:
    found, ((_, line),) = diff(STORED, triggers)
    assert found == Diff(changes=True)
    assert line.startswith(f"the password of {LABEL} may be due for a reset: trigger")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"rotation_days": 1}, "age"), ({"rotation_schedule": "0 3 * * *"}, "schedule")],
)
def test_diff_by_time_is_not_left_to_the_engine(arguments: dict[str, Any], reason: str) -> None:
    lines = [("info", f"the password of {LABEL} is due for a reset: {reason}")]
    assert diff(STORED, {"a": 1}, **arguments) == (Diff(changes=True, by_input=False), lines)


@pytest.mark.parametrize("changed", [{"triggers": {"a": 2}}, {"rotate_on_delete": True}])
def test_diff_with_stale_engine_inputs_is_not_left_to_the_engine(changed: dict[str, Any]) -> None:
    """The engine may hold the declared inputs, and so find no change."""
    found, _ = diff({**STORED, "engine_inputs_stale": True}, **{"triggers": {"a": 1}, **changed})
    assert found == Diff(changes=True, by_input=False)


@pytest.mark.parametrize("triggers", [{"a": 1}, {"a": 2}, {"a": 3}])
def test_diff_with_a_pending_rotation_changes_whatever_is_declared(triggers: Any) -> None:
    lines = [
        (
            "info",
            f"the outcome of the last reset of {LABEL} is unknown. "
            "`pulumi up` will check the database",
        )
    ]
    assert diff(PENDING, triggers) == (Diff(changes=True, by_input=False), lines)


@pytest.mark.parametrize(
    ("database_id", "line"),
    [
        ("other", "the password of Redis database 'other' is due for a reset: create"),
        (UNKNOWN, "the password of another Redis database may be due for a reset: create"),
    ],
)
@pytest.mark.parametrize("outputs", [STORED, PENDING])
def test_diff_with_another_database_replaces(
    outputs: dict[str, Any], database_id: Any, line: str
) -> None:
    expected = Diff(changes=True, replaces=("database_id",))
    found = diff(outputs, {"a": 1}, database_id=database_id)
    assert found == (expected, [("info", line)])


def test_diff_with_another_database_that_is_adopted_reports_no_reset() -> None:
    found = diff(STORED, {"a": 1}, database_id="other", rotate_on_create=False)
    assert found == (Diff(changes=True, replaces=("database_id",)), [])


def test_diff_with_a_changed_rotate_on_delete_changes_without_a_reset() -> None:
    """A deletion sees the state alone."""
    assert diff(STORED, {"a": 1}, rotate_on_delete=True) == (Diff(changes=True), [])
    remembered = {**STORED, "rotate_on_delete": True}
    assert diff(remembered, {"a": 1}, rotate_on_delete=True) == (Diff(changes=False), [])
    assert diff(remembered, {"a": 1}) == (Diff(changes=True), [])


def test_diff_with_a_bad_argument_raises_it() -> None:
    with pytest.raises(InvalidInputError, match="^triggers must be a map"):
        diff(STORED, 1)


# --- create ---


def test_create_reads_resets_and_stores_the_triggers() -> None:
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS, get=UNCHANGED)
    made = create(upstash, {"a": 1}, rotate_on_delete=True)
    assert summary(made) == (MADE, "create", 1, {"a": 1})
    assert made.outputs["rotate_on_delete"] is True
    assert made.outputs["rotated_at"] == "2026-11-23T04:05:06Z"
    assert upstash.calls == ["get", "reset"]
    assert upstash.reporter.lines == []


def test_create_with_rotate_on_create_false_adopts_and_only_reads() -> None:
    upstash = ScriptedUpstash()
    made = create(upstash, {"a": 1}, rotate_on_create=False)
    assert summary(made) == (PREVIOUS, "adopted", 0, {"a": 1})
    assert "rotated_at" not in made.outputs  # nobody knows how old the password is
    assert made.outputs["adopted_at"] == "2026-11-23T04:05:06Z"
    assert upstash.calls == ["get"]


def test_create_that_adopts_a_hidden_password_warns() -> None:
    upstash = ScriptedUpstash(get=DOCUMENTED)
    made = create(upstash, rotate_on_create=False)
    assert summary(made) == (None, "adopted", 0, {})
    assert upstash.reporter.warnings == [f"the password of {LABEL} was adopted, but {NOT_RETURNED}"]


def test_an_adoption_remembers_a_read_that_the_database_rejects() -> None:
    """The same read, with a rotation pending, is then no new password."""
    arguments = arguments_of(rotate_on_create=False)
    late = ScriptedUpstash(get=[UNCHANGED, WITH_CREDENTIALS])
    made = HANDLER.create(arguments, answering(late, REJECTED, ACCEPTED))
    assert summary(made) == (MADE, "adopted", 0, {})
    assert made.outputs["earlier_fingerprints"] == [fingerprint(DATABASE_ID, PREVIOUS)]
    slow = ScriptedUpstash(get=WITH_CREDENTIALS)  # only the database was late
    made = HANDLER.create(arguments, answering(slow, REJECTED, ACCEPTED))
    assert "earlier_fingerprints" not in made.outputs


def test_create_with_an_indeterminate_outcome_keeps_what_is_known() -> None:
    upstash = ScriptedUpstash(reset=LOST, get=[UNCHANGED, DOCUMENTED])
    with pytest.raises(PartialFailureError, match="^lost; the password may have changed") as raised:
        create(upstash, {"a": 1}, rotate_on_delete=True)
    kept = Resource(raised.value.id, raised.value.outputs)
    assert summary(kept) == (PREVIOUS, None, 0, {})
    assert pending_of(kept.outputs) == ("create", {"a": 1})
    assert kept.outputs["rotate_on_delete"] is True
    assert "rotated_at" not in kept.outputs


def test_create_that_is_rejected_keeps_nothing() -> None:
    upstash = ScriptedUpstash(reset=AuthenticationError("no", status=401))
    with pytest.raises(AuthenticationError):
        create(upstash)


def test_create_of_a_suspended_database_resets_nothing() -> None:
    upstash = ScriptedUpstash(get={**WITH_CREDENTIALS, "state": "suspended"})
    with pytest.raises(ApiError, match="is suspended"):
        create(upstash)
    assert upstash.calls == ["get"]


def test_create_in_a_preview_plans_unknown_outputs() -> None:
    planned = HANDLER.create(
        arguments_of(UNKNOWN, database_id=UNKNOWN), ScriptedUpstash().preview()
    )
    assert planned.id == ""
    known = {name for name, value in planned.outputs.items() if value is not UNKNOWN}
    assert known == {"rotate_on_delete", "schema_version"}


@pytest.mark.parametrize("name", ["database_id", "triggers", "verify"])
def test_operation_with_an_unknown_argument_raises_before_any_call(name: str) -> None:
    """Pulumi knows every value by then."""
    upstash = ScriptedUpstash()
    for act in (create, lambda *_, **others: update(upstash, STORED, **others)):
        with pytest.raises(InvalidInputError, match=f"^{name} is not known yet; please report it$"):
            act(upstash, **{name: UNKNOWN})
    assert upstash.calls == []


# --- verification ---


def test_verification_tries_the_new_credentials_and_the_previous_ones() -> None:
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS, get={**UNCHANGED, "rest_token": "old"})
    made = create(upstash, verify_timeout=7)
    assert (made.outputs["verified"], made.outputs["verification"]) == (True, ACCEPTED.message)
    previous = {**CREDENTIALS, "password": PREVIOUS, "rest_token": "old"}
    assert upstash.tried == [(CREDENTIALS, previous, 7)]
    upstash.tried.clear()
    update(upstash, STORED, {"a": 2})  # without a token in the read, the stored one is known
    assert upstash.tried == [(CREDENTIALS, {**previous}, 10)]
    upstash.tried.clear()
    create(upstash, rotate_on_create=False)
    assert upstash.tried == [(previous, {}, 10)]
    assert upstash.reporter.lines == []


def test_pending_rotation_that_happened_is_verified_when_it_is_resolved() -> None:
    upstash = ScriptedUpstash(get=WITH_CREDENTIALS)
    done = update(upstash, PENDING, {"a": 2})
    assert done.outputs["verification"] == ACCEPTED.message
    assert upstash.tried == [(CREDENTIALS, KNOWN_BEFORE, 10)]


def test_verification_that_fails_is_a_warning() -> None:
    found = Verification(verified=False, message="Redis did not accept it")
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS, get=UNCHANGED, verification=found)
    made = create(upstash)
    assert (made.outputs["verified"], made.outputs["verification"]) == (False, found.message)
    assert upstash.reporter.lines == [("warning", f"{LABEL}: {found.message}")]


@pytest.mark.parametrize(
    ("verify", "get", "message", "warnings"),
    [
        (False, [UNCHANGED, WITH_CREDENTIALS], "not verified: verify is False", 0),
        (True, DOCUMENTED, "not verified: the new credentials are not known", 1),
    ],
)
def test_verification_without_credentials_or_with_verify_false_tries_nothing(
    verify: bool, get: Any, message: str, warnings: int
) -> None:
    upstash = ScriptedUpstash(get=get)
    made = create(upstash, verify=verify)
    assert (made.outputs["verified"], made.outputs["verification"]) == (False, message)
    assert len(upstash.reporter.warnings) == warnings
    assert upstash.tried == []


@pytest.mark.parametrize("verify", [False, True])
def test_verification_is_prepared_unless_verify_is_false(verify: bool) -> None:
    upstash = ScriptedUpstash()
    create(upstash, verify=verify)
    update(upstash, PENDING, {"a": 2}, verify=verify)
    assert upstash.prepared == (2 if verify else 0)


# --- update ---


def no_account() -> Context:
    upstash = ScriptedUpstash()

    def reject() -> None:
        raise NO_CREDENTIALS

    upstash.before_call = reject
    return upstash.operation()


def test_update_that_is_not_due_makes_no_call_and_needs_no_credentials() -> None:
    arguments = arguments_of({"a": 1}, rotation_days=3000, rotate_on_delete=True)
    done = HANDLER.update(DATABASE_ID, STORED, arguments, no_account())
    assert done == Resource(DATABASE_ID, {**STORED, "rotate_on_delete": True})


def test_update_that_is_due_needs_credentials() -> None:
    with pytest.raises(ConfigurationError):
        HANDLER.update(DATABASE_ID, STORED, arguments_of({"a": 2}), no_account())


def test_update_that_is_due_reads_and_resets() -> None:
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS)
    done = update(upstash, STORED, {"a": 2})
    assert summary(done) == (MADE, "trigger: a", 4, {"a": 2})
    assert upstash.calls == ["get", "reset"]


def test_update_takes_the_engines_inputs_with_it() -> None:
    """The engine stores the new inputs with an update, so that they are stale no more."""
    stale = {**STORED, "engine_inputs_stale": True}
    assert update(ScriptedUpstash(), stale, {"a": 1}).outputs == STORED
    assert "engine_inputs_stale" not in update(ScriptedUpstash(), stale, {"a": 2}).outputs


def test_update_with_an_indeterminate_outcome_keeps_the_stored_outputs() -> None:
    upstash = ScriptedUpstash(reset=LOST, get=DOCUMENTED)
    with pytest.raises(PartialFailureError) as raised:
        update(upstash, {**STORED, "__provider": "pickle"}, {"a": 2})
    assert raised.value.id == DATABASE_ID
    assert raised.value.outputs == {
        **STORED,
        "pending_rotation": "trigger: a",
        "pending_triggers": {"a": 2},
    }


def test_update_with_a_second_indeterminate_outcome_keeps_what_resolved_the_first() -> None:
    upstash = ScriptedUpstash(reset=LOST, get=[WITH_CREDENTIALS, DOCUMENTED])
    with pytest.raises(PartialFailureError) as raised:
        update(upstash, PENDING, {"a": 3})
    assert pending_of(raised.value.outputs) == ("trigger: a", {"a": 3})
    kept = Resource(raised.value.id, raised.value.outputs)
    assert summary(kept) == (MADE, "trigger: a", 4, {"a": 2})


@pytest.mark.parametrize(
    ("outputs", "get", "triggers", "expected", "calls"),
    [
        # It happened: done, whether it is still declared, reverted, or followed by another.
        (PENDING, WITH_CREDENTIALS, {"a": 2}, (MADE, "trigger: a", 4, {"a": 2}), ["get"]),
        (PENDING, WITH_CREDENTIALS, {}, (MADE, "trigger: a", 4, {"a": 2}), ["get"]),
        (
            PENDING,
            [WITH_CREDENTIALS, NEWER],
            {"a": 3},
            ("newer-canary", "trigger: a", 5, {"a": 3}),
            ["get", "reset", "get"],
        ),
        # It did not: made if it is still declared, else forgotten.
        (
            PENDING,
            [UNCHANGED, WITH_CREDENTIALS],
            {"a": 2},
            (MADE, "trigger: a", 4, {"a": 2}),
            ["get", "reset", "get"],
        ),
        (PENDING, UNCHANGED, {"a": 1}, (PREVIOUS, "age", 3, {"a": 1}), ["get"]),
        # Indeterminate: reset again, so that somebody knows the live password.
        (
            PENDING,
            [DOCUMENTED, WITH_CREDENTIALS],
            {"a": 1},
            (MADE, "trigger: a", 4, {"a": 1}),
            ["get", "reset", "get"],
        ),
        # A first rotation is due until it has happened.
        (FIRST_PENDING, WITH_CREDENTIALS, {"a": 1}, (MADE, "create", 1, {"a": 1}), ["get"]),
        (
            FIRST_PENDING,
            [UNCHANGED, WITH_CREDENTIALS],
            {},
            (MADE, "create", 1, {}),
            ["get", "reset", "get"],
        ),
    ],
)
def test_update_resolves_a_pending_rotation(
    outputs: dict[str, Any], get: Any, triggers: dict[str, Any], expected: Any, calls: list[str]
) -> None:
    upstash = ScriptedUpstash(get=get)
    done = update(upstash, outputs, triggers)
    assert summary(done) == expected
    assert pending_of(done.outputs) == (None, None)
    assert "engine_inputs_stale" not in done.outputs
    assert upstash.calls == calls


@pytest.mark.parametrize("verify", [True, False])
def test_update_takes_the_stored_password_for_a_late_one_after_an_applied_reset(
    verify: bool,
) -> None:
    upstash = ScriptedUpstash(get=[UNCHANGED, WITH_CREDENTIALS])
    applied = {**PENDING, "pending_applied": True}
    done = update(upstash, applied, {"a": 1}, verify=verify)  # the program was reverted
    assert upstash.calls == ["get", "reset", "get"]
    assert summary(done) == (MADE, "trigger: a", 4, {"a": 1})


def test_update_compares_no_read_with_one_that_the_database_rejects() -> None:
    """The live password is not known, so another one does not prove that a lost reset happened."""
    upstash = ScriptedUpstash(
        reset=[LOST, WITH_CREDENTIALS], get=[UNCHANGED, NEWER], verification=REJECTED
    )
    done = update(upstash, PENDING, {"a": 3})
    assert upstash.calls == ["get", "reset", "get", "reset"]
    assert summary(done) == (MADE, "trigger: a", 4, {"a": 3})


@pytest.mark.parametrize(
    ("triggers", "verify", "login"),
    [({"a": 3}, True, UNREACHABLE), ({"a": 3}, False, ACCEPTED), ({"a": 2}, False, ACCEPTED)],
)
def test_update_that_cannot_read_what_an_applied_reset_has_made_compares_nothing(
    triggers: dict[str, Any], verify: bool, login: Verification
) -> None:
    """What the next read returns may be the password of that reset."""
    upstash = ScriptedUpstash(
        reset=[LOST, WITH_CREDENTIALS], get=[DOCUMENTED, NEWER], verification=login
    )
    done = update(upstash, {**PENDING, "pending_applied": True}, triggers, verify=verify)
    assert upstash.calls == ["get", "reset", "get", "reset"]
    assert summary(done) == (MADE, "trigger: a", 4, triggers)


@pytest.mark.parametrize(
    ("login", "password"), [(ACCEPTED, "newer-canary"), (UNREACHABLE, MADE), (REJECTED, MADE)]
)
@pytest.mark.parametrize("applied", [True, False])
def test_update_that_recovers_a_rotation_believes_a_login(
    applied: bool, login: Verification, password: str
) -> None:
    """The rotation has happened, because the response said so or the stored password is dead.

    So any live password will do that is not an earlier one.
    """
    upstash = ScriptedUpstash(reset=[LOST, WITH_CREDENTIALS], get=[DOCUMENTED, NEWER])
    operation = answering(upstash, REJECTED, login, ACCEPTED)
    pending = {**PENDING, "pending_applied": applied}
    done = HANDLER.update(DATABASE_ID, pending, arguments_of({"a": 2}), operation)
    assert summary(done) == (password, "trigger: a", 4, {"a": 2})
    assert upstash.calls.count("reset") == (1 if login is ACCEPTED else 2)


def test_update_counts_no_rotation_for_a_read_that_the_database_rejects() -> None:
    """The read was late. So what it returned may be older than the pending rotation."""
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS, get=NEWER, verification=REJECTED)
    done = update(upstash, PENDING, {"a": 2})
    assert upstash.calls == ["get", "reset"]
    assert summary(done) == (MADE, "trigger: a", 4, {"a": 2})
    rejected = fingerprint(DATABASE_ID, "newer-canary")
    assert rejected in done.outputs["earlier_fingerprints"]


@pytest.mark.parametrize("outputs", [STORED, PENDING])
def test_update_compares_no_read_with_an_earlier_one(outputs: dict[str, Any]) -> None:
    earlier = {**outputs, "earlier_fingerprints": [fingerprint(DATABASE_ID, "newer-canary")]}
    unknown = {**WITH_CREDENTIALS, "password": "unknown-canary"}
    upstash = ScriptedUpstash(reset=[LOST, WITH_CREDENTIALS], get=[NEWER, unknown])
    done = update(upstash, earlier, {"a": 3}, verify=False)
    assert upstash.calls == ["get", "reset", "get", "reset"]
    assert summary(done) == (MADE, "trigger: a", 4, {"a": 3})


@pytest.mark.parametrize("response", [DOCUMENTED, LOST])
def test_a_reset_is_applied_only_if_the_api_says_so(response: Any) -> None:
    """A read that the database rejects proves no reset."""
    upstash = ScriptedUpstash(
        reset=response, get=[UNCHANGED, WITH_CREDENTIALS], verification=REJECTED
    )
    with pytest.raises(PartialFailureError) as raised:
        update(upstash, STORED, {"a": 2})
    assert ("pending_applied" in raised.value.outputs) == (response is DOCUMENTED)


def test_after_a_late_read_an_unknown_password_does_not_prove_a_later_reset() -> None:
    """It may be from a rotation before. Then the one that was declared last has not happened."""
    upstash = ScriptedUpstash(
        reset=LOST, get=[UNCHANGED, NEWER, NEWER, NEWER], verification=REJECTED
    )
    with pytest.raises(PartialFailureError) as raised:
        update(upstash, PENDING, {"a": 3})
    failed = raised.value.outputs
    assert failed["pending_after_late_read"] is True
    refreshed = read(ScriptedUpstash(get=NEWER), failed)
    assert refreshed
    for stored in (failed, refreshed.outputs):
        again = ScriptedUpstash(reset=WITH_CREDENTIALS, get=NEWER)
        done = update(again, dict(stored), {"a": 3})
        assert again.calls == ["get", "reset"]
        assert summary(done) == (MADE, "trigger: a", 4, {"a": 3})
        assert "pending_after_late_read" not in done.outputs


def test_after_a_late_read_the_password_that_another_read_replaces_is_an_earlier_one() -> None:
    pending = {**PENDING, "pending_after_late_read": True}
    upstash = ScriptedUpstash(reset=[LOST, WITH_CREDENTIALS], get=[NEWER, UNCHANGED])
    done = update(upstash, pending, {"a": 2}, verify=False)
    assert upstash.calls == ["get", "reset", "get", "reset"]
    assert summary(done) == (MADE, "trigger: a", 4, {"a": 2})


def test_a_database_that_another_resource_declares_is_not_reset() -> None:
    """A transform may give two resources the same database, which the program cannot see."""
    upstash, run = ScriptedUpstash(reset=WITH_CREDENTIALS, get=UNCHANGED), Run()
    first, second = (
        replace(upstash.operation(run), resource=name) for name in ("urn:first", "urn:second")
    )
    arguments = arguments_of({"a": 2})
    assert HANDLER.check(arguments, first) == []
    (problem,) = HANDLER.check(arguments, second)
    assert "database_id is the database of another resource in this program" in str(problem)
    with pytest.raises(InvalidInputError, match="this resource has changed nothing"):
        HANDLER.create(arguments, second)
    with pytest.raises(InvalidInputError, match="this resource has changed nothing"):
        HANDLER.update(DATABASE_ID, STORED, arguments, second)
    assert upstash.calls == []
    assert HANDLER.check(arguments_of(database_id=UNKNOWN), second) == []
    HANDLER.create(arguments, first)
    assert upstash.calls.count("reset") == 1


@pytest.mark.parametrize(("triggers", "calls"), [({"a": 2}, ["get"]), ({"a": 3}, ["get", "reset"])])
@pytest.mark.parametrize("applied", [True, False])
def test_an_applied_reset_stays_applied_until_another_one_is_due(
    applied: bool, triggers: dict[str, Any], calls: list[str]
) -> None:
    """After a late read the update resets only to learn the password, and nothing more is due.

    A reset was applied if its response says so, or if the database rejects the password before.
    """
    pending = {**PENDING, "pending_applied": applied}
    login = ACCEPTED if applied else REJECTED
    upstash = ScriptedUpstash(reset=LOST, get=UNCHANGED, verification=login)
    with pytest.raises(PartialFailureError) as raised:
        update(upstash, pending, triggers)
    again = ScriptedUpstash(reset=WITH_CREDENTIALS, get=NEWER)
    done = update(again, raised.value.outputs, triggers)
    assert again.calls == calls
    assert summary(done)[3] == triggers


@pytest.mark.parametrize("response", [DOCUMENTED, UnreadableResponseError("odd")])
def test_a_reset_with_a_success_status_is_applied_whatever_comes_next(response: Any) -> None:
    upstash = ScriptedUpstash(reset=response, get=[UNCHANGED, MemoryError()])
    with pytest.raises(PartialFailureError) as raised:
        update(upstash, STORED, {"a": 2})
    assert raised.value.outputs["pending_applied"] is True


@pytest.mark.parametrize("response", [DOCUMENTED, AuthenticationError("no", status=401)])
def test_a_password_that_was_read_before_an_applied_reset_is_an_earlier_one(response: Any) -> None:
    upstash = ScriptedUpstash(reset=[LOST, response], get=[DOCUMENTED, NEWER])
    with pytest.raises(PartialFailureError) as raised:
        create(upstash)
    failed, again = raised.value.outputs, ScriptedUpstash(get=[NEWER, WITH_CREDENTIALS])
    assert ("pending_applied" in failed) == (response is DOCUMENTED)
    assert ("earlier_fingerprints" in failed) == (response is DOCUMENTED)
    assert summary(update(again, failed, verify=False)) == (MADE, "create", 1, {})
    assert again.calls == ["get", "reset", "get"]


def test_update_that_cannot_read_leaves_a_pending_rotation_pending() -> None:
    """An error that is no partial failure leaves the state as it is."""
    upstash = ScriptedUpstash(get=AWAY)
    with pytest.raises(ServerError):
        update(upstash, PENDING, {"a": 2})
    assert upstash.calls == ["get"]


def test_update_in_a_preview_plans_what_a_rotation_will_change() -> None:
    context = ScriptedUpstash().preview()
    for outputs, triggers in ((STORED, {"a": 2}), (STORED, UNKNOWN), (PENDING, {"a": 1})):
        planned = HANDLER.update(DATABASE_ID, outputs, arguments_of(triggers), context).outputs
        changed = {name for name, value in planned.items() if value is UNKNOWN}
        assert changed == set(CHANGED_BY_ROTATION)


def test_update_in_a_preview_that_is_not_due_plans_the_stored_outputs() -> None:
    arguments = arguments_of({"a": 1}, rotate_on_delete=True)
    context = ScriptedUpstash().preview()
    planned = HANDLER.update(DATABASE_ID, STORED, arguments, context)
    assert planned == Resource(DATABASE_ID, {**STORED, "rotate_on_delete": True})


# --- read ---


@pytest.mark.parametrize(
    ("outputs", "get", "expected"),
    [
        (STORED, UNCHANGED, ACCEPTED.message),
        (STORED, DOCUMENTED, ACCEPTED.message),
        (STORED, WITH_CREDENTIALS, "not verified: a refresh found this password"),
        (
            {name: value for name, value in STORED.items() if name not in KNOWN_BEFORE},
            WITH_CREDENTIALS,
            "not verified: a refresh found this password",
        ),
    ],
)
def test_read_keeps_the_verification_unless_it_finds_another_password(
    outputs: dict[str, Any], get: Any, expected: str
) -> None:
    found = read(ScriptedUpstash(get=get), outputs)
    assert found is not None
    assert found.outputs["verification"] == expected


@pytest.mark.parametrize(
    ("get", "expected", "pending"),
    [
        (WITH_CREDENTIALS, (MADE, "trigger: a", 4, {"a": 2}), None),
        (UNCHANGED, (PREVIOUS, "age", 3, {"a": 1}), "trigger: a"),
        (DOCUMENTED, (PREVIOUS, "age", 3, {"a": 1}), "trigger: a"),
    ],
)
def test_read_resolves_a_pending_rotation_where_it_shows(
    get: Any, expected: Any, pending: str | None
) -> None:
    upstash = ScriptedUpstash(get=get)
    found = read(upstash, PENDING)
    assert summary(found) == expected
    assert found is not None
    assert pending_of(found.outputs) == (pending, {"a": 2} if pending else None)
    assert found.outputs.get("engine_inputs_stale", False) == (pending is None)
    assert upstash.calls == ["get"]


def test_read_of_an_unchanged_database_keeps_its_history() -> None:
    found = read(ScriptedUpstash(get={**UNCHANGED, "rest_token": None}), STORED)
    assert summary(found) == (PREVIOUS, "age", 3, {"a": 1})
    assert found is not None
    assert found.outputs["rotated_at"] == "2026-01-01T00:00:00Z"
    assert found.outputs["rest_token"] == "old-token"


@pytest.mark.parametrize(
    ("verification", "expected"),
    [
        (ACCEPTED, (MADE, "external", 3, {"a": 1})),
        (REJECTED, (PREVIOUS, "age", 3, {"a": 1})),
        (UNREACHABLE, (PREVIOUS, "age", 3, {"a": 1})),
    ],
)
def test_read_of_an_earlier_password_believes_a_login(
    verification: Verification, expected: Any
) -> None:
    earlier = {**STORED, "earlier_fingerprints": [fingerprint(DATABASE_ID, MADE)]}
    upstash = ScriptedUpstash(get=WITH_CREDENTIALS, verification=verification)
    found = read(upstash, earlier)
    assert summary(found) == expected
    assert found is not None
    took_it = verification is ACCEPTED
    assert ("earlier_fingerprints" in found.outputs) is not took_it
    ((tried, previous, _),) = upstash.tried
    assert (tried["password"], previous["password"]) == (MADE, PREVIOUS)
    assert any("not the live one" in text for _, text in upstash.reporter.lines) is not took_it


@pytest.mark.parametrize(
    ("verification", "expected"), [(ACCEPTED, MADE), (UNREACHABLE, MADE), (REJECTED, PREVIOUS)]
)
@pytest.mark.parametrize("outputs", [STORED, PENDING, {**PENDING, "pending_after_late_read": True}])
def test_read_takes_no_password_that_the_database_rejects(
    outputs: dict[str, Any], verification: Verification, expected: str
) -> None:
    """Whatever the read proves about a pending rotation."""
    upstash = ScriptedUpstash(get=WITH_CREDENTIALS, verification=verification)
    found = read(upstash, outputs)
    assert found is not None
    assert found.outputs["password"] == expected
    ((tried, _, _),) = upstash.tried
    assert tried["password"] == MADE
    if expected == PREVIOUS:
        assert found.outputs == outputs
    elif "pending_rotation" in found.outputs:
        displaced = found.outputs["displaced_fingerprints"]
        assert displaced == [fingerprint(DATABASE_ID, PREVIOUS)]


GONE = DatabaseNotFoundError("x", status=404)
OTHER = {**DOCUMENTED, "database_id": "other"}


@pytest.mark.parametrize("listed", [[], [OTHER]])
@pytest.mark.parametrize("login", [UNREACHABLE, REJECTED])
def test_read_of_a_database_that_is_gone_finds_nothing(listed: Any, login: Verification) -> None:
    upstash = ScriptedUpstash(get=GONE, listed=[listed], verification=login)
    assert read(upstash, STORED) is None
    assert upstash.calls == ["get", "list"]


def test_read_believes_no_404_of_a_database_that_accepts_the_stored_password() -> None:
    upstash = ScriptedUpstash(get=GONE, listed=[[]], verification=ACCEPTED)
    with pytest.raises(ApiError, match="the state has not changed") as raised:
        read(upstash, STORED)
    assert "was not found (404), but accepts the stored password" in str(raised.value)
    ((tried, previous, _),) = upstash.tried
    assert (tried["password"], previous) == (PREVIOUS, {})


@pytest.mark.parametrize(
    ("listed", "stored", "problem"),
    [
        # The list still has it.
        ([DOCUMENTED], STORED, "was not found (404), but the list of databases has it"),
        ([{**DOCUMENTED, "database_id": DATABASE_ID.upper()}], STORED, "the list of databases has"),
        # The list is of another account, or nobody knows whose.
        ([{**OTHER, "customer_id": "b@example.com"}], STORED, "this may be another"),
        ([], {**STORED, "customer_id": "b@example.com"}, "this may be another"),
        ([OTHER], {**STORED, "customer_id": None}, "this may be another"),
    ],
)
def test_read_believes_no_404_that_may_be_wrong(listed: Any, stored: Any, problem: str) -> None:
    upstash = ScriptedUpstash(get=GONE, listed=[listed])
    with pytest.raises(ApiError, match="the state has not changed") as raised:
        read(upstash, stored)
    assert problem in str(raised.value)


def test_read_with_an_unreadable_list_forgets_nothing() -> None:
    upstash = ScriptedUpstash(get=GONE, listed=AWAY)
    with pytest.raises(ServerError):
        read(upstash, STORED)


def test_read_that_fails_raises_and_changes_nothing() -> None:
    with pytest.raises(ServerError):
        read(ScriptedUpstash(get=AWAY), STORED)


def test_read_without_a_state_finds_the_database_as_it_is() -> None:
    """`get()` gives its arguments alone."""
    upstash = ScriptedUpstash(get=WITH_CREDENTIALS)
    found = read(upstash, {"database_id": DATABASE_ID, "triggers": None})
    assert summary(found) == (MADE, None, 0, {})
    assert summary(read(upstash, {})) == (MADE, None, 0, {})
    assert upstash.calls == ["get", "get"]


def test_read_without_a_state_of_no_database_is_an_error() -> None:
    upstash = ScriptedUpstash(get=DatabaseNotFoundError("x", status=404))
    with pytest.raises(DatabaseNotFoundError) as raised:
        read(upstash, {"database_id": DATABASE_ID})
    assert str(raised.value) == (
        f"cannot read Redis database {DATABASE_ID!r}: the account has no such database (404); "
        "nothing has changed"
    )


# --- delete ---


@pytest.mark.parametrize("rotate_on_delete", [False, True])
def test_delete_resets_only_where_the_program_asked_for_it(rotate_on_delete: bool) -> None:
    upstash = ScriptedUpstash(get=UNCHANGED)
    HANDLER.delete({**STORED, "rotate_on_delete": rotate_on_delete}, upstash.operation())
    assert upstash.calls == (["get", "reset"] if rotate_on_delete else [])
    assert upstash.reporter.lines == []


def test_delete_without_rotate_on_delete_needs_no_credentials() -> None:
    HANDLER.delete(STORED, no_account())


@pytest.mark.parametrize("default_user", [True, False])
def test_a_rejected_login_of_a_deletion_proves_nothing_where_the_default_user_is_off(
    default_user: bool,
) -> None:
    hidden = {**DOCUMENTED, "db_acl_default_user_status": default_user}
    rejected = Verification(verified=False, message="rejected", rejected=True)
    upstash = ScriptedUpstash(get=hidden, verification=rejected)
    HANDLER.delete({**STORED, "rotate_on_delete": True}, upstash.operation())
    assert upstash.calls == ["get"]
    assert len(upstash.reporter.warnings) == (0 if default_user else 1)


def test_a_second_read_after_a_rejected_one_is_completed_as_the_first_is() -> None:
    rejected = Verification(verified=False, message="rejected", rejected=True)
    bare = {"database_id": DATABASE_ID, **CREDENTIALS}
    upstash = ScriptedUpstash(reset={}, get=[UNCHANGED, WITH_CREDENTIALS, bare])
    made = HANDLER.create(arguments_of(), answering(upstash, rejected, ACCEPTED))
    assert made.outputs["redis_url"]
    assert made.outputs["customer_id"] == DOCUMENTED["customer_id"]


@pytest.mark.parametrize("rotate_on_create", [False, True])
def test_delete_of_a_replaced_resource_leaves_the_replacements_password(
    rotate_on_create: bool,
) -> None:
    upstash, run = ScriptedUpstash(get=[UNCHANGED, WITH_CREDENTIALS]), Run()
    arguments = arguments_of({"a": 1}, rotate_on_create=rotate_on_create)
    HANDLER.create(arguments, upstash.operation(run=run))
    calls = list(upstash.calls)
    wish = {**STORED, "rotate_on_delete": True}
    HANDLER.delete(wish, upstash.operation(run=run))
    assert upstash.calls == calls
    # A reset has made the stored password useless. An adoption has not, so the user must know.
    assert len(upstash.reporter.warnings) == (0 if rotate_on_create else 1)
    HANDLER.delete({**wish, "database_id": "other"}, upstash.operation(run=run))
    assert upstash.calls[len(calls) :][0] == "get"


@pytest.mark.parametrize(
    ("response", "verify", "warnings"),
    [(LOST, False, 1), (LOST, True, 0), (DOCUMENTED, False, 0)],
)
def test_delete_of_a_replaced_resource_warns_if_its_password_may_be_live(
    response: Any, verify: bool, warnings: int
) -> None:
    upstash = ScriptedUpstash(reset=response, get=[UNCHANGED, WITH_CREDENTIALS])
    operation = upstash.operation()
    HANDLER.create(arguments_of({"a": 1}, verify=verify), operation)
    HANDLER.delete({**STORED, "rotate_on_delete": True}, operation)
    assert upstash.calls == ["get", "reset", "get"]
    assert len(upstash.reporter.warnings) == warnings


@pytest.mark.parametrize("verify", [True, False])
def test_a_response_to_a_reset_with_the_password_from_before_is_read_again(verify: bool) -> None:
    upstash = ScriptedUpstash(reset=UNCHANGED, get=[UNCHANGED, UNCHANGED, WITH_CREDENTIALS])
    made = create(upstash, {"a": 1}, verify=verify)
    assert made.outputs["password"] == MADE
    assert upstash.calls == ["get", "reset", "get", "get"]


def test_tokens_that_the_response_to_a_reset_lacks_are_read() -> None:
    only_password = {**DOCUMENTED, "password": MADE}
    upstash = ScriptedUpstash(reset=only_password, get=[UNCHANGED, WITH_CREDENTIALS])
    assert create(upstash).outputs["rest_token"] == CREDENTIALS["rest_token"]
    assert upstash.calls == ["get", "reset", "get"]
    for get in (AWAY, UNCHANGED, only_password):
        upstash = ScriptedUpstash(reset=only_password, get=[UNCHANGED, get])
        made = create(upstash).outputs
        assert (made["password"], made.get("rest_token")) == (MADE, None)
        assert upstash.calls == ["get", "reset", "get"]


@pytest.mark.parametrize("response", [DOCUMENTED, UnreadableResponseError("odd")])
def test_delete_leaves_a_password_that_another_deletion_has_made(response: Any) -> None:
    """Two resources may hold one password, as after an adoption. The first reset revokes it."""
    upstash, run = ScriptedUpstash(reset=response, get=UNCHANGED), Run()
    for _ in range(2):
        HANDLER.delete({**STORED, "rotate_on_delete": True}, upstash.operation(run=run))
    assert upstash.calls == ["get", "reset"]


def test_delete_leaves_a_password_that_the_program_reads_with_get() -> None:
    upstash, run = ScriptedUpstash(get=UNCHANGED), Run()
    HANDLER.read(DATABASE_ID, {}, upstash.operation(run=run))
    HANDLER.delete({**STORED, "rotate_on_delete": True}, upstash.operation(run=run))
    assert upstash.calls == ["get"]
    assert "the program still declares" in upstash.reporter.warnings[-1]
    # A refresh reads every resource, also one that the program no longer declares.
    upstash, run = ScriptedUpstash(get=UNCHANGED), Run()
    HANDLER.read(DATABASE_ID, STORED, upstash.operation(run=run))
    HANDLER.delete({**STORED, "rotate_on_delete": True}, upstash.operation(run=run))
    assert upstash.calls == ["get", "get", "reset"]


def test_no_secret_is_in_a_repr() -> None:
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS, get=UNCHANGED)
    assert "canary" not in repr(create(upstash, {"a": "canary"}))


def test_now_is_the_contexts() -> None:
    upstash = ScriptedUpstash(reset=WITH_CREDENTIALS)
    upstash.clock.seconds = timedelta(days=1).total_seconds()
    done = update(upstash, STORED, {"a": 2})
    assert done.outputs["rotated_at"] == f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("call", ["create", "update"])
def test_reset_without_required_credentials_is_refused_before_it_changes_anything(
    call: str,
) -> None:
    arguments = {"database_id": DATABASE_ID, "triggers": {"a": 2}, "require_credentials": True}
    upstash = ScriptedUpstash(get=DOCUMENTED, reset=WITH_CREDENTIALS)
    stored = HANDLER.create({"database_id": DATABASE_ID}, ScriptedUpstash().operation()).outputs
    calls = {
        "create": lambda: HANDLER.create(arguments, upstash.operation()),
        "update": lambda: HANDLER.update(DATABASE_ID, stored, arguments, upstash.operation()),
    }
    with pytest.raises(ApiError) as raised:  # and no partial failure
        calls[call]()
    assert str(raised.value).startswith(
        f"the API does not return the password of Redis database 'MyRedis' ({DATABASE_ID}), and "
        "require_credentials is True; nothing has changed"
    )
    assert upstash.calls == ["get"]
    shown = ScriptedUpstash(reset=WITH_CREDENTIALS)
    HANDLER.create(arguments, shown.operation())
    assert shown.calls == ["get", "reset"]
    dead = ScriptedUpstash(get=UNCHANGED, verification=REJECTED)
    with pytest.raises(ApiError, match="rejects the password that the API returns, and require_c"):
        HANDLER.create(arguments, dead.operation())
    assert dead.calls == ["get"]


# --- an imported resource ---


def imported(password: str | None = PREVIOUS) -> dict[str, Any]:
    """Return the state after an import: a read alone."""
    resource = read(ScriptedUpstash(get={**DOCUMENTED, "password": password}), {})
    assert resource is not None
    assert resource.outputs["imported"] is True
    return {**resource.outputs}


@pytest.mark.parametrize("triggers", [None, {}])
def test_import_that_declares_nothing_has_no_change(triggers: Any) -> None:
    assert diff(imported(), triggers) == (Diff(changes=False), [])


@pytest.mark.parametrize(
    "arguments",
    [
        {"triggers": {"a": 1}},
        {"triggers": UNKNOWN},
        {"triggers": {"a": UNKNOWN}},
        {"rotation_days": 1},
        {"rotation_days": UNKNOWN},
        {"rotation_schedule": "0 3 1 * *"},
        {"rotate_on_delete": True},
    ],
)
def test_import_reports_that_what_is_declared_first_resets_nothing(
    arguments: dict[str, Any],
) -> None:
    found, lines = diff(imported(), **arguments)
    assert found == Diff(changes=True)
    assert lines == [
        (
            "info",
            f"{LABEL} was imported. The update stores its triggers, age and schedule. It resets "
            "nothing",
        )
    ]


def test_triggers_of_an_import_are_stored_and_a_later_one_resets() -> None:
    upstash = ScriptedUpstash()
    stored = update(upstash, imported(), {"a": 1})
    assert upstash.calls == []
    assert summary(stored) == (PREVIOUS, "adopted", 0, {"a": 1})
    assert "imported" not in stored.outputs
    assert diff({**stored.outputs}, {"a": 1}) == (Diff(changes=False), [])
    assert diff({**stored.outputs}, {"a": 2})[0].changes
    rotated = update(upstash, {**stored.outputs}, {"a": 2})
    assert upstash.calls.count("reset") == 1
    assert summary(rotated) == (MADE, "trigger: a", 1, {"a": 2})


def test_age_of_an_import_counts_from_the_update() -> None:
    upstash = ScriptedUpstash()
    stored = update(upstash, imported(), rotation_days=10).outputs
    assert upstash.calls == []
    assert stored["adopted_at"] == "2026-11-23T04:05:06Z"
    for days, due in ((9, False), (11, True)):
        upstash.clock.seconds = days * 86_400
        arguments = arguments_of(rotation_days=10)
        assert HANDLER.diff(stored, arguments, upstash.preview()).changes is due


@pytest.mark.parametrize("at_once", [True, False])
def test_import_with_an_old_schedule_resets_nothing_at_once(at_once: bool) -> None:
    upstash = ScriptedUpstash()
    upstash.clock.seconds = 0 if at_once else 400 * 86_400
    stored = update(upstash, imported(), rotation_schedule="* * * * *").outputs
    assert not diff({**stored})[0].changes
    assert upstash.calls == []


def test_refresh_of_a_state_without_a_version_is_no_import() -> None:
    upstash = ScriptedUpstash()
    created = create(upstash, {"a": 1})
    old = {name: value for name, value in created.outputs.items() if name != "schema_version"}
    refreshed = read(upstash, old).outputs
    assert "imported" not in refreshed
    found, _ = diff(refreshed, {"a": 2})
    assert found == Diff(changes=True)


def test_refresh_of_an_import_keeps_it_imported_and_takes_another_password() -> None:
    upstash = ScriptedUpstash(get=NEWER)
    refreshed = read(upstash, imported())
    assert refreshed is not None
    assert refreshed.outputs["password"] == "newer-canary"
    assert refreshed.outputs["imported"] is True
    assert upstash.calls == ["get"]
    stored = update(upstash, {**refreshed.outputs}, {"a": 1})
    assert upstash.calls == ["get"]
    assert stored.outputs["password"] == "newer-canary"
    assert stored.outputs["triggers"] == {"a": 1}
    assert diff({**stored.outputs}, {"a": 1}) == (Diff(changes=False), [])


def test_import_of_a_hidden_password_is_stored_as_it_is() -> None:
    upstash = ScriptedUpstash(get=DOCUMENTED)
    stored = update(upstash, imported(None), {"a": 1}).outputs
    assert "password" not in stored
    assert upstash.calls == []


def test_update_of_an_import_in_a_preview_knows_all_but_the_time() -> None:
    upstash = ScriptedUpstash()
    arguments = arguments_of({"a": 1, "b": UNKNOWN}, rotate_on_delete=True)
    outputs = HANDLER.update(DATABASE_ID, imported(), arguments, upstash.preview()).outputs
    assert upstash.calls == []
    assert outputs["adopted_at"] is UNKNOWN
    assert outputs["password"] == PREVIOUS
    assert outputs["rotate_on_delete"] is True
    assert "imported" not in outputs


def test_import_with_another_database_replaces() -> None:
    found, _ = diff(imported(), database_id="another")
    assert found.replaces == ("database_id",)


def test_imported_password_is_reset_by_a_deletion_only_if_it_was_declared() -> None:
    upstash = ScriptedUpstash()
    HANDLER.delete(imported(), upstash.operation())
    assert upstash.calls == []
