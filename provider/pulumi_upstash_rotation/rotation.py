"""The rotation itself: reset a password and come back with the one that is live.

It knows nothing of Pulumi and reads no clock, so that any front end can use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import ApiContractError, ApiError, ApiOutcomeUnknownError

if TYPE_CHECKING:
    from datetime import datetime

    from .client import UpstashClient
    from .models import Database

NO_CREDENTIALS: Final = (
    "the password was reset, but neither the reset nor a read of the database tells the new one "
    "(Credential Protection, or an account that is not shown credentials): password, tokens and "
    "redis_url are None; create credentials in the Upstash console"
)


@dataclass(frozen=True)
class Rotation:
    """A reset that took place.

    Attributes:
        database: The database after it, with the new credentials where the API shows them.
        rotated_at: When, in UTC.
        warnings: What a person should know, a sentence each; no secret in them.
    """

    database: Database
    rotated_at: datetime
    warnings: tuple[str, ...] = ()


def rotate(client: UpstashClient, database_id: str, *, now: datetime) -> Rotation:
    """Reset a database's password once and return the new credentials.

    The documented answer to a reset has no credentials, so they are read back when missing. Once
    the reset has taken place nothing raises.

    Raises:
        ApiError: The password has not changed, or it can't be known whether it has; the text says
            which.
    """
    try:
        database = client.reset_password(database_id)
    except ApiContractError as error:
        return _read_back(client, database_id, error, now=now)
    if database.has_credentials:
        return Rotation(database, now)
    try:
        read = client.get_database(database_id)
    except ApiError as error:
        warning = f"the password was reset, but reading the new one failed: {error}"
        return Rotation(database, now, (warning,))
    if read.has_credentials:
        return Rotation(read, now)
    return Rotation(database, now, (NO_CREDENTIALS,))


def _read_back(
    client: UpstashClient, database_id: str, error: ApiContractError, *, now: datetime
) -> Rotation:
    """Return what the API shows after a reset whose answer could not be read.

    Raises:
        ApiOutcomeUnknownError: The API does not tell the live password.
    """
    try:
        database = client.get_database(database_id)
    except ApiError:
        database = None
    if database is None or not database.has_credentials:
        raise ApiOutcomeUnknownError(f"{error}. Run `pulumi up` again to reset it once more")
    return Rotation(database, now)
