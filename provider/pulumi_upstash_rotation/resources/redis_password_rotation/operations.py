"""Operations on a database: preflight read, reset, compare, revoke."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    ApiError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.resources import databases
from pulumi_upstash_rotation.resources.secured import MAY_HAVE_CHANGED
from pulumi_upstash_rotation.rotation.reconciliation import (
    Reconciliation,
    fingerprint,
    remember,
)
from pulumi_upstash_rotation.rotation.record import Cause, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.values import Verification

from .inputs import NAME
from .state import Snapshot, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pulumi_upstash_rotation.resources.seam import Operation
    from pulumi_upstash_rotation.resources.secured import Kept
    from pulumi_upstash_rotation.upstash.database import Database
    from pulumi_upstash_rotation.upstash.response import Reading

    from .inputs import KnownInputs

MAX_RESETS: Final = 3
MAX_READS: Final = 6
"""Reads after a reset. With the waits between them they allow for a read that is 15 s late."""
TRY_SECONDS: Final = 5.0
"""Maximum time of the login that finds out whether a stored password is live."""
NOT_RETURNED: Final = (
    "the API does not return it (Credential Protection, or the type of account). Password, tokens "
    "and redis_url are None"
)
SUSPENDED_DATABASE: Final = "is suspended and cannot be reset"
HOW_TO_RESUME: Final = "nothing has changed. Resume it in the Upstash console first"


class NewCredentialsUnknownError(IndeterminateOutcomeError):
    """The API has applied a reset, but the new credentials could not be read."""


@dataclass(frozen=True)
class Rotated:
    """A database after a reset.

    Attributes:
        database: The database with its new credentials, as far as they are known.
        was_read: Whether the credentials are from a read. The response to the reset had none.
    """

    database: Database
    was_read: bool = False


def preflight_read(operation: Operation, inputs: KnownInputs) -> Database:
    """Read a database before a reset, to know the password that the reset replaces.

    What the state holds may be out of date, because a user may have reset the password since then.

    Raises:
        ApiError: There is no such database, it could not be read, or it cannot be reset. Nothing
            has changed.
    """
    database = operation.account.api.get_database(inputs.database_id)
    check_can_be_reset(operation, database, inputs)
    return database


def check_can_be_reset(operation: Operation, database: Database, inputs: KnownInputs) -> None:
    """Check that a database, as the preflight read found it, can and may be reset.

    Raises:
        ApiError: The database is suspended, or its required credentials are hidden or not the live
            ones. Nothing has changed.
    """
    if database.state == databases.SUSPENDED:
        raise ApiError(f"{database.label} {SUSPENDED_DATABASE}", HOW_TO_RESUME)
    if not inputs.require_credentials:
        return
    if not database.credentials.password:
        problem = f"the API does not return the password of {database.label}"
        raise ApiError(
            f"{problem}, and require_credentials is True",
            "nothing has changed. Turn off Credential Protection, or set require_credentials=False",
        )
    if inputs.verify and is_rejected(operation, database):
        problem = f"{database.label} rejects the password that the API returns"
        raise ApiError(
            f"{problem}, and require_credentials is True",
            "nothing has changed. Run `pulumi up` again, or set require_credentials=False",
        )


def reset(
    operation: Operation,
    before: State,
    kept: Kept,
    keep: Callable[[State], None],
    *,
    recovers: bool = False,
) -> tuple[Rotated, State]:
    """Reset a database's password. Return it with its new credentials, and the state before that.

    The documented response has no credentials. If they are missing, this function reads the
    database. `kept` holds the pending rotation. This function drops it only if the API has
    certainly rejected every reset, and records in it that a reset was certainly applied.

    Args:
        operation: The context of the call.
        before: The state just before, as the preflight read found it.
        kept: What the state must hold if this fails.
        keep: Called with the state before another reset, so that `kept` holds the pending rotation.
        recovers: The reset only recovers an earlier one, which has certainly happened. So any
            password that is live and not an earlier one will do.

    Raises:
        NewCredentialsUnknownError: The password has changed, and the new one is not known.
        IndeterminateOutcomeError: The password may have changed.
        ApiError: The password has not changed.
    """
    rotated, before = _reset_until_known(operation, before, kept, keep, recovers=recovers)
    made = rotated.database.credentials.password
    if made and _is_new(before, made):
        return rotated, before
    if made:  # the response is from before the reset, as a late read is
        rotated = Rotated(rotated.database.with_credentials(Credentials()))
    again = read_again(operation, before)
    if again.database.credentials.password:
        return again, before
    operation.reporter.warning(f"the password of {before.label} was reset, but {NOT_RETURNED}")
    # A response without a password may still hold a token.
    shown = rotated.database.credentials.completed_by(again.database.credentials)
    return Rotated(again.database.with_credentials(shown)), before


def with_missing_tokens(operation: Operation, rotated: Rotated, before: State) -> Rotated:
    """Return the database after a reset, with tokens that the response to the reset lacked.

    It reads them only if the state before had them. Without a read of the same password it returns
    what is known.
    """
    credentials = rotated.database.credentials
    if not credentials.password or before.credentials.known().keys() <= credentials.known().keys():
        return rotated
    again = _read_or_none(operation, before)
    if again is None or again.credentials.password != credentials.password:
        return rotated
    complete = credentials.completed_by(again.credentials)
    return replace(rotated, database=rotated.database.with_credentials(complete))


def read_again(operation: Operation, before: State) -> Rotated:
    """Return the database after a reset, from another read.

    Raises:
        NewCredentialsUnknownError: It could not be read.
    """
    try:
        return Rotated(_read_new(operation, before), was_read=True)
    except ApiError as error:
        problem = f"the password of {before.label} was reset, but {error.problem}"
        raise NewCredentialsUnknownError(problem, "run `pulumi up` again to read it") from None


def _read_new(operation: Operation, before: State) -> Database:
    """Return a database after a reset whose response had no password.

    Raises:
        ApiError: The read failed, or the API still returns an earlier password.
    """
    last = ApiError("")
    for attempt in range(MAX_READS):
        if attempt:
            operation.sleep(attempt)
        try:
            database = _get(operation, before)
        except ApiError as error:
            last = ApiError(f"the new one could not be read ({error.problem})")
            continue
        live = database.credentials.password
        if live is None or _is_new(before, live):
            return database
        last = ApiError("the API still returns an earlier one")
    raise last


def _is_new(before: State, live: str) -> bool:
    return before.compare(live) not in (Reconciliation.SAME, Reconciliation.EARLIER)


def _reset_until_known(
    operation: Operation,
    before: State,
    kept: Kept,
    keep: Callable[[State], None],
    *,
    recovers: bool,
) -> tuple[Rotated, State]:
    """Reset until a reset has certainly happened, at most `MAX_RESETS` times.

    | response           | live password                        | outcome                        |
    | ------------------ | ------------------------------------ | ------------------------------ |
    | readable           |                                      | happened                       |
    | rejected           |                                      | this reset did not happen      |
    | any other, or none | a new one; the previous one is known | happened                       |
    | unreadable success | a new one                            | happened                       |
    | any other, or none | a new one, which a login accepts     | the recovered one happened     |
    | any other, or none | any other case                       | indeterminate, so reset again  |

    A password is new if it is not the previous one, which a read before the reset returned, and
    none of the earlier ones. The previous one proves nothing, because the read may be late.

    A rejected reset raises. The error is indeterminate if the reset before it was. After an
    indeterminate outcome a reset is safe. Only a password that nobody knows locks users out.
    """
    applied = False
    for attempt in range(MAX_RESETS):
        if attempt:
            operation.sleep(attempt)
        try:
            reading = operation.account.api.reset_password(before.database_id, before.database_name)
        except (UnreadableResponseError, IndeterminateOutcomeError, ServerError) as error:
            last = error
        except ApiError as error:
            if attempt:  # the API rejected this reset, but may have applied the one before
                raise _unknown(error.problem, applied=applied) from None
            kept.nothing()
            raise
        else:
            kept.applied()
            _report_oddity(reading, before, operation)
            return Rotated(reading.database), before
        if isinstance(last, UnreadableResponseError):
            applied = True
            kept.applied()
        operation.reporter.info(
            f"{last.problem}. Reading the database to check whether the password changed"
        )
        database = _read_or_none(operation, before)
        live = database.credentials.password if database else None
        if database and live and _is_new(before, live):
            known = applied or before.credentials.password
            if known or (recovers and is_live(operation, database, before)):
                return Rotated(database, was_read=True), before
            # It proves nothing. But it is from before the next reset, whatever it is.
            earlier = remember(before.earlier, fingerprint(before.database_id, live))
            before = replace(before, earlier=earlier)
            keep(before)
    raise _unknown(last.problem, applied=applied)


def _report_oddity(reading: Reading, before: State, operation: Operation) -> None:
    if reading.oddity:
        operation.reporter.warning(f"the response to the reset of {before.label} {reading.oddity}")


def _unknown(problem: str, *, applied: bool) -> IndeterminateOutcomeError:
    if applied:
        return NewCredentialsUnknownError(problem, MAY_HAVE_CHANGED)
    return IndeterminateOutcomeError(problem, MAY_HAVE_CHANGED)


def _read_or_none(operation: Operation, before: State) -> Database | None:
    try:
        return _get(operation, before)
    except ApiError:
        return None


def _get(operation: Operation, state: State) -> Database:
    return operation.account.api.get_database(state.database_id, state.database_name)


def compare(database: Database, state: State, *, now: datetime) -> tuple[Reconciliation, Snapshot]:
    """Compare the live password with the stored one, and return the new snapshot.

    If the live one is new, the pending rotation has happened. Without a pending rotation a user has
    reset the password outside Pulumi. If the API returns no credentials, or earlier ones, the
    snapshot keeps the stored ones. It remembers a stored one that it replaces.
    """
    record, pending, earlier = state.record, state.pending, state.earlier
    displaced = state.displaced
    live, stored = database.credentials.password, state.credentials.password
    found = _reconciled(state, live)
    not_tried = Verification(verified=False, message="not verified: a refresh found this password")
    stale = state.engine_inputs_stale
    if found is Reconciliation.CHANGED:
        # Without an own reset nobody knows which of the two is newer, so none is an earlier one.
        if pending:
            earlier, displaced = remember(earlier, *displaced, *state.fingerprints), ()
            stale = True  # the engine still holds the inputs of the rotation before
            count = record.count + 1
            record = RotationRecord(now, count, pending.reason, pending.triggers, not_tried)
            pending = None
        else:
            displaced = remember(displaced, *state.fingerprints)
            external = Reason(Cause.EXTERNAL)
            record = replace(
                record, rotated_at=now, adopted_at=None, reason=external, verification=not_tried
            )
    else:
        read = Credentials() if found is Reconciliation.EARLIER else database.credentials
        database = database.with_credentials(read.completed_by(state.credentials))
        if live and live != stored and found is not Reconciliation.EARLIER:
            displaced = remember(displaced, *state.fingerprints)
            record = replace(record, verification=not_tried)
    return found, Snapshot(
        database,
        record,
        pending,
        earlier,
        displaced,
        rotate_on_delete=state.rotate_on_delete,
        engine_inputs_stale=stale,
        imported=state.imported,
    )


def _reconciled(state: State, live: str | None) -> Reconciliation:
    """Compare the live password with the stored one, with what a pending rotation proves."""
    found, pending = state.compare(live), state.pending
    if pending and pending.applied:
        if found is Reconciliation.INDETERMINATE and live:
            return Reconciliation.CHANGED  # the reset has happened, so a password not known is new
        if found is Reconciliation.SAME:
            return Reconciliation.EARLIER  # the reset has happened, so this read is late
    elif pending and pending.after_late_read and found is not Reconciliation.EARLIER:
        return Reconciliation.INDETERMINATE  # it may be from before the reset, or from a refresh
    return found


def is_rejected(operation: Operation, database: Database) -> bool:
    """Return whether a database rejects the credentials that a read returned.

    Then the read was late. False if the database cannot be asked, or if its default user is off.
    """
    tried = _login(operation, database)
    return bool(tried and tried.rejected)


def is_live(operation: Operation, database: Database, state: State) -> bool:
    """Return whether a database accepts the credentials of a read, and rejects the stored ones."""
    tried = _login(operation, database, state.credentials)
    return bool(tried and tried.verified)


def _login(
    operation: Operation, database: Database, previous: Credentials | None = None
) -> Verification | None:
    """Return the result of a short login with the database's credentials.

    None where it would prove nothing. A database whose default user is off rejects every password.
    """
    if not (database.credentials and database.accepts_logins):
        return None
    return operation.account.verify(
        database, previous or Credentials(), timeout_seconds=TRY_SECONDS
    )


def confirm_deletion(operation: Operation, outputs: Mapping[str, Any], state: State) -> None:
    """Return only if a database that a read did not find is certainly deleted.

    Both responses of an API that has lost sight of a database may be wrong. So it also logs in.

    Raises:
        ApiError: It may still exist. Nothing has changed.
    """
    from pulumi_upstash_rotation.upstash.database import parse_database

    databases.confirm_deletion(operation, state)
    stored = parse_database({**outputs, "database_id": state.database_id})
    if _try_stored(operation, stored, state) is Reconciliation.SAME:
        problem = f"{state.label} was not found (404), but accepts the stored password"
        raise ApiError(problem, databases.NOT_DELETED)


def revoke(operation: Operation, outputs: Mapping[str, Any], state: State) -> None:
    """Reset a database's password if it is the stored one. The stored password is then useless.

    It also resets the password that its own pending rotation may have made. Any other live password
    stays, because somebody else may use it.

    Raises:
        ApiError: The reset failed. The text states whether the password may have changed.
    """
    api = operation.account.api
    try:
        database = _get(operation, state)
    except DatabaseNotFoundError:
        confirm_deletion(operation, outputs, state)
        return
    found = state.compare(database.credentials.password)
    unsure = found in (Reconciliation.INDETERMINATE, Reconciliation.EARLIER)
    tried = _try_stored(operation, database, state)  # any read may be late
    if unsure or tried is not Reconciliation.INDETERMINATE:
        found = tried
    if found is Reconciliation.SAME or (found is Reconciliation.CHANGED and state.pending):
        with contextlib.suppress(UnreadableResponseError):  # the API has applied the reset
            api.reset_password(state.database_id, state.database_name)
        operation.run.rotated.add((NAME, state.database_id))
    elif found is not Reconciliation.CHANGED:
        operation.reporter.warning(
            f"the password of {state.label} was not reset although rotate_on_delete is True. The "
            "live or the stored password is not known, so the provider cannot compare them"
        )


def _try_stored(operation: Operation, database: Database, state: State) -> Reconciliation:
    """Compare the live password with the stored one by a login."""
    tried = _login(operation, database.with_credentials(state.credentials))
    if tried is None:
        return Reconciliation.INDETERMINATE
    if tried.verified:
        return Reconciliation.SAME
    return Reconciliation.CHANGED if tried.rejected else Reconciliation.INDETERMINATE
