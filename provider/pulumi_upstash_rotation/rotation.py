"""What is done to a database: rotate, adopt, refresh, revoke.

It knows nothing of Pulumi and reads no clock, so that any front end can use it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import ApiContractError, ApiError, ApiOutcomeUnknownError, DatabaseNotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from .client import UpstashClient
    from .models import Database
    from .state import State

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
        warnings: What a person should know, a sentence each; no secret in them.
    """

    database: Database
    rotated_at: datetime | None = None
    count: int = 0
    cause: str | None = None
    warnings: tuple[str, ...] = ()


def rotate(
    client: UpstashClient, database_id: str, *, count: int, cause: str, now: datetime
) -> Rotation:
    """Reset a database's password once and return the new credentials.

    The documented answer to a reset has no credentials, so they are read back when missing. Once
    the reset has taken place nothing raises.

    Args:
        client: The API.
        database_id: Which database.
        count: How often this resource has reset it before.
        cause: Why it is reset.
        now: The present, in UTC.

    Raises:
        ApiError: The password has not changed, or it can't be known whether it has; the text says
            which.
    """
    try:
        database = client.reset_password(database_id)
    except ApiContractError as error:
        return Rotation(_settled(client, database_id, error), now, count + 1, cause)
    warnings: tuple[str, ...] = ()
    if not database.password:
        try:
            database = client.get_database(database_id)
        except ApiError as error:
            warnings = (f"the password was reset, but reading the new one failed: {error}",)
        else:
            if not database.password:
                warnings = (f"the password was reset, but {NOT_SHOWN}",)
    return Rotation(database, now, count + 1, cause, warnings)


def _settled(client: UpstashClient, database_id: str, error: ApiContractError) -> Database:
    """Return what the API shows after a reset whose answer could not be read.

    Raises:
        ApiOutcomeUnknownError: The API does not tell the live password.
    """
    try:
        database = client.get_database(database_id)
    except ApiError:
        database = None
    if database is None or not database.password:
        raise ApiOutcomeUnknownError(f"{error}. Run `pulumi up` again to reset it once more")
    return database


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
    known = state.credentials.get("password")
    if database.password and known and database.password.get_secret_value() != known:
        return Rotation(database, now, state.rotation_count, "external")
    return Rotation(
        database.with_missing_credentials(state.credentials),
        state.rotated_at,
        state.rotation_count,
        state.rotation_cause,
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
        password = client.get_database(state.database_id).password
    except DatabaseNotFoundError:
        return ()
    known = state.credentials.get("password")
    if not password or not known:
        warning = (
            f"the password of Redis database {state.database_id!r} was not reset, although "
            "rotate_on_delete asks for it: it can't be seen whether it is still the one that this "
            "resource made"
        )
        return (warning,)
    if password.get_secret_value() == known:
        with contextlib.suppress(ApiContractError):  # applied; the answer is not needed
            client.reset_password(state.database_id)
    return ()
