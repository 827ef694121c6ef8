"""The calls of the Upstash Developer API, one method each."""

from __future__ import annotations

import functools
import json
import logging
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from .errors import ApiContractError
from .models import Database, parse_database
from .transport import Call, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

_LOG: Final = logging.getLogger(__name__)


class UpstashClient:
    """The Developer API, for one account; safe to share between threads."""

    def __init__(self, transport: Transport) -> None:
        """Keep the transport; no request is made."""
        self._transport = transport

    def reset_password(self, database_id: str) -> Database:
        """Reset a Redis database's password and REST tokens: `POST /v2/redis/reset-password/{id}`.

        Not idempotent: every reset that is applied revokes the credentials of the one before.

        Raises:
            ApiConnectionError: The request never left.
            ApiOutcomeUnknownError: It left, and may have been applied.
            ApiContractError: The API reports success in an answer that can't be read.
            ApiStatusError: The API refused, or failed on the way (`ServerError`).
        """
        return self._database(
            Call(
                "POST",
                f"/v2/redis/reset-password/{quote(database_id, safe='')}",
                f"reset the password of Redis database {database_id!r}",
            ),
            database_id,
        )

    def get_database(self, database_id: str) -> Database:
        """Read a Redis database: `GET /v2/redis/database/{id}`.

        With credentials, unless the account or Credential Protection hides them.

        Raises:
            ApiError: As for `reset_password()`; nothing is ever changed by it.
        """
        return self._database(
            Call(
                "GET",
                f"/v2/redis/database/{quote(database_id, safe='')}",
                f"read Redis database {database_id!r}",
            ),
            database_id,
        )

    def list_databases(self) -> list[Database]:
        """Read the account's Redis databases: `GET /v2/redis/databases`.

        Raises:
            ApiError: As for `reset_password()`; nothing is ever changed by it.
        """
        call = Call("GET", "/v2/redis/databases", "list the Redis databases")
        try:
            body = json.loads(self._transport.request(call))
            databases = [parse_database(each) for each in body] if isinstance(body, list) else None
        except (ValueError, RecursionError, ApiContractError):
            databases = None
        if databases is None:
            raise call.unreadable("its answer is not a list of databases")
        return databases

    def pause(self, seconds: float) -> None:
        """Wait before something is tried again."""
        self._transport.pause(seconds)

    def tell(self, message: str) -> None:
        """Tell a person what takes time."""
        self._transport.tell(message)

    def _database(self, call: Call, database_id: str) -> Database:
        body = self._transport.request(call)
        try:
            database = parse_database(json.loads(body))
        except (ValueError, RecursionError, ApiContractError):
            raise call.unreadable("its answer is not a Database object") from None
        if database.database_id != database_id:
            raise call.unreadable("its answer is about another database")
        return database


_one_at_a_time = threading.Lock()


def client_for(settings: Settings, tell: Callable[[str], None] = _LOG.info) -> UpstashClient:
    """Return this process's one client, with its one pool of connections, for these settings.

    Args:
        settings: The account and the API.
        tell: Tells a person what takes time, a line each.
    """
    with _one_at_a_time:
        return _client_for(settings, tell)


@functools.cache
def _client_for(settings: Settings, tell: Callable[[str], None]) -> UpstashClient:
    return UpstashClient(Transport(settings, tell=tell))
