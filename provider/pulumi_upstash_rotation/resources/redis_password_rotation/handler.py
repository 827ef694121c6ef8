"""The rules of `RedisPasswordRotation`: decide, call the API, and return the outputs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    InvalidInputError,
    PartialFailureError,
)
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource
from pulumi_upstash_rotation.rotation.decision import Decision, decide, decide_first
from pulumi_upstash_rotation.rotation.inputs import CHECKS as ROTATION_CHECKS
from pulumi_upstash_rotation.rotation.inputs import KnownRotation, find_problems, parse
from pulumi_upstash_rotation.rotation.reconciliation import Reconciliation
from pulumi_upstash_rotation.rotation.record import PendingRotation, RotationRecord
from pulumi_upstash_rotation.rotation.schedule import next_rotation
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.values import Unknown, Verification, format_time, parse_time

from . import operations
from .inputs import CHECKS, KnownInputs, parse_declared, parse_known
from .state import (
    ESSENTIAL,
    SECRET_IN_STATE,
    Snapshot,
    State,
    carried_over,
    parse_state,
    planned_creation,
    planned_update,
    to_outputs,
    with_pending,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_upstash_rotation.upstash.database import Database

_LOG: Final = logging.getLogger(__name__)

NAME: Final = "RedisPasswordRotation"
"""Name of the resource, as programs know it."""


class RedisPasswordRotationHandler:
    """Implements `resources.seam.Handler`."""

    secret_in_state = SECRET_IN_STATE
    essential = ESSENTIAL

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed, and record what the program declares."""
        database_id = arguments.get("database_id")
        if isinstance(database_id, str):
            context.run.declared.add((NAME, database_id))
        return find_problems(CHECKS, arguments)

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether an update is necessary, and report why a reset is due."""
        inputs, state = parse_declared(arguments), parse_state(outputs)
        if inputs.database_id != state.database_id:
            decision = replace(
                decide_first(inputs), uncertain=isinstance(inputs.database_id, Unknown)
            )
            diff = Diff(changes=True, replaces=("database_id",))
        elif state.pending:
            context.reporter.info(
                "the outcome of the last reset is unknown. `pulumi up` will check the database"
            )
            return Diff(changes=True, by_input=False)
        else:
            decision = decide(
                inputs,
                state.record,
                now=context.now(),
                engine_inputs_stale=state.engine_inputs_stale,
            )
            # A deletion sees only the state, so an update must store a changed value.
            must_store = inputs.rotate_on_delete != state.rotate_on_delete
            diff = Diff(changes=decision.rotate or must_store, by_input=decision.by_input)
        _LOG.debug("diff of %s: %s", state.database_id, decision)
        if decision.rotate:
            context.reporter.info(_report_of(decision))
        return diff

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Reset a database's password for the first time, or adopt the current one."""
        if not isinstance(context, Operation):
            return Resource("", planned_creation(parse_declared(arguments)))
        inputs, now = parse_known(arguments), context.now()
        id_, account = inputs.database_id, context.account
        context.run.declared.add((NAME, id_))
        if inputs.verify:
            account.prepare_to_verify()
        decision = decide_first(inputs)
        if decision.rotate:
            database, previous = _first_reset(inputs, decision, context)
        else:
            database, previous = account.api.get_database(id_), Credentials()
            if not database.credentials.password:
                context.reporter.warning(f"the password was adopted, but {operations.NOT_RETURNED}")
        count = 1 if decision.rotate else 0
        record = RotationRecord(now, count, decision.reason, inputs.triggers)
        snapshot = Snapshot(database, record, rotate_on_delete=inputs.rotate_on_delete)
        return Resource(id_, to_outputs(_verified(snapshot, previous, inputs, context)))

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return the outputs as the database is now. It never resets."""
        state = parse_state({"database_id": id_, **outputs})
        try:
            database = operation.account.api.get_database(state.database_id)
        except DatabaseNotFoundError:
            if "schema_version" in outputs:  # a refresh, not `get()`
                return None
            problem = f"cannot read Redis database {id_!r}: the account has no such database (404)"
            raise DatabaseNotFoundError(problem, "nothing has changed", status=404) from None
        _, snapshot = operations.compare(database, state, now=operation.now())
        return Resource(id_, to_outputs(snapshot))

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Resolve a pending rotation, then reset the password if that is due."""
        state, now = parse_state(outputs), context.now()
        if not isinstance(context, Operation):
            planned = parse_declared(arguments)
            due = state.pending or decide(planned, state.record, now=now).rotate
            return Resource(id_, planned_update(outputs, planned, due=bool(due)))
        inputs = parse_known(arguments)
        if inputs.verify:
            context.account.prepare_to_verify()
        resolved = _resolve(state, inputs, context) if state.pending else None
        latest = resolved.to_state() if resolved else state
        reason = decide(inputs, latest.record, now=now).reason
        if state.pending and not (resolved and latest.record.rotated_at):
            # The outcome stays indeterminate, or the first rotation did not happen. Reset again.
            reason = reason or state.pending.reason
        unchanged = to_outputs(resolved) if resolved else carried_over(outputs, inputs)
        if reason is None and resolved and resolved.record != state.record:  # it happened
            verified = _verified(resolved, state.credentials, inputs, context)
            return Resource(id_, to_outputs(verified))
        if reason is None:
            return Resource(id_, unchanged)
        try:
            database = operations.reset(
                context, latest.database_id, previous=latest.credentials.password
            )
        except IndeterminateOutcomeError as error:
            pending = PendingRotation(reason, inputs.triggers)
            raise PartialFailureError(str(error), id_, with_pending(unchanged, pending)) from None
        record = RotationRecord(now, latest.record.count + 1, reason, inputs.triggers)
        done = Snapshot(database, record, rotate_on_delete=inputs.rotate_on_delete)
        return Resource(id_, to_outputs(_verified(done, latest.credentials, inputs, context)))

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """Reset once more if `rotate_on_delete` is set. Otherwise change nothing."""
        state = parse_state(outputs)
        if (NAME, state.database_id) in operation.run.declared:
            return  # its replacement uses the live password
        if state.rotate_on_delete:
            operations.revoke(operation, state)


def next_rotation_at(rotated_at: object, arguments: Mapping[str, Any]) -> str | None:
    """Return the time at which age or schedule makes a rotation due, in RFC 3339 and UTC.

    None without age and schedule. None if an argument is not allowed, which `check()` reports.

    Args:
        rotated_at: The output `rotated_at`.
        arguments: The arguments `rotation_days` and `rotation_schedule`.
    """
    try:
        inputs = parse(KnownRotation, ROTATION_CHECKS, arguments)
    except InvalidInputError:
        return None
    last = parse_time(rotated_at)
    due = last and next_rotation(last, inputs.rotation_days, inputs.rotation_schedule)
    return format_time(due[0]) if due else None


def _first_reset(
    inputs: KnownInputs, decision: Decision, operation: Operation
) -> tuple[Database, Credentials]:
    """Return a database after its first reset, and its previous credentials.

    Raises:
        PartialFailureError: The outcome is indeterminate.
        ApiError: The password has not changed.
    """
    id_ = inputs.database_id
    preflight = operations.preflight_read(operation, id_)
    previous = preflight.credentials
    try:
        database = operations.reset(operation, id_, previous=previous.password)
    except IndeterminateOutcomeError as error:
        assert decision.reason is not None  # noqa: S101  a rotation always has one
        pending = PendingRotation(decision.reason, inputs.triggers)
        known = Snapshot(
            preflight, RotationRecord(), pending, rotate_on_delete=inputs.rotate_on_delete
        )
        raise PartialFailureError(str(error), id_, to_outputs(known)) from None
    return database, previous


def _resolve(state: State, inputs: KnownInputs, operation: Operation) -> Snapshot | None:
    """Resolve a pending rotation by a read. None if its outcome stays indeterminate.

    Raises:
        ApiError: The database could not be read. The rotation stays pending.
    """
    database = operation.account.api.get_database(state.database_id)
    found, snapshot = operations.compare(database, state, now=operation.now())
    if found is Reconciliation.INDETERMINATE:
        return None
    return replace(
        snapshot,
        pending=None,
        rotate_on_delete=inputs.rotate_on_delete,
        engine_inputs_stale=False,  # the engine takes the new inputs with this update
    )


def _verified(
    snapshot: Snapshot, previous: Credentials, inputs: KnownInputs, operation: Operation
) -> Snapshot:
    """Return a snapshot with the result of its verification."""
    if not inputs.verify:
        verification = Verification(verified=False, message="not verified: verify is False")
    elif not snapshot.database.credentials:
        why = "not verified: the new credentials are not known"
        verification = Verification(verified=False, message=why)
    else:
        verification = operation.account.verify(
            snapshot.database, previous, timeout_seconds=inputs.verify_timeout
        )
        if not verification.verified:
            operation.reporter.warning(verification.message)
    return replace(snapshot, record=replace(snapshot.record, verification=verification))


def _report_of(decision: Decision) -> str:
    may = "may be" if decision.uncertain else "is"
    return f"the password {may} due for a reset: {decision.reason}"
