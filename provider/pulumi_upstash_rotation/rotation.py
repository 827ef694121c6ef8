"""What is done to a database: rotate, adopt, refresh, revoke.

It knows nothing of Pulumi and reads no clock, so that any front end can use it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import (
    ApiContractError,
    ApiError,
    ApiOutcomeUnknownError,
    DatabaseNotFoundError,
    ServerError,
)
from .state import Verification

if TYPE_CHECKING:
    from datetime import datetime

    from .client import UpstashClient
    from .models import Database
    from .state import State

MAX_RESETS: Final = 3
MAX_READS: Final = 4
MAY_HAVE_CHANGED: Final = (
    "the password may have changed: run `pulumi up` again, which finds out or resets it once more"
)
NOT_SHOWN: Final = (
    "the API does not show it (Credential Protection, or an account that is not shown "
    "credentials): password, tokens and redis_url are None"
)


@dataclass(frozen=True)
class Rotation:
    """A database as it stands after something was done to it.

    Attributes:
        database: The database, with its live credentials where they are known.
        rotated_at: When its password was last reset, in UTC; for one that was reset elsewhere, when
            that was noticed. None where nothing is known about it.
        count: How often it was reset by this resource.
        cause: Why it was last reset: `create`, `trigger: NAME`, `age`, `schedule`; `adopted` or
            `external` for a reset that others made; None where nothing is known about it.
        verification: What the database itself said of it; None where it was not asked.
        warnings: What a person should know, a sentence each; no secret in them.
    """

    database: Database
    rotated_at: datetime | None = None
    count: int = 0
    cause: str | None = None
    verification: Verification | None = None
    warnings: tuple[str, ...] = ()


def look(client: UpstashClient, database_id: str) -> Database:
    """Return a database before its first reset: a reset that goes astray is judged against it.

    Raises:
        ApiError: There is no such database, it could not be read, or it can't be reset; nothing
            has changed.
    """
    database = client.get_database(database_id)
    if database.state == "suspended":
        raise ApiError(
            f"Redis database {database_id!r} is suspended and can't be reset",
            "nothing has changed: resume it in the Upstash console first",
        )
    return database


def rotate(  # noqa: PLR0913  each is a fact about this one rotation
    client: UpstashClient,
    database_id: str,
    *,
    before: str | None,
    count: int,
    cause: str,
    now: datetime,
) -> Rotation:
    """Reset a database's password and return the new credentials.

    The documented answer to a reset has no credentials, so they are read back when missing. Once
    the reset is known to have taken place nothing raises.

    Args:
        client: The API.
        database_id: Which database.
        before: The password before, where it is known.
        count: How often this resource has reset it before.
        cause: Why it is reset.
        now: The present, in UTC.

    Raises:
        ApiOutcomeUnknownError: It can't be known whether the password has changed.
        ApiError: The password has not changed.
    """
    database = _reset(client, database_id, before)
    warnings: tuple[str, ...] = ()
    if not database.password:
        try:
            database = _read_new(client, database_id, before)
        except ApiError as error:
            what = "reading the new one failed: `pulumi refresh` tries again"
            warnings = (f"the password was reset, but {what} ({error})",)
        else:
            if not database.password:
                warnings = (f"the password was reset, but {NOT_SHOWN}",)
    return Rotation(database, now, count + 1, cause, warnings=warnings)


def _read_new(client: UpstashClient, database_id: str, before: str | None) -> Database:
    """Return a database after a reset that told no password.

    Raises:
        ApiError: It could not be read, or the API goes on showing the password before.
    """
    for attempt in range(MAX_READS):
        if attempt:
            client.pause(attempt)
        try:
            database = client.get_database(database_id)
        except ApiContractError as error:
            last: ApiError = error
            continue
        if before is None or database.known_credentials().get("password") != before:
            return database
        last = ApiError("the API still shows the one before")
    raise last


def _reset(client: UpstashClient, database_id: str, before: str | None) -> Database:
    """Reset until it is known to have taken place, a few times at most.

    | the reset's answer | the password read back    | so                              |
    | ------------------ | ------------------------- | ------------------------------- |
    | readable           |                           | it took place                   |
    | a refusal          |                           | it did not; raised, as in doubt |
    |                    |                           | if an attempt before it was     |
    | any other, or none | another than before       | it took place                   |
    | any other, or none | the same as before        | it did not; again               |
    | unreadable success | shown, nothing to compare | it took place                   |
    | any other, or none | not shown, or not to tell | again: the one state that harms |
    |                    |                           | is a live password nobody holds |
    """
    in_doubt = False
    for attempt in range(MAX_RESETS):
        if attempt:
            client.pause(attempt)
        try:
            return client.reset_password(database_id)
        except (ApiContractError, ApiOutcomeUnknownError, ServerError) as error:
            last = error
        except ApiError as error:
            if in_doubt:  # this one was refused; the one before may have taken place
                raise ApiOutcomeUnknownError(error.problem, MAY_HAVE_CHANGED) from None
            raise
        client.tell(f"{last.problem}: the password is read back to see whether it has changed")
        database = _read_back(client, database_id)
        shown = database.known_credentials().get("password") if database else None
        unchanged = shown is not None and shown == before
        told = before is not None or isinstance(last, ApiContractError)
        if database and shown and told and not unchanged:
            return database
        in_doubt = not unchanged
    if not in_doubt:
        raise ApiError(last.problem, "reading it back shows that the password has not changed")
    raise ApiOutcomeUnknownError(last.problem, MAY_HAVE_CHANGED)


def _read_back(client: UpstashClient, database_id: str) -> Database | None:
    try:
        return client.get_database(database_id)
    except ApiError:
        return None


def find_out(client: UpstashClient, state: State, *, now: datetime) -> Rotation | None:
    """Return what is true after a rotation whose outcome was left unknown; None: can't be told.

    Raises:
        ApiError: The database could not be read; the matter stays unsettled.
    """
    database = client.get_database(state.database_id)
    if not database.password or not state.credentials.get("password"):
        return None
    return _compared(database, state, now)


def adopt(client: UpstashClient, database_id: str, *, now: datetime) -> Rotation:
    """Return a database with the credentials that it has, without a reset.

    Raises:
        ApiError: The database could not be read; nothing has changed.
    """
    database = client.get_database(database_id)
    warnings = () if database.password else (f"the password was adopted, but {NOT_SHOWN}",)
    return Rotation(database, now, cause="adopted", warnings=warnings)


def refresh(client: UpstashClient, state: State, *, now: datetime) -> Rotation | None:
    """Return what is true of a database now; None when it does not exist any more.

    A password that is not the one in the state was reset by others. Where the API shows no
    credentials, those in the state are all that is known.

    Raises:
        ApiError: The database could not be read; nothing has changed.
    """
    try:
        database = client.get_database(state.database_id)
    except DatabaseNotFoundError:
        return None
    return _compared(database, state, now)


def _compared(database: Database, state: State, now: datetime) -> Rotation:
    """Return what a database tells beside what is remembered of it."""
    shown, known = database.known_credentials().get("password"), state.credentials.get("password")
    unasked = Verification(verified=False, sentence="not verified: it was found by a refresh")
    if shown and known and shown != known:
        # A rotation in doubt explains it, and so has happened.
        count = state.rotation_count + (1 if state.unsettled else 0)
        return Rotation(database, now, count, state.unsettled or "external", unasked)
    return Rotation(
        database.with_missing_credentials(state.credentials),
        state.rotated_at,
        state.rotation_count,
        state.rotation_cause,
        unasked if shown and not known else state.verification,
    )


def revoke(client: UpstashClient, state: State) -> tuple[str, ...]:
    """Reset a database's password so that nobody knows it, if it is the one in the state.

    A password that is not the one in the state is somebody else's by now, the replacement's of
    this very resource for instance, and stays.

    Returns:
        What a person should know, a sentence each.

    Raises:
        ApiError: The password has not changed, or it can't be known whether it has; the text says
            which.
    """
    try:
        shown = client.get_database(state.database_id).known_credentials().get("password")
    except DatabaseNotFoundError:
        return ()
    known = state.credentials.get("password")
    if not shown or not known:
        warning = (
            f"the password of Redis database {state.database_id!r} was not reset, although "
            "rotate_on_delete asks for it: it can't be seen whether it is still the one that this "
            "resource made"
        )
        return (warning,)
    if shown == known:
        with contextlib.suppress(ApiContractError):  # applied; the answer is not needed
            client.reset_password(state.database_id)
    return ()
