"""The rules of `RedisPasswordRotation`: decide, call the API, and return the outputs."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    DatabaseNotFoundError,
    InvalidInputError,
    RotationError,
)
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource
from pulumi_upstash_rotation.resources.secured import secured
from pulumi_upstash_rotation.rotation.decision import Decision, decide, decide_first
from pulumi_upstash_rotation.rotation.inputs import find_problems
from pulumi_upstash_rotation.rotation.reconciliation import (
    Reconciliation,
)
from pulumi_upstash_rotation.upstash.credentials import database_label
from pulumi_upstash_rotation.values import UNKNOWN, Unknown, format_time

from . import changes, operations
from .inputs import CHECKS, NAME, DeclaredInputs, parse_declared, parse_known
from .state import (
    ESSENTIAL,
    SECRET_IN_STATE,
    State,
    parse_state,
    planned_creation,
    planned_update,
    taken_over,
    to_outputs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_upstash_rotation.resources.secured import Kept

_LOG: Final = logging.getLogger(__name__)

CLOCK_TOLERANCE: Final = timedelta(hours=1)
"""A last rotation may be dated so much later than now, because clocks differ."""
DUPLICATE: Final = (
    "is the database of another resource in this program. Each rotation would revoke the other's "
    "password. Keep one; this resource has changed nothing"
)


class RedisPasswordRotationHandler:
    """Implements `resources.seam.Handler`."""

    secret_in_state = SECRET_IN_STATE
    essential = ESSENTIAL

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed, and record what the program declares.

        The program finds most duplicates before. It cannot see what a transform has changed.
        """
        context.run.declared.add(_key(arguments))
        problems = find_problems(CHECKS, arguments)
        if not problems and not _claimed(arguments, context):
            problems.append(InvalidInputError("database_id", DUPLICATE))
        return problems

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether an update is necessary, and report the reason.

        Raises:
            RotationError: A reset is due, and the database was suspended when it was last read.
        """
        inputs, state = parse_declared(arguments), parse_state(outputs)
        if inputs.database_id != state.database_id:
            decision = replace(
                decide_first(inputs), uncertain=isinstance(inputs.database_id, Unknown)
            )
            diff = Diff(changes=True, replaces=("database_id",))
        elif state.pending:
            context.reporter.info(
                f"the outcome of the last reset of {state.label} is unknown. "
                "`pulumi up` will check the database"
            )
            return Diff(changes=True, by_input=False)
        elif state.imported:
            return _diff_of_import(inputs, state, context)
        else:
            decision = decide(inputs, state.record, now=context.now())
            # A deletion sees only the state, so an update must store a changed value.
            must_store = inputs.rotate_on_delete != state.rotate_on_delete
            by_input = decision.by_input and not state.engine_inputs_stale
            diff = Diff(changes=decision.rotate or must_store, by_input=by_input)
            _report_clock(inputs, state, context)
            if decision.rotate and state.suspended:
                context.run.failed.add(_key(arguments))
                raise RotationError(_suspended(state))
        _LOG.debug("diff of %s: %s", state.database_id, decision)
        if decision.rotate:
            context.reporter.info(_report_of(decision, _label(inputs, state)))
        return diff

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Reset a database's password for the first time, or adopt the current one."""
        if not isinstance(context, Operation):
            return Resource("", planned_creation(parse_declared(arguments)))
        operation = context

        def call(kept: Kept) -> Resource:
            with _recorded(operation, arguments):
                return changes.create(parse_known(arguments), operation, kept)

        return secured(operation.reporter, call)

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return the outputs as the database is now. It never resets."""
        state = parse_state({"database_id": id_, **outputs})
        if "schema_version" not in outputs:  # an import, or `get()`: the program uses the password
            # The first versions wrote no version, but more than the id.
            known = {name for name, value in outputs.items() if value is not None}
            state = replace(state, imported=known <= {"database_id"})
            operation.run.declared.add((NAME, id_))
        try:
            database = operation.account.api.get_database(state.database_id, state.database_name)
        except DatabaseNotFoundError:
            if "schema_version" in outputs:  # a refresh, not an import or `get()`
                operations.confirm_deletion(operation, outputs, state)
                return None
            problem = f"cannot read Redis database {id_!r}: the account has no such database (404)"
            raise DatabaseNotFoundError(problem, "nothing has changed", status=404) from None
        found, snapshot = operations.compare(database, state, now=operation.now())
        late = found is Reconciliation.EARLIER
        stored = state.credentials.password
        if late and not state.pending and operations.is_live(operation, database, state):
            # The state's own password came from a late read that no login could check.
            late, state = False, state.without_earlier(database.credentials.password)
            _, snapshot = operations.compare(database, state, now=operation.now())
        elif stored and snapshot.database.credentials.password != stored and state.verifies:
            late = operations.is_rejected(operation, database)
        if late:
            operation.reporter.warning(
                f"the API returned a password of {state.label} that is not the live one. The state "
                "keeps its own. Run `pulumi refresh` again later"
            )
            kept = database.with_credentials(state.credentials)
            _, snapshot = operations.compare(kept, state, now=operation.now())
        return Resource(id_, to_outputs(snapshot))

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Resolve a pending rotation, then reset the password if that is due."""
        if not isinstance(context, Operation):
            state, planned = parse_state(outputs), parse_declared(arguments)
            if state.imported:
                return Resource(id_, taken_over(outputs, planned, UNKNOWN))
            due = state.pending or decide(planned, state.record, now=context.now()).rotate
            return Resource(id_, planned_update(outputs, planned, due=bool(due)))
        operation = context

        def call(kept: Kept) -> Resource:
            with _recorded(operation, arguments):
                return changes.update(id_, outputs, parse_known(arguments), operation, kept)

        return secured(operation.reporter, call)

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """Reset once more if `rotate_on_delete` is set. Otherwise change nothing.

        The engine has checked every resource that the program declares. If one of them rotates the
        same database, its password must stay.

        Raises:
            RotationError: The password should be reset, and this run cannot do it safely.
        """
        state, run = parse_state(outputs), operation.run
        if not state.rotate_on_delete:
            return
        key = (NAME, state.database_id)
        if key in run.rotated:
            return  # that reset has made the stored password useless
        if key in run.failed:
            raise RotationError(
                f"{state.label} is not deleted, because rotate_on_delete is True and its other "
                "resource in this program has failed; nothing has changed. Run `pulumi up` again"
            )
        if key in run.declared:
            operation.reporter.warning(
                f"the password of {state.label} was not reset although rotate_on_delete is True, "
                "because the program still declares a rotation of this database"
            )
            return
        operations.revoke(operation, outputs, state)


def _diff_of_import(inputs: DeclaredInputs, state: State, context: Context) -> Diff:
    """Return whether the program declares more than the id. That is stored without a reset."""
    declares = bool(
        isinstance(inputs.triggers, Unknown)
        or inputs.triggers
        or inputs.rotation_days is not None
        or inputs.rotation_schedule is not None
        or inputs.rotate_on_delete != state.rotate_on_delete
    )
    if declares:
        context.reporter.info(
            f"{state.label} was imported. The update stores its triggers, age and schedule. It "
            "resets nothing"
        )
    return Diff(changes=declares)


def _key(arguments: Mapping[str, Any]) -> tuple[str, str]:
    return NAME, str(arguments.get("database_id"))


def _claimed(arguments: Mapping[str, Any], context: Context) -> bool:
    """Return whether no other resource of this run declares the database."""
    known = isinstance(arguments.get("database_id"), str)
    return not known or context.run.claim(_key(arguments), context.resource)


@contextlib.contextmanager
def _recorded(operation: Operation, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Record in the run that it declares a database, and whether the call failed.

    Raises:
        InvalidInputError: Another resource declares the database.
    """
    run, key = operation.run, _key(arguments)
    run.declared.add(key)
    if not _claimed(arguments, operation):
        raise InvalidInputError("database_id", DUPLICATE)
    try:
        yield
    except BaseException:
        run.failed.add(key)
        raise
    run.failed.discard(key)


def _label(inputs: DeclaredInputs, state: State) -> str:
    """Return what a message calls the declared database."""
    if inputs.database_id == state.database_id:
        return state.label
    if isinstance(inputs.database_id, Unknown):
        return "another Redis database"
    return database_label(inputs.database_id, None)


def _suspended(state: State) -> str:
    return (
        f"{state.label} {operations.SUSPENDED_DATABASE}; {operations.HOW_TO_RESUME}, then run "
        "`pulumi refresh`"
    )


def _report_clock(inputs: DeclaredInputs, state: State, context: Context) -> None:
    """Warn if the last rotation is dated later than now, because none is due until then."""
    last = state.record.counts_from
    by_time = inputs.rotation_days is not None or inputs.rotation_schedule is not None
    if by_time and last and last - context.now() > CLOCK_TOLERANCE:
        context.reporter.warning(
            f"the last rotation of {state.label} is dated {format_time(last)}, "
            "later than this machine's clock. Age and schedule count from that date. "
            "A new trigger rotates at once"
        )


def _report_of(decision: Decision, label: str) -> str:
    may = "may be" if decision.uncertain else "is"
    return f"the password of {label} {may} due for a reset: {decision.reason}"
