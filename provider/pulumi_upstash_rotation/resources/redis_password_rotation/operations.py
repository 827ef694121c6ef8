"""What is done to a database: read before a reset, reset, compare, revoke."""

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

    from pulumi_upstash_rotation.resources.handler import Reporter
    from pulumi_upstash_rotation.upstash.account import Account
    from pulumi_upstash_rotation.upstash.database import Database

    from .state import State

MAX_RESETS: Final = 3
MAX_READS: Final = 4
MAY_HAVE_CHANGED: Final = (
    "the password may have changed. Run `pulumi up` again: it checks the database and resets again "
    "if needed"
)
NOT_SHOWN: Final = (
    "the API does not show it (Credential Protection, or an account that is not shown "
    "credentials): password, tokens and redis_url are None"
)


def preflight_read(account: Account, database_id: str) -> Database:
    """Return a database before its first reset, to compare with if the outcome is indeterminate.

    Raises:
        ApiError: There is no such database, it could not be read, or it cannot be reset. Nothing
            has changed.
    """
    database = account.api.get_database(database_id)
    if database.state == "suspended":
        raise ApiError(
            f"Redis database {database_id!r} is suspended and cannot be reset",
            "nothing has changed: resume it in the Upstash console first",
        )
    return database


def reset(
    account: Account, reporter: Reporter, database_id: str, *, previous: str | None
) -> Database:
    """Reset a database's password and return it with its new credentials.

    The documented response to a reset has no credentials, so a read follows where they are missing.
    Once the reset is known to have happened nothing raises.

    Args:
        account: The account.
        reporter: Shows a user what is unusual.
        database_id: Which database.
        previous: The password before, where it is known.

    Raises:
        IndeterminateOutcomeError: Nobody can know whether the password has changed.
        ApiError: The password has not changed.
    """
    database = _reset_until_known(account, reporter, database_id, previous)
    if database.credentials.password:
        return database
    try:
        database = _read_new(account, database_id, previous)
    except ApiError as error:
        what = "reading the new one failed: `pulumi refresh` tries again"
        reporter.warning(f"the password was reset, but {what} ({error})")
    else:
        if not database.credentials.password:
            reporter.warning(f"the password was reset, but {NOT_SHOWN}")
    return database


def _read_new(account: Account, database_id: str, previous: str | None) -> Database:
    """Return a database after a reset whose response had no password.

    Raises:
        ApiError: It could not be read, or the API still shows the previous password.
    """
    for attempt in range(MAX_READS):
        if attempt:
            account.sleep(attempt)
        try:
            database = account.api.get_database(database_id)
        except UnreadableResponseError as error:
            last: ApiError = error
            continue
        if reconcile(previous, database.credentials.password) is not Reconciliation.SAME:
            return database
        last = ApiError("the API still shows the previous one")
    raise last


def _reset_until_known(
    account: Account, reporter: Reporter, database_id: str, previous: str | None
) -> Database:
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
            account.sleep(attempt)
        try:
            return account.api.reset_password(database_id)
        except (UnreadableResponseError, IndeterminateOutcomeError, ServerError) as error:
            last = error
        except ApiError as error:
            if indeterminate:  # this attempt was rejected; the one before may have been applied
                raise IndeterminateOutcomeError(error.problem, MAY_HAVE_CHANGED) from None
            raise
        reporter.info(f"{last.problem}: reading the database to see whether its password changed")
        database = _read_back(account, database_id)
        live = database.credentials.password if database else None
        found = reconcile(previous, live)
        applied = isinstance(last, UnreadableResponseError) and live and not previous
        if database and (found is Reconciliation.CHANGED or applied):
            return database
        indeterminate = found is Reconciliation.INDETERMINATE
    if indeterminate:
        raise IndeterminateOutcomeError(last.problem, MAY_HAVE_CHANGED)
    raise ApiError(last.problem, "a read of the database shows that the password has not changed")


def _read_back(account: Account, database_id: str) -> Database | None:
    try:
        return account.api.get_database(database_id)
    except ApiError:
        return None


def compare(database: Database, state: State, *, now: datetime) -> Snapshot:
    """Return what is true of a database beside what the state remembers of it.

    Another password than the stored one was reset outside Pulumi, or by the pending rotation. Where
    the API shows no credentials, the stored ones are all that is known.
    """
    record, pending = state.record, state.pending
    live, stored = database.credentials.password, state.credentials.password
    not_tried = Verification(verified=False, message="not verified: found by a refresh")
    if reconcile(stored, live) is Reconciliation.CHANGED:
        # A pending rotation explains it, and so has happened.
        record = RotationRecord(
            now,
            record.count + (1 if pending else 0),
            pending.reason if pending else Reason(Cause.EXTERNAL),
            pending.triggers if pending else record.triggers,
            not_tried,
        )
        return Snapshot(
            database,
            record,
            rotate_on_delete=state.rotate_on_delete,
            engine_inputs_stale=state.engine_inputs_stale or pending is not None,
        )
    if live and not stored:
        record = replace(record, verification=not_tried)
    return Snapshot(
        database.with_credentials(database.credentials.completed_by(state.credentials)),
        record,
        pending,
        rotate_on_delete=state.rotate_on_delete,
        engine_inputs_stale=state.engine_inputs_stale,
    )


def revoke(account: Account, reporter: Reporter, state: State) -> None:
    """Reset a database's password so that nobody knows it, if it is the stored one.

    Another password belongs to somebody else, for instance to this resource's replacement. It
    stays.

    Raises:
        ApiError: The password has not changed, or nobody can know whether it has. The text states
            which.
    """
    try:
        live = account.api.get_database(state.database_id).credentials.password
    except DatabaseNotFoundError:
        return
    match reconcile(state.credentials.password, live):
        case Reconciliation.SAME:
            with contextlib.suppress(UnreadableResponseError):  # applied; nobody needs the response
                account.api.reset_password(state.database_id)
        case Reconciliation.INDETERMINATE:
            reporter.warning(
                f"the password of Redis database {state.database_id!r} was not reset, although "
                "rotate_on_delete asks for it: nobody can see whether it is still the one that "
                "this resource made"
            )
