"""A client of one HTTP API: sends a request, classifies what happens, and retries by effect."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import requests
import tenacity
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from pulumi_upstash_rotation.errors import (
    ApiError,
    IndeterminateOutcomeError,
    RateLimitedError,
    RequestNotSentError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)

from .connection import CONNECT_TIMEOUT_SECONDS, causes, new_session, not_sent, start_request
from .retries import Effect, Outcome, may_retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rate_limit import RateLimit

_LOG: Final = logging.getLogger(__name__)

READ_TIMEOUT_SECONDS: Final = 60.0
"""Longest silence while a response is due."""
RETRY_BUDGET_SECONDS: Final = 90.0
"""Maximum time for all attempts of one call, including waits."""
MAX_ATTEMPTS: Final = 10
REPORTED_WAIT_SECONDS: Final = 2.0
"""The client reports a wait of this length or longer."""
MAX_RESPONSE_BYTES: Final = 8 << 20
"""Limit of a response. Real ones are far smaller."""

Report: TypeAlias = "Callable[[str], None]"
"""Shows a user one line."""

Rejection: TypeAlias = "Callable[[int, bytes], tuple[type[ResponseStatusError], str]]"
"""Returns an error class and a description for an error status and its body."""


@dataclass(frozen=True)
class Request:
    """One request, and the texts for its errors.

    Attributes:
        method: HTTP method.
        path: Path below the API's base URL, escaped.
        effect: Its effect at the server.
        attempt: Its purpose, as in "cannot ATTEMPT".
        if_not_applied: End of the error text if the server did not apply the request.
        if_maybe_applied: End of the error text if the server may have applied it.
    """

    method: Literal["GET", "POST"]
    path: str
    effect: Effect
    attempt: str
    if_not_applied: str = "nothing has changed"
    if_maybe_applied: str = "nothing has changed"

    def unreadable(self, how: str) -> UnreadableResponseError:
        """Return the error for a response with a success status and an unusable body."""
        problem = f"the API accepted the request to {self.attempt}, but {how}"
        return UnreadableResponseError(problem, self.if_maybe_applied)


class HttpClient:
    """One API, for one user. Threads may share it.

    Args:
        base_url: The API's base URL, without a trailing slash.
        user: User name for HTTP Basic.
        password: Password for HTTP Basic.
        pool_size: Maximum number of open connections to keep.
        rate_limit: The limit of the account.
        rejection: Explains an error status.
        clock: Returns seconds, from any start.
        sleep: Waits between two attempts, in seconds.

    Raises:
        ConfigurationError: The trust store cannot be read.
    """

    def __init__(  # noqa: PLR0913  an API, an account and a clock
        self,
        base_url: str,
        user: str,
        password: str,
        *,
        pool_size: int,
        rate_limit: RateLimit,
        rejection: Rejection,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Prepare the session. It makes no request."""
        self._base_url = base_url
        self.user = user
        self._rate_limit = rate_limit
        self._rejection = rejection
        self._clock = clock
        self._sleep = sleep
        self._session = new_session(base_url, pool_size=pool_size)
        # Bytes, because HTTP Basic has no charset and requests would take Latin-1.
        self._session.auth = HTTPBasicAuth(user.encode(), password.encode())

    def send(self, request: Request, report: Report = _LOG.info) -> bytes:
        """Return the body of a successful response, after as many attempts as `RETRIES` allows.

        Args:
            request: What to send.
            report: Shows a user the reason of a long wait.

        Raises:
            RequestNotSentError: The request was not sent.
            IndeterminateOutcomeError: It was sent, and may have been applied.
            UnreadableResponseError: A response with a success status broke off.
            ResponseStatusError: The API rejected it, or failed (`ServerError`).
        """
        waiter = self._rate_limit.waiter()

        def attempt() -> bytes:
            with self._rate_limit.acquire(waiter):
                return self._send_once(request)

        def must_stop(state: tenacity.RetryCallState) -> bool:
            now = self._clock()
            # The time in the queue before the first attempt does not count.
            spent = now - (now if waiter.began_at is None else waiter.began_at)
            too_long = spent + state.upcoming_sleep >= RETRY_BUDGET_SECONDS
            return too_long or state.attempt_number >= MAX_ATTEMPTS

        def before_wait(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, RateLimitedError):
                self._rate_limit.on_rate_limited(waiter, state.upcoming_sleep)
            if state.upcoming_sleep >= REPORTED_WAIT_SECONDS and isinstance(error, ApiError):
                report(f"{error.problem}; retrying in {state.upcoming_sleep:.0f} s")

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: (
                    isinstance(error, ApiError) and may_retry(request.effect, _outcome_of(error))
                )
            ),
            wait=_wait,
            stop=must_stop,
            sleep=self._sleep,
            before_sleep=before_wait,
            reraise=True,
        )
        return attempts(attempt)

    def _send_once(self, request: Request) -> bytes:
        status, body = None, b""
        start_request()
        started = self._clock()
        try:
            with self._session.request(
                request.method,
                self._base_url + request.path,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
                body = _bounded_body(response)
        except Exception as error:  # noqa: BLE001  any error may come after the request was sent
            # The error's text may hold the URL or a part of the response, so the log has only
            # types.
            kinds = " < ".join(type(cause).__name__ for cause in causes(error))
            sent = "not sent" if not_sent(error) else "may have been sent"
            _LOG.debug("%s %s: %s, %s", request.method, request.path, kinds, sent)
            if status is None or _is_success(status):
                raise self._connection_error(request, error, status) from None
        took = self._clock() - started
        kind_of_body = response.headers.get("Content-Type", "no content type")
        _LOG.debug(
            "%s %s: %d in %.3f s, %d bytes, %s",
            *(request.method, request.path, status, took, len(body), kind_of_body),
        )
        if _is_success(status):
            return body
        kind, what = self._rejection(status, body)
        raise kind(
            f"cannot {request.attempt}: {self._base_url} {what}",
            request.if_maybe_applied if issubclass(kind, ServerError) else request.if_not_applied,
            status=status,
            retry_after_seconds=_retry_after(response),
        )

    def _connection_error(self, request: Request, error: Exception, status: int | None) -> ApiError:
        if status is not None:
            return request.unreadable("its response broke off")
        where = f"cannot {request.attempt}: {self._base_url}"
        if (kept := not_sent(error)) is not None:
            what, transient = kept
            return RequestNotSentError(
                f"{where} {what}", request.if_not_applied, transient=transient
            )
        what = (
            f"gave no response within {READ_TIMEOUT_SECONDS:.0f} s"
            if isinstance(error, requests.Timeout)
            else "closed the connection before it responded"
        )
        return IndeterminateOutcomeError(f"{where} {what}", request.if_maybe_applied)


def _bounded_body(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(64 << 10):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise requests.exceptions.ContentDecodingError("the response is too large")
    return bytes(body)


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date."""
    try:
        return Retry().get_retry_after(response.raw)
    except InvalidHeader:
        return None


def _outcome_of(error: ApiError) -> Outcome:
    """Return the row of the retry table that an error belongs to."""
    match error:
        case RequestNotSentError():
            return Outcome.NOT_CONNECTED if error.transient else Outcome.NOT_TRUSTED
        case RateLimitedError():
            return Outcome.RATE_LIMITED
        case IndeterminateOutcomeError():
            return Outcome.NO_RESPONSE
        case ServerError():
            return Outcome.SERVER_ERROR
        case UnreadableResponseError():
            return Outcome.UNREADABLE
    return Outcome.REJECTED


_backoff = tenacity.wait_exponential(multiplier=0.5, max=15) + tenacity.wait_random(0, 0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: those of the Retry-After header, plus a backoff."""
    error = state.outcome.exception() if state.outcome else None
    required = error.retry_after_seconds if isinstance(error, ResponseStatusError) else None
    return (required or 0.0) + _backoff(state)
