"""Operations on a database: preflight read, reset, compare, revoke."""

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
    "the password may have changed. Run `pulumi up` again. It checks the database and resets again "
    "if needed"
)
NOT_RETURNED: Final = (
    "the API does not return it (Credential Protection, or the type of account). Password, tokens "
    "and redis_url are None"
)


def preflight_read(operation: Operation, database_id: str) -> Database:
    """Read a database before its first reset, to know the previous password.

    Raises:
        ApiError: There is no such database, it could not be read, or it cannot be reset. Nothing
            has changed.
    """
    database = operation.account.api.get_database(database_id)
    if database.state == "suspended":
        raise ApiError(
            f"Redis database {database_id!r} is suspended and cannot be reset",
            "nothing has changed. Resume it in the Upstash console first",
        )
    return database


def reset(operation: Operation, database_id: str, *, previous: str | None) -> Database:
    """Reset a database's password and return it with its new credentials.

    The documented response has no credentials. If they are missing, this function reads the
    database. It never raises after a reset that happened.

    Args:
        operation: The context of the call.
        database_id: Id of the database.
        previous: The previous password. None if it is not known.

    Raises:
        IndeterminateOutcomeError: The password may have changed.
        ApiError: The password has not changed.
    """
    database = _reset_until_known(operation, database_id, previous)
    if database.credentials.password:
        return database
    try:
        database = _read_new(operation, database_id, previous)
    except ApiError as error:
        operation.reporter.warning(
            f"the password was reset, but the new one could not be read ({error.problem}). "
            "Run `pulumi refresh`"
        )
    else:
        if not database.credentials.password:
            operation.reporter.warning(f"the password was reset, but {NOT_RETURNED}")
    return database


def _read_new(operation: Operation, database_id: str, previous: str | None) -> Database:
    """Return a database after a reset whose response had no password.

    Raises:
        ApiError: The read failed, or the API still returns the previous password.
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
        last = ApiError("the API still returns the previous one")
    raise last


def _reset_until_known(operation: Operation, database_id: str, previous: str | None) -> Database:
    """Reset until a reset has certainly happened, at most `MAX_RESETS` times.

    | response           | live password                | outcome                         |
    | ------------------ | ---------------------------- | ------------------------------- |
    | readable           |                              | happened                        |
    | rejected           |                              | this reset did not happen       |
    | any other, or none | not the previous one         | happened                        |
    | any other, or none | the previous one             | did not happen, so reset again  |
    | unreadable success | returned, previous not known | happened                        |
    | any other, or none | any other case               | indeterminate, so reset again   |

    A rejected reset raises. The error is indeterminate if the reset before it was. After an
    indeterminate outcome a reset is safe. Only a password that nobody knows locks users out.
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
            if indeterminate:  # the API rejected this reset, but may have applied the one before
                raise IndeterminateOutcomeError(error.problem, MAY_HAVE_CHANGED) from None
            raise
        operation.reporter.info(
            f"{last.problem}. Reading the database to check whether the password changed"
        )
        database = _read_or_none(operation, database_id)
        live = database.credentials.password if database else None
        found = reconcile(previous, live)
        # A reset with an unreadable success was applied. So any live password is the new one.
        only_new_is_known = isinstance(last, UnreadableResponseError) and not previous
        if database and live and (found is Reconciliation.CHANGED or only_new_is_known):
            return database
        indeterminate = found is Reconciliation.INDETERMINATE
    if indeterminate:
        raise IndeterminateOutcomeError(last.problem, MAY_HAVE_CHANGED)
    raise ApiError(last.problem, "a read of the database shows that the password has not changed")


def _read_or_none(operation: Operation, database_id: str) -> Database | None:
    try:
        return operation.account.api.get_database(database_id)
    except ApiError:
        return None


def compare(database: Database, state: State, *, now: datetime) -> tuple[Reconciliation, Snapshot]:
    """Compare the live password with the stored one, and return the new snapshot.

    If they differ, the pending rotation has happened. Without a pending rotation a user has reset
    the password outside Pulumi. If the API returns no credentials, the snapshot keeps the stored
    ones.
    """
    record, pending = state.record, state.pending
    live, stored = database.credentials.password, state.credentials.password
    found = reconcile(stored, live)
    not_tried = Verification(verified=False, message="not verified: a refresh found this password")
    stale = state.engine_inputs_stale
    if found is Reconciliation.CHANGED and pending:
        stale = True  # the engine still holds the inputs of the rotation before
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
    """Reset a database's password if it is the stored one. The stored password is then useless.

    Any other live password stays, because the replacement of this resource may use it.

    Raises:
        ApiError: The reset failed. The text states whether the password may have changed.
    """
    api = operation.account.api
    try:
        live = api.get_database(state.database_id).credentials.password
    except DatabaseNotFoundError:
        return
    match reconcile(state.credentials.password, live):
        case Reconciliation.SAME:
            with contextlib.suppress(UnreadableResponseError):  # the API has applied the reset
                api.reset_password(state.database_id)
        case Reconciliation.INDETERMINATE:
            operation.reporter.warning(
                f"the password of Redis database {state.database_id!r} was not reset although "
                "rotate_on_delete is True. The live or the stored password is not known, so the "
                "provider cannot compare them"
            )
