"""Redis commands over the REST API of one database."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    RateLimitedError,
    ResponseStatusError,
    ServerError,
)
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.http.authentication import Bearer
from pulumi_upstash_rotation.http.client import HttpClient, Report, Request
from pulumi_upstash_rotation.http.rate_limit import RateLimit
from pulumi_upstash_rotation.http.retries import Effect

from .disclosure import disclosing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from typing_extensions import Self

_LOG: Final = logging.getLogger(__name__)

Command: TypeAlias = "Sequence[str]"
"""A Redis command with its arguments."""

MAX_ERROR_LENGTH: Final = 200
"""Number of characters of a database's own error text that a message shows."""
SECRET_PART: Final = 16
"""Number of characters in a row of a secret that no message may show."""


@dataclass(frozen=True)
class Reply:
    """The reply to one command.

    Attributes:
        value: The JSON value of the reply. It may hold a token.
        error: The database's error text, without secrets. None if the command succeeded.
    """

    value: Any = field(default=None, repr=False)
    error: str | None = None


class RedisRest:
    """The REST API of one database. A context manager, for one call of a front end.

    Args:
        base_url: Base URL of the REST API.
        token: The token that authenticates the requests.
        report: Shows a line to a user when something takes long.

    Raises:
        ConfigurationError: The trust store cannot be read.
    """

    def __init__(self, base_url: str, token: str, report: Report = _LOG.info) -> None:
        """Prepare the session. It sends no request."""
        self._token = token
        self._report = report
        self._client = HttpClient(
            base_url,
            Bearer(token),
            pool_size=1,
            rate_limit=RateLimit(1, clock=time.monotonic, sleep=cancellation.sleep),
            rejection=_rejection,
            clock=time.monotonic,
            sleep=cancellation.sleep,
        )

    def __enter__(self) -> Self:
        """Return this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._client.close()

    def pipeline(
        self,
        commands: Sequence[Command],
        attempt: str,
        *,
        if_maybe_applied: str = "nothing has changed",
        secrets: Collection[str] = (),
    ) -> list[Reply]:
        """Run commands in one request, each on its own, and return their replies.

        All must be commands that may be repeated, because a lost response is.

        Args:
            commands: The commands, in order.
            attempt: Their purpose, as in "cannot ATTEMPT".
            if_maybe_applied: End of the error text if some of them may have been applied.
            secrets: Secrets in the commands, which no error text may show.

        Raises:
            AuthenticationError: The database does not accept the token.
            ApiError: As for `HttpClient.send()`.
        """
        request = Request(
            "POST",
            "/pipeline",
            Effect.IDEMPOTENT,
            attempt,
            if_maybe_applied=if_maybe_applied,
            json=[list(command) for command in commands],
        )
        body = self._client.send(request, self._report)
        try:
            return _replies(json.loads(body), len(commands), {*secrets, self._token})
        except (ValueError, RecursionError):
            raise request.unreadable("its response is not a list of replies") from None


def _replies(body: object, count: int, secrets: Collection[str]) -> list[Reply]:
    if not isinstance(body, list) or len(body) != count:
        raise ValueError
    return [_reply(each, secrets) for each in body]


def _reply(item: object, secrets: Collection[str]) -> Reply:
    match item:
        case {"error": str() as error}:
            return Reply(error=_shown(error, secrets))
        case {"result": value}:
            return Reply(value)
    raise ValueError


def _shown(error: str, secrets: Collection[str]) -> str:
    """Return a database's error text as a message may show it.

    A database may cut a long command off within a secret.
    """
    parts = {
        each[start : start + SECRET_PART]
        for each in secrets
        for start in range(len(each) - SECRET_PART + 1)
    }
    if any(part in error for part in parts) or disclosing({"error": error}, secrets):
        return "an error whose text holds a secret"
    return ascii(error[:MAX_ERROR_LENGTH])[1:-1]


def _rejection(status: int, _body: bytes) -> tuple[type[ResponseStatusError], str]:
    """Return the error class of a status, and its meaning. The text never repeats the body."""
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError, "rejected the token (401)"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError, "is rate limiting requests (429)"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError, f"failed ({status})"
    return ResponseStatusError, f"rejected the request ({status})"
