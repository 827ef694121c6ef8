"""The calls of the Upstash Developer API, and the meaning of its error statuses."""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    DatabaseNotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.http.authentication import basic
from pulumi_upstash_rotation.http.client import HttpClient, Report, Request
from pulumi_upstash_rotation.http.rate_limit import RateLimit
from pulumi_upstash_rotation.http.retries import Effect

from .credentials import database_label
from .database import Database, parse_database
from .response import OtherDatabaseError, Reading, read_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

_LOG: Final = logging.getLogger(__name__)


class DeveloperApi:
    """The Developer API of one account, for one call of a front end.

    Args:
        connect: Returns the account's client. It is called only before a request.
        user: Returns the account's e-mail. Raises `ConfigurationError` without one.
        report: Shows a line to a user when something takes long.
    """

    def __init__(
        self,
        connect: Callable[[], HttpClient],
        user: Callable[[], str],
        report: Report = _LOG.info,
    ) -> None:
        """Keep the arguments. It sends no request."""
        self._connect = connect
        self._user = user
        self._report = report

    @property
    def user(self) -> str:
        """The account's e-mail.

        Raises:
            ConfigurationError: The account's settings are missing or unusable.
        """
        return self._user()

    def reset_password(self, database_id: str, name: str | None = None) -> Reading:
        """Reset a Redis database's password and REST tokens: `POST /v2/redis/reset-password/{id}`.

        Not idempotent: each reset revokes the credentials of the one before.

        Args:
            database_id: Id of the database.
            name: Its name, for messages. None if it is not known.

        Raises:
            ConfigurationError: The account's settings are missing or unusable.
            RequestNotSentError: The request was not sent.
            IndeterminateOutcomeError: The API may have applied the reset.
            UnreadableResponseError: A response with a success status is unusable.
            ResponseStatusError: The API rejected the reset, or failed (`ServerError`).
        """
        request = Request(
            "POST",
            f"/v2/redis/reset-password/{quote(database_id, safe='')}",
            Effect.NON_IDEMPOTENT,
            f"reset the password of {database_label(database_id, name)}",
            if_not_applied="the password has not changed",
            if_maybe_applied="the password may have changed",
        )
        try:
            body, complete = self._send(request), True
        except UnreadableResponseError as error:
            if not error.received:
                raise
            body, complete = error.received, False
        return _reading(request, body, database_id, complete=complete)

    def get_database(self, database_id: str, name: str | None = None) -> Database:
        """Read a Redis database: `GET /v2/redis/database/{id}`.

        The response holds the credentials unless the account or Credential Protection hides them.

        Args:
            database_id: Id of the database.
            name: Its name, for messages. None if it is not known.

        Raises:
            ConfigurationError: The account's settings are missing or unusable.
            ApiError: As for `reset_password()`. Nothing has changed.
        """
        request = Request(
            "GET",
            f"/v2/redis/database/{quote(database_id, safe='')}",
            Effect.READ,
            f"read {database_label(database_id, name)}",
        )
        return _reading(request, self._send(request), database_id, salvage=False).database

    def list_databases(self) -> list[Database]:
        """Read the account's Redis databases: `GET /v2/redis/databases`.

        Raises:
            ConfigurationError: The account's settings are missing or unusable.
            ApiError: As for `reset_password()`. Nothing has changed.
        """
        request = Request("GET", "/v2/redis/databases", Effect.READ, "list the Redis databases")
        try:
            body = json.loads(self._send(request))
            databases = [parse_database(each) for each in body] if isinstance(body, list) else None
        except (ValueError, RecursionError, UnreadableResponseError):
            databases = None
        if databases is None:
            raise request.unreadable("its response is not a list of databases")
        return databases

    def _send(self, request: Request) -> bytes:
        return self._connect().send(request, self._report)


def _reading(
    request: Request,
    body: bytes,
    database_id: str,
    *,
    complete: bool = True,
    salvage: bool = True,
) -> Reading:
    try:
        return read_database(body, database_id, complete=complete, salvage=salvage)
    except OtherDatabaseError:
        raise request.unreadable("its response is about another database") from None
    except UnreadableResponseError:
        what = "is not a Database object" if complete else "broke off"
        raise request.unreadable(f"its response {what}") from None


_REJECTIONS: Final[dict[int, tuple[type[ResponseStatusError], str]]] = {
    401: (
        AuthenticationError,
        (
            "rejected the e-mail and API key (401). Use a Developer API key of a native Upstash "
            "account, with that account's e-mail"
        ),
    ),
    403: (
        PermissionDeniedError,
        "rejected the request (403). Check the permissions of the API key",
    ),
    404: (DatabaseNotFoundError, "has no such database in this account (404)"),
    429: (RateLimitedError, "is rate limiting requests (429)"),
}


def rejection(status: int, body: bytes) -> tuple[type[ResponseStatusError], str]:
    """Return the error class of a status, and its meaning. The text never repeats the body."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError, f"failed ({status})"
    if status < HTTPStatus.BAD_REQUEST:
        what = f"responded with a redirect ({status}), which the provider does not follow"
        return ResponseStatusError, what
    if b"readonly api key" in body.lower():
        what = (
            f"rejected the request because the API key is read-only ({status}). "
            "Use a key with write access"
        )
        return PermissionDeniedError, what
    if b"suspended" in body.lower():
        what = (
            f"rejected the request because the database is suspended ({status}). "
            "Resume it in the console"
        )
        return ResponseStatusError, what
    if status == HTTPStatus.NOT_FOUND and not _is_json(body):
        what = (
            "responded with a page that is not the API's (404). Check the proxy and the API's URL"
        )
        return ResponseStatusError, what
    return _REJECTIONS.get(status, (ResponseStatusError, f"rejected the request ({status})"))


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict | str)
    except (ValueError, RecursionError):
        return False


_one_at_a_time = threading.Lock()


def client_for(settings: Settings) -> HttpClient:
    """Return the client for these settings. All calls share it and its pool of connections.

    Raises:
        ConfigurationError: The trust store cannot be read.
    """
    with _one_at_a_time:
        return _client_for(settings)


@functools.cache
def _client_for(settings: Settings) -> HttpClient:
    return HttpClient(
        settings.api_url,
        basic(settings.email, settings.api_key),
        pool_size=settings.max_concurrency,
        rate_limit=_rate_limit_of(settings),
        rejection=rejection,
        clock=time.monotonic,
        sleep=cancellation.sleep,
        rate_limit_wait=settings.rate_limit_wait,
    )


_rate_limits: dict[tuple[str, str], RateLimit] = {}


def _rate_limit_of(settings: Settings) -> RateLimit:
    """Return the limit of an account. All API keys of the account share it."""
    account = (settings.api_url, settings.email)
    if account not in _rate_limits:
        most = settings.max_concurrency
        _rate_limits[account] = RateLimit(most, clock=time.monotonic, sleep=cancellation.sleep)
    return _rate_limits[account]
