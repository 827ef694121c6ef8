"""What a rotation does to a database: preflight read, reset, compare, revoke."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.errors import (
    ApiError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.rotation.reconciliation import Reconciliation, reconcile
from pulumi_upstash_rotation.rotation.record import Cause, Reason, RotationRecord
from pulumi_upstash_rotation.values import Verification

from .state import Snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from pulumi_upstash_rotation.resources.seam import Operation
    from pulumi_upstash_rotation.upstash.database import Database

    from .state import State

MAX_RESETS: Final = 3
MAX_READS: Final = 4
MAY_HAVE_CHANGED: Final = (
    "the password may have changed. Run `pulumi up` again: it checks the database and resets again "
    "if needed"
)
NOT_SHOWN: Final = (
    "the API does not show it (Credential Protection, or the type of account), so password, tokens "
    "and redis_url are None"
)


def preflight_read(operation: Operation, database_id: str) -> Database:
    """Read a database before its first reset. An indeterminate outcome is compared with it.

    Raises:
        ApiError: There is no such database, it could not be read, or it cannot be reset. Nothing
            has changed.
    """
    database = operation.account.api.get_database(database_id)
    if database.state == "suspended":
        raise ApiError(
            f"Redis database {database_id!r} is suspended and cannot be reset",
            "nothing has changed: resume it in the Upstash console first",
        )
    return database


def reset(operation: Operation, database_id: str, *, previous: str | None) -> Database:
    """Reset a database's password and return it with its new credentials.

    The documented response has no credentials. If they are missing, a read follows. After a reset
    that happened, nothing raises.

    Args:
        operation: What surrounds the call.
        database_id: Which database.
        previous: The previous password, where it is known.

    Raises:
        IndeterminateOutcomeError: It is unknown whether the password has changed.
        ApiError: The password has not changed.
    """
    database = _reset_until_known(operation, database_id, previous)
    if database.credentials.password:
        return database
    try:
        database = _read_new(operation, database_id, previous)
    except ApiError as error:
        operation.reporter.warning(
            "the password was reset, but the new one could not be read. Run `pulumi refresh`. "
            f"({error.problem})"
        )
    else:
        if not database.credentials.password:
            operation.reporter.warning(f"the password was reset, but {NOT_SHOWN}")
    return database


def _read_new(operation: Operation, database_id: str, previous: str | None) -> Database:
    """Return a database after a reset whose response had no password.

    Raises:
        ApiError: It could not be read, or the API still shows the previous password.
    """
    for attempt in range(MAX_READS):
        if attempt:
            operation.sleep(attempt)
        try:
            database = operation.account.api.get_database(database_id)
        except UnreadableResponseError as error:
            last: ApiError = error
            continue
        if reconcile(previous, database.credentials.password) is not Reconciliation.SAME:
            return database
        last = ApiError("the API still shows the previous one")
    raise last


def _reset_until_known(operation: Operation, database_id: str, previous: str | None) -> Database:
    """Reset until it is known to have happened, `MAX_RESETS` times at most.

    | response           | live password          | so                                       |
    | ------------------ | ---------------------- | ---------------------------------------- |
    | readable           |                        | it happened                              |
    | rejected           |                        | it did not happen; raised. Indeterminate |
    |                    |                        | if an earlier attempt was                |
    | any other, or none | not the previous one   | it happened                              |
    | any other, or none | the previous one       | it did not happen; reset again           |
    | unreadable success | shown, no previous one | it happened                              |
    | any other, or none | any other case         | reset again: only a password that nobody |
    |                    |                        | knows locks users out                    |
    """
    indeterminate = False
    for attempt in range(MAX_RESETS):
        if attempt:
            operation.sleep(attempt)
        try:
            return operation.account.api.reset_password(database_id)
        except (UnreadableResponseError, IndeterminateOutcomeError, ServerError) as error:
            last = error
        except ApiError as error:
            if indeterminate:  # this attempt was rejected; the one before may have been applied
                raise IndeterminateOutcomeError(error.problem, MAY_HAVE_CHANGED) from None
            raise
        operation.reporter.info(
            f"{last.problem}. Reading the database to check whether the password changed"
        )
        database = _read_back(operation, database_id)
        live = database.credentials.password if database else None
        found = reconcile(previous, live)
        # An unreadable success was applied: with nothing to compare, the live password is the new.
        only_new_is_known = isinstance(last, UnreadableResponseError) and not previous
        if database and live and (found is Reconciliation.CHANGED or only_new_is_known):
            return database
        indeterminate = found is Reconciliation.INDETERMINATE
    if indeterminate:
        raise IndeterminateOutcomeError(last.problem, MAY_HAVE_CHANGED)
    raise ApiError(last.problem, "a read of the database shows that the password has not changed")


def _read_back(operation: Operation, database_id: str) -> Database | None:
    try:
        return operation.account.api.get_database(database_id)
    except ApiError:
        return None


def compare(database: Database, state: State, *, now: datetime) -> tuple[Reconciliation, Snapshot]:
    """Compare the live password with the stored one, and return what is true now.

    Another password comes from the pending rotation, or from a reset outside Pulumi. Where the API
    shows no credentials, the stored ones are all that is known.
    """
    record, pending = state.record, state.pending
    live, stored = database.credentials.password, state.credentials.password
    found = reconcile(stored, live)
    not_tried = Verification(verified=False, message="not verified: found by a refresh")
    stale = state.engine_inputs_stale
    if found is Reconciliation.CHANGED and pending:
        stale = True  # the engine holds the inputs from before the pending rotation
        record = RotationRecord(now, record.count + 1, pending.reason, pending.triggers, not_tried)
        pending = None
    elif found is Reconciliation.CHANGED:
        external = Reason(Cause.EXTERNAL)
        record = replace(record, rotated_at=now, reason=external, verification=not_tried)
    else:
        completed = database.credentials.completed_by(state.credentials)
        database = database.with_credentials(completed)
        if live and not stored:
            record = replace(record, verification=not_tried)
    return found, Snapshot(
        database,
        record,
        pending,
        rotate_on_delete=state.rotate_on_delete,
        engine_inputs_stale=stale,
    )


def revoke(operation: Operation, state: State) -> None:
    """Reset a database's password so that nobody knows it, if it is the stored one.

    Another live password stays: the replacement of this resource may use it.

    Raises:
        ApiError: The password has not changed, or that is unknown. The text states which.
    """
    api = operation.account.api
    try:
        live = api.get_database(state.database_id).credentials.password
    except DatabaseNotFoundError:
        return
    match reconcile(state.credentials.password, live):
        case Reconciliation.SAME:
            with contextlib.suppress(UnreadableResponseError):  # it was applied, and that is enough
                api.reset_password(state.database_id)
        case Reconciliation.INDETERMINATE:
            operation.reporter.warning(
                f"the password of Redis database {state.database_id!r} was not reset although "
                "rotate_on_delete is True. The live or the stored password is not known, so the "
                "provider cannot tell whether this resource set it"
            )
