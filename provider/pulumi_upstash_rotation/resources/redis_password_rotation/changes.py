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
    fingerprint,
    remember,
)
from pulumi_upstash_rotation.rotation.record import PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.values import Verification

from . import operations
from .inputs import NAME
from .state import (
    Snapshot,
    carried_over,
    parse_state,
    to_outputs,
    with_new_credentials,
    with_pending,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_upstash_rotation.resources.seam import Operation
    from pulumi_upstash_rotation.resources.secured import Kept

    from .inputs import KnownInputs

MAX_SECOND_READS: Final = 3
"""Number of further reads if the database rejects the credentials that a read returned."""


def create(inputs: KnownInputs, operation: Operation, kept: Kept) -> Resource:
    """Reset a database's password for the first time, or adopt the current one.

    Raises:
        RotationError: It failed. Without a resource in `kept`, nothing has changed.
    """
    wait = _prepared(inputs, operation)
    decision, id_ = decide_first(inputs), inputs.database_id
    if not decision.rotate:
        return _adopt(inputs, decision, operation)
    assert decision.reason is not None  # noqa: S101  a rotation always has one
    before = Snapshot(
        operations.preflight_read(operation, id_),
        RotationRecord(),
        rotate_on_delete=inputs.rotate_on_delete,
    )
    wait()
    return _rotate(before, decision.reason, inputs, operation, kept)


def _adopt(inputs: KnownInputs, decision: Decision, operation: Operation) -> Resource:
    database = operation.account.api.get_database(inputs.database_id)
    if not database.credentials.password:
        operation.reporter.warning(f"the password was adopted, but {operations.NOT_RETURNED}")
    record = RotationRecord(
        reason=decision.reason, triggers=inputs.triggers, adopted_at=operation.now()
    )
    snapshot = Snapshot(database, record, rotate_on_delete=inputs.rotate_on_delete)
    verified = _with(snapshot, _verify(snapshot, Credentials(), inputs, operation))
    return Resource(inputs.database_id, to_outputs(verified))


def update(
    id_: str, outputs: Mapping[str, Any], inputs: KnownInputs, operation: Operation, kept: Kept
) -> Resource:
    """Resolve a pending rotation, then reset the password if that is due.

    Raises:
        RotationError: It failed. Without a resource in `kept`, nothing has changed.
    """
    state = parse_state(outputs)
    reason = decide(inputs, state.record, now=operation.now()).reason
    if not state.pending and reason is None:
        return Resource(id_, carried_over(outputs, inputs))
    wait = _prepared(inputs, operation)
    database = operation.account.api.get_database(state.database_id, state.database_name)
    found, latest = operations.compare(database, state, now=operation.now())
    latest = replace(
        latest,
        rotate_on_delete=inputs.rotate_on_delete,
        engine_inputs_stale=False,  # the engine takes the new inputs with this update
    )
    if state.pending:
        known = found is Reconciliation.CHANGED or (
            found is Reconciliation.SAME and not _is_rejected(latest, inputs, operation)
        )
        reason = decide(inputs, latest.record, now=operation.now()).reason
        if not (known and latest.record.counts_from):
            # The outcome stays indeterminate, or the first rotation did not happen. Reset again.
            reason = reason or state.pending.reason
    if reason is None:
        latest = replace(latest, pending=None)
        if found is Reconciliation.CHANGED:  # the pending rotation happened
            latest = _with(latest, _verify(latest, state.credentials, inputs, operation))
        return Resource(id_, to_outputs(latest))
    if latest.to_state().suspended:
        raise ApiError(f"{state.label} {operations.SUSPENDED_DATABASE}", operations.HOW_TO_RESUME)
    wait()
    return _rotate(latest, reason, inputs, operation, kept)


def _rotate(
    before: Snapshot,
    reason: Reason,
    inputs: KnownInputs,
    operation: Operation,
    kept: Kept,
) -> Resource:
    """Reset the password, and return the resource with its new credentials.

    Args:
        before: The resource just before the reset, as a read found it.
        reason: Why it rotates.
        inputs: The arguments.
        operation: The context of the call.
        kept: Holds what the state must hold if this fails.

    Raises:
        RotationError: The reset failed. Without a resource in `kept`, nothing has changed.
    """
    state, outputs = before.to_state(), to_outputs(before)
    pending = PendingRotation(reason, inputs.triggers)
    id_ = state.database_id
    if_applied = Resource(id_, with_pending(outputs, replace(pending, applied=True)))
    kept.pending(Resource(id_, with_pending(outputs, pending)))
    # The point of no return. From here on, whatever happens, the state gets one of the two.
    try:
        rotated = operations.reset(operation, state, kept)
    except operations.NewCredentialsUnknownError:
        kept.pending(if_applied)
        raise
    replaced = [state.credentials.password] if state.credentials.password else []
    done = Snapshot(
        rotated.database,
        RotationRecord(operation.now(), before.record.count + 1, reason, inputs.triggers),
        earlier=remember(
            before.earlier, *(fingerprint(state.database_id, password) for password in replaced)
        ),
        rotate_on_delete=inputs.rotate_on_delete,
    )
    kept.complete(Resource(id_, with_new_credentials(outputs, done)))
    operation.run.rotated.add((NAME, id_))
    done = replace(done, database=done.database.completed_by(before.database))
    kept.complete(Resource(id_, to_outputs(done)))
    verification = _verify(done, state.credentials, inputs, operation)
    for _ in range(MAX_SECOND_READS):
        # The database rejects what a read returned. So that read may have been late.
        again = operations.read_again(operation, state, rotated) if verification.rejected else None
        if again is None:
            break
        rotated, done = again, replace(done, database=again.database)
        kept.complete(Resource(id_, to_outputs(done)))
        verification = _verify(done, state.credentials, inputs, operation)
    if inputs.verify and not verification.verified:
        operation.reporter.warning(verification.message)
    return Resource(id_, to_outputs(_with(done, verification)))


def _prepared(inputs: KnownInputs, operation: Operation) -> Callable[[], None]:
    """Start to load what a verification needs. Return a function that waits until that is done."""
    return operation.account.prepare_to_verify() if inputs.verify else lambda: None


def _is_rejected(snapshot: Snapshot, inputs: KnownInputs, operation: Operation) -> bool:
    """Return whether the database rejects a password that a read returned. The read was late then.

    It is not tried if `verify` is False.
    """
    if not inputs.verify:
        return False
    return operation.account.verify(
        snapshot.database, Credentials(), timeout_seconds=operations.TRY_SECONDS
    ).rejected


def _verify(
    snapshot: Snapshot, previous: Credentials, inputs: KnownInputs, operation: Operation
) -> Verification:
    """Return the result of a verification, or the reason why there was none."""
    if not inputs.verify:
        return Verification(verified=False, message="not verified: verify is False")
    if not snapshot.database.credentials:
        why = "not verified: the new credentials are not known"
        return Verification(verified=False, message=why)
    return operation.account.verify(
        snapshot.database, previous, timeout_seconds=inputs.verify_timeout
    )


def _with(snapshot: Snapshot, verification: Verification) -> Snapshot:
    return replace(snapshot, record=replace(snapshot.record, verification=verification))
