"""The rules of `RedisPasswordRotation`: from a decision to what the state must hold."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    PartialFailureError,
)
from pulumi_upstash_rotation.resources.handler import Context, Diff, Resource
from pulumi_upstash_rotation.rotation.decision import Decision, decide, decide_first
from pulumi_upstash_rotation.rotation.inputs import find_problems
from pulumi_upstash_rotation.rotation.reconciliation import Reconciliation, reconcile
from pulumi_upstash_rotation.rotation.record import PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.values import Unknown, Verification

from . import operations
from .inputs import CHECKS, KnownInputs, parse_declared, parse_known
from .state import (
    SECRET_IN_STATE,
    SECRET_OUTPUTS,
    Snapshot,
    State,
    migrate,
    parse_state,
    planned_outputs,
    to_outputs,
    with_pending,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_upstash_rotation.errors import InvalidInputError
    from pulumi_upstash_rotation.upstash.database import Database

_LOG: Final = logging.getLogger(__name__)


class RedisPasswordRotationHandler:
    """Implements `resources.handler.Handler`."""

    secret_outputs = SECRET_OUTPUTS
    secret_in_state = SECRET_IN_STATE

    def check(self, arguments: Mapping[str, Any]) -> list[InvalidInputError]:
        """Return every argument that is not allowed. Unknown values pass."""
        return find_problems(CHECKS, arguments)

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether an update would reset a password. Outputs alone are no reason."""
        inputs, state = parse_declared(arguments), parse_state(migrate(outputs))
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
            # A deletion sees the state alone, so the state must learn of a change.
            remember = inputs.rotate_on_delete != state.rotate_on_delete
            diff = Diff(changes=decision.rotate or remember, by_input=decision.by_input)
        _LOG.debug("diff of %s: %s", state.database_id, decision)
        if decision.rotate:
            context.reporter.info(_announcement(decision))
        return diff

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Reset the password of a database for the first time, or adopt it as it is."""
        if context.account is None:
            id_ = parse_declared(arguments).database_id
            return Resource("", planned_outputs({}, id_))
        inputs, account = parse_known(arguments), context.account
        id_ = inputs.database_id
        context.run.created.add(id_)
        if inputs.verify:
            account.prepare_to_verify()
        decision, now = decide_first(inputs), context.now()
        if decision.rotate:
            database, previous = _first_reset(inputs, decision, context)
        else:
            database, previous = account.api.get_database(id_), Credentials()
            if not database.credentials.password:
                context.reporter.warning(f"the password was adopted, but {operations.NOT_SHOWN}")
        count = 1 if decision.rotate else 0
        record = RotationRecord(now, count, decision.reason, inputs.triggers)
        snapshot = Snapshot(database, record, rotate_on_delete=inputs.rotate_on_delete)
        return Resource(id_, to_outputs(_verified(snapshot, previous, inputs, context)))

    def read(self, id_: str, outputs: Mapping[str, Any], context: Context) -> Resource | None:
        """Bring the outputs up to date with the database. It never resets."""
        stored = migrate(outputs)
        state = parse_state({"database_id": id_, **stored})
        try:
            database = context.carry_out().api.get_database(state.database_id)
        except DatabaseNotFoundError:
            if "schema_version" in stored:  # a refresh, and not the read of `get`
                return None
            problem = f"cannot read Redis database {id_!r}: the account has no such database (404)"
            raise DatabaseNotFoundError(problem, "nothing has changed", status=404) from None
        snapshot = operations.compare(database, state, now=context.now())
        return Resource(id_, to_outputs(snapshot))

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Resolve a pending rotation, then reset the password if that is due."""
        stored = migrate(outputs)
        stored.pop("engine_inputs_stale", None)  # the engine takes the new inputs with this update
        state = parse_state(stored)
        if context.account is None:
            return _planned_update(id_, stored, arguments, context)
        inputs, account, now = parse_known(arguments), context.account, context.now()
        if inputs.verify:
            account.prepare_to_verify()
        unchanged = {**stored, "rotate_on_delete": inputs.rotate_on_delete}
        must_reset: Reason | None = None
        if state.pending:
            must_reset, resolved = state.pending.reason, _resolve(state, inputs, context)
            if resolved:
                unchanged, state = to_outputs(resolved), resolved.to_state()
                # Without a first rotation, nobody may know the live password.
                must_reset = None if state.record.rotated_at else must_reset
        reason = decide(inputs, state.record, now=now).reason or must_reset
        if reason is None:
            return Resource(id_, unchanged)
        try:
            database = operations.reset(
                account, context.reporter, state.database_id, previous=state.credentials.password
            )
        except IndeterminateOutcomeError as error:
            pending = PendingRotation(reason, inputs.triggers)
            raise PartialFailureError(str(error), id_, with_pending(unchanged, pending)) from None
        record = RotationRecord(now, state.record.count + 1, reason, inputs.triggers)
        done = Snapshot(database, record, rotate_on_delete=inputs.rotate_on_delete)
        return Resource(id_, to_outputs(_verified(done, state.credentials, inputs, context)))

    def delete(self, outputs: Mapping[str, Any], context: Context) -> None:
        """Leave the database alone, unless the program asked for a last reset."""
        state = parse_state(migrate(outputs))
        if state.database_id in context.run.created:
            return  # replaced: the live password is the replacement's, reset or adopted
        if state.rotate_on_delete:
            operations.revoke(context.carry_out(), context.reporter, state)


def _first_reset(
    inputs: KnownInputs, decision: Decision, context: Context
) -> tuple[Database, Credentials]:
    """Return a database after its first reset, and its credentials before.

    Raises:
        PartialFailureError: The outcome is indeterminate.
        ApiError: The password has not changed.
    """
    account, id_ = context.carry_out(), inputs.database_id
    before = operations.preflight_read(account, id_)
    previous = before.credentials
    try:
        database = operations.reset(account, context.reporter, id_, previous=previous.password)
    except IndeterminateOutcomeError as error:
        assert decision.reason is not None  # noqa: S101  a rotation always has one
        pending = PendingRotation(decision.reason, inputs.triggers)
        known = Snapshot(
            before, RotationRecord(), pending, rotate_on_delete=inputs.rotate_on_delete
        )
        raise PartialFailureError(str(error), id_, to_outputs(known)) from None
    return database, previous


def _planned_update(
    id_: str, stored: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
) -> Resource:
    """Return a resource as an update will leave it, as far as a preview can know."""
    inputs, state = parse_declared(arguments), parse_state(stored)
    outputs = {**stored, "rotate_on_delete": inputs.rotate_on_delete}
    due = state.pending or decide(inputs, state.record, now=context.now()).rotate
    return Resource(id_, planned_outputs(outputs, state.database_id) if due else outputs)


def _resolve(state: State, inputs: KnownInputs, context: Context) -> Snapshot | None:
    """Return what is true after a pending rotation. None: its outcome stays indeterminate.

    Raises:
        ApiError: The database could not be read. The rotation stays pending.
    """
    account = context.carry_out()
    database = account.api.get_database(state.database_id)
    live, stored = database.credentials.password, state.credentials.password
    if reconcile(stored, live) is Reconciliation.INDETERMINATE:
        return None
    found = operations.compare(database, state, now=context.now())
    found = replace(
        found,
        pending=None,
        rotate_on_delete=inputs.rotate_on_delete,
        engine_inputs_stale=False,
    )
    happened = found.record.count > state.record.count
    return _verified(found, state.credentials, inputs, context) if happened else found


def _verified(
    snapshot: Snapshot, previous: Credentials, inputs: KnownInputs, context: Context
) -> Snapshot:
    """Return a snapshot with what the database itself answers, if it is to be tried."""
    if not inputs.verify:
        verification = Verification(verified=False, message="not verified: verify is False")
    elif not snapshot.database.credentials:
        why = "not verified: the new credentials are not known"
        verification = Verification(verified=False, message=why)
    else:
        verification = context.carry_out().verify(
            snapshot.database, previous, timeout_seconds=inputs.verify_timeout
        )
        if not verification.verified:
            context.reporter.warning(verification.message)
    return replace(snapshot, record=replace(snapshot.record, verification=verification))


def _announcement(decision: Decision) -> str:
    may = "may be" if decision.uncertain else "is"
    return f"the password {may} due for a reset: {decision.reason}"
