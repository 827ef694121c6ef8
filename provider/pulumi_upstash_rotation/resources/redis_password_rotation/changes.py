"""What create and update do, step by step. `_rotate()` has the point of no return.

Each step after it may fail in any way. `resources/secured.py` then hands on what `kept` holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import ApiError
from pulumi_upstash_rotation.resources.seam import Resource
from pulumi_upstash_rotation.rotation.decision import Decision, decide, decide_first
from pulumi_upstash_rotation.rotation.reconciliation import (
    Reconciliation,
    remember,
)
from pulumi_upstash_rotation.rotation.record import PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.values import VERIFY_IS_FALSE, Verification

from . import operations
from .inputs import NAME
from .state import (
    Snapshot,
    carried_over,
    parse_state,
    taken_over,
    to_outputs,
    with_new_credentials,
    with_pending,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_upstash_rotation.resources.seam import Operation
    from pulumi_upstash_rotation.resources.secured import Kept
    from pulumi_upstash_rotation.upstash.database import Database

    from .inputs import KnownInputs
    from .state import State

MAX_SECOND_READS: Final = 3
"""Number of further reads if the database rejects the credentials that a read returned."""
_NOT_KNOWN: Final = "not verified: the new credentials are not known"


def create(inputs: KnownInputs, operation: Operation, kept: Kept) -> Resource:
    """Reset a database's password for the first time, or adopt the current one.

    Raises:
        RotationError: It failed. Without a resource in `kept`, nothing has changed.
    """
    wait = _prepared(inputs, operation)
    decision = decide_first(inputs)
    if not decision.rotate:
        return _adopt(inputs, decision, operation)
    assert decision.reason is not None  # noqa: S101  a rotation always has one
    before = Snapshot(
        operations.preflight_read(operation, inputs),
        RotationRecord(),
        rotate_on_delete=inputs.rotate_on_delete,
    )
    wait()
    return _rotate(before, decision.reason, inputs, operation, kept)


def _adopt(inputs: KnownInputs, decision: Decision, operation: Operation) -> Resource:
    rejected: tuple[str, ...] = ()
    for attempt in range(MAX_SECOND_READS):
        operation.sleep(attempt)
        database = operation.account.api.get_database(inputs.database_id)
        record = RotationRecord(
            reason=decision.reason, triggers=inputs.triggers, adopted_at=operation.now()
        )
        snapshot = Snapshot(database, record, rotate_on_delete=inputs.rotate_on_delete)
        verification = _verify(snapshot, Credentials(), inputs, operation)
        adopted = snapshot.to_state().fingerprints
        if not _rejects(database, verification):
            break
        rejected = remember(rejected, *adopted)
    else:
        problem = f"{database.label} rejects the password that the API returns"
        raise ApiError(problem, "nothing has changed. Run `pulumi up` again, or set verify=False")
    if not database.credentials.password:
        operation.reporter.warning(
            f"the password of {database.label} was adopted, but {operations.NOT_RETURNED}"
        )
    _warn(database, verification, operation)
    earlier = tuple(each for each in rejected if each not in adopted)
    done = replace(_with(snapshot, verification), earlier=earlier)
    return Resource(inputs.database_id, to_outputs(done))


def update(
    id_: str, outputs: Mapping[str, Any], inputs: KnownInputs, operation: Operation, kept: Kept
) -> Resource:
    """Resolve a pending rotation, then reset the password if that is due.

    Raises:
        RotationError: It failed. Without a resource in `kept`, nothing has changed.
    """
    state = parse_state(outputs)
    if state.imported:
        return Resource(id_, taken_over(outputs, inputs, operation.now()))
    reason = decide(inputs, state.record, now=operation.now()).reason
    if not state.pending and reason is None:
        return Resource(id_, carried_over(outputs, inputs))
    wait = _prepared(inputs, operation)
    database = operation.account.api.get_database(state.database_id, state.database_name)
    found, latest = operations.compare(database, state, now=operation.now())
    changed, rejected, applied = found is Reconciliation.CHANGED, False, False
    if pending := state.pending:
        if changed:
            latest = _with(latest, _verify(latest, state.credentials, inputs, operation))
            rejected = _rejects(database, latest.record.verification)
        else:
            rejected = inputs.verify and operations.is_rejected(operation, latest.database)
        if changed and rejected:  # the read was late: it proves no reset
            dead = latest.to_state().fingerprints
            state = replace(state, earlier=remember(state.earlier, *dead))
            found, latest = operations.compare(database, state, now=operation.now())
        known = found in (Reconciliation.CHANGED, Reconciliation.SAME) and not rejected
        reason = decide(inputs, latest.record, now=operation.now()).reason
        if not (known and latest.record.counts_from):
            # The outcome stays indeterminate, or the first rotation did not happen. Reset again.
            reason = reason or pending.reason
        # If the pending reset was applied and nothing else is due, the next one only recovers it.
        # It was if the password that it replaced is dead.
        replaced, tried = state.credentials.password, latest.database.credentials.password
        is_dead = rejected and not changed and tried == replaced and not pending.after_late_read
        applied = pending.applied or bool(replaced and is_dead)
        done = RotationRecord(operation.now(), triggers=pending.triggers)
        applied = applied and not decide(inputs, done, now=operation.now()).rotate
    latest = replace(
        latest,
        rotate_on_delete=inputs.rotate_on_delete,
        engine_inputs_stale=False,  # the engine takes the new inputs with this update
    )
    if reason is None:
        if changed and latest.record.verification:
            _warn(latest.database, latest.record.verification, operation)
        return Resource(id_, to_outputs(replace(latest, pending=None)))
    operations.check_can_be_reset(operation, database, inputs)
    wait()
    # All passwords but the read one are from before the next reset, whichever of them is live now.
    before = replace(latest, earlier=remember(latest.earlier, *latest.displaced), displaced=())
    # Without a read of it nobody knows the password that an applied reset has made.
    unread = bool(state.pending and state.pending.applied and not changed)
    late = rejected or unread or found is Reconciliation.EARLIER
    return _rotate(before, reason, inputs, operation, kept, late=late, applied=applied)


def _rotate(  # noqa: PLR0913  a reset and what is known before it
    before: Snapshot,
    reason: Reason,
    inputs: KnownInputs,
    operation: Operation,
    kept: Kept,
    *,
    late: bool = False,
    applied: bool = False,
) -> Resource:
    """Reset the password, and return the resource with its new credentials.

    Args:
        before: The resource just before the reset, as a read found it.
        reason: Why it rotates.
        inputs: The arguments.
        operation: The context of the call.
        kept: Holds what the state must hold if this fails.
        late: The password in `before` is certainly not the live one.
        applied: An earlier reset for the same reason has certainly happened.

    Raises:
        RotationError: The reset failed. Without a resource in `kept`, nothing has changed.
    """
    state, outputs = before.to_state(), to_outputs(before)
    if late:  # the live password is not known, so another one that a read returns proves no reset
        earlier = remember(state.earlier, *state.fingerprints)
        state = replace(state, credentials=Credentials(), earlier=earlier)
    pending = PendingRotation(reason, inputs.triggers, applied=applied, after_late_read=late)
    id_ = state.database_id

    def keep(state: State) -> None:
        applied = to_outputs(replace(before, earlier=state.earlier))
        if_applied = Resource(id_, with_pending(applied, replace(pending, applied=True)))
        kept.pending(Resource(id_, with_pending(outputs, pending)), if_applied)

    keep(state)
    # The point of no return. From here on, whatever happens, the state gets one of the two.
    rotated, state = operations.reset(
        operation, state, kept, keep, recovers=applied and inputs.verify
    )
    done = Snapshot(
        rotated.database,
        RotationRecord(operation.now(), before.record.count + 1, reason, inputs.triggers),
        earlier=remember(state.earlier, *state.fingerprints),
        rotate_on_delete=inputs.rotate_on_delete,
    )
    kept.complete(Resource(id_, with_new_credentials(outputs, done)))
    if kept.certain:
        operation.run.rotated.add((NAME, id_))
    rotated = operations.with_missing_tokens(operation, rotated, state)
    for attempt in range(MAX_SECOND_READS + 1):
        if attempt:
            operation.sleep(attempt)
            rotated = operations.read_again(operation, state)
        done = replace(done, database=rotated.database.completed_by(before.database))
        kept.complete(Resource(id_, to_outputs(done)))
        verification = _verify(done, state.credentials, inputs, operation)
        if not (rotated.was_read and _rejects(rotated.database, verification)):
            break
        # The database rejects what a read returned. So that read was late.
        kept.incomplete()
    else:
        problem = f"the password of {state.label} was reset, but the database rejects what the API"
        raise operations.NewCredentialsUnknownError(
            f"{problem} returns", "run `pulumi up` again to read it"
        )
    if verification.verified:
        operation.run.rotated.add((NAME, id_))
    _warn(done.database, verification, operation)
    return Resource(id_, to_outputs(_with(done, verification)))


def _prepared(inputs: KnownInputs, operation: Operation) -> Callable[[], object]:
    """Start to load what a verification needs. Return a function that waits until that is done."""
    return operation.account.prepare_to_verify() if inputs.verify else lambda: None


def _verify(
    snapshot: Snapshot, previous: Credentials, inputs: KnownInputs, operation: Operation
) -> Verification:
    """Return the result of a verification, or the reason why there was none."""
    if not inputs.verify:
        return Verification(verified=False, message=VERIFY_IS_FALSE)
    if not snapshot.database.credentials:
        return Verification(verified=False, message=_NOT_KNOWN)
    return operation.account.verify(
        snapshot.database, previous, timeout_seconds=inputs.verify_timeout
    )


def _warn(database: Database, verification: Verification, operation: Operation) -> None:
    if not verification.verified and verification.message not in (VERIFY_IS_FALSE, _NOT_KNOWN):
        operation.reporter.warning(f"{database.label}: {verification.message}")


def _rejects(database: Database, verification: Verification | None) -> bool:
    """Return whether a database rejects its credentials. One whose default user is off does."""
    return bool(verification and verification.rejected) and database.accepts_logins


def _with(snapshot: Snapshot, verification: Verification) -> Snapshot:
    return replace(snapshot, record=replace(snapshot.record, verification=verification))
