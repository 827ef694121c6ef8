"""A client of one HTTP API: sends a request, classifies what happens, and retries by effect."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import requests
import tenacity
from urllib3.util import Retry

from pulumi_upstash_rotation.errors import (
    ApiError,
    CancelledError,
    IndeterminateOutcomeError,
    RateLimitedError,
    RequestNotSentError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)

from . import cancellation
from .connection import CONNECT_TIMEOUT_SECONDS, causes, new_session, not_sent
from .rate_limit import DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS
from .retries import REJECTIONS, Effect, Outcome, may_retry
from .wire import ATTEMPT_SECONDS, MAX_BYTES, decoded, read_body, start_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests.auth import AuthBase

    from .rate_limit import RateLimit, Waiter

_LOG: Final = logging.getLogger(__name__)

READ_TIMEOUT_SECONDS: Final = ATTEMPT_SECONDS
"""Maximum time of an attempt, from its start to the last byte of its response."""
RETRY_BUDGET_SECONDS: Final = 90.0
"""Maximum time for the attempts of one call and the waits between them. Waits for a rate limit have
a budget of their own."""
MAX_ATTEMPTS: Final = 10
"""Maximum number of attempts of one call. Those that end with a 429 do not count."""
REPORTED_WAIT_SECONDS: Final = 2.0
"""The client reports a wait of this length or longer."""
MAX_RESPONSE_BYTES: Final = MAX_BYTES
"""Limit of a response, headers included, and of its decoded body."""

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
        json: JSON value of the body. None without a body.
    """

    method: Literal["GET", "POST"]
    path: str
    effect: Effect
    attempt: str
    if_not_applied: str = "nothing has changed"
    if_maybe_applied: str = "nothing has changed"
    json: Any = field(default=None, repr=False)

    def unreadable(self, how: str, received: bytes = b"") -> UnreadableResponseError:
        """Return the error for a response with a success status and an unusable body."""
        problem = f"the API accepted the request to {self.attempt}, but {how}"
        return UnreadableResponseError(problem, self.if_maybe_applied, received=received)


class HttpClient:
    """One API, for one user. Threads may share it.

    Args:
        base_url: The API's base URL, without a trailing slash.
        auth: Authenticates each request.
        pool_size: Maximum number of open connections to keep.
        rate_limit: The limit of the account.
        rejection: Explains an error status.
        clock: Returns seconds, from any start.
        sleep: Waits between two attempts, in seconds.
        rate_limit_wait: How long a call waits for the rate limit in total, in seconds.

    Raises:
        ConfigurationError: The trust store cannot be read.
    """

    def __init__(  # noqa: PLR0913  an API, an account and a clock
        self,
        base_url: str,
        auth: AuthBase,
        *,
        pool_size: int,
        rate_limit: RateLimit,
        rejection: Rejection,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        rate_limit_wait: float = DEFAULT_WAIT_SECONDS,
    ) -> None:
        """Prepare the session. It makes no request."""
        self._rate_limit_wait = rate_limit_wait
        self._base_url = base_url
        self._rate_limit = rate_limit
        self._rejection = rejection
        self._clock = clock
        self._sleep = sleep
        self._session = new_session(base_url, pool_size=pool_size)
        self._session.auth = auth

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

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
        try:
            return self._send(request, report)
        except CancelledError as error:
            problem = f"cannot {request.attempt}: {error}"
        if request.effect is Effect.IDEMPOTENT:  # an attempt before the wait may have been applied
            raise IndeterminateOutcomeError(problem, request.if_maybe_applied)
        raise RequestNotSentError(problem, request.if_not_applied, transient=False)

    def _send(self, request: Request, report: Report) -> bytes:
        with self._rate_limit.waiter() as waiter:
            call = _Call(self._rate_limit, waiter, self._rate_limit_wait, self._clock, report)

            def must_stop(state: tenacity.RetryCallState) -> bool:
                # The time in the queue does not count here.
                spent = call.busy_seconds + state.idle_for + state.upcoming_sleep
                return spent >= RETRY_BUDGET_SECONDS or state.attempt_number >= MAX_ATTEMPTS

            def before_wait(state: tenacity.RetryCallState) -> None:
                error = state.outcome.exception() if state.outcome else None
                if state.upcoming_sleep >= REPORTED_WAIT_SECONDS and isinstance(error, ApiError):
                    report(f"{error.problem}; retrying in {state.upcoming_sleep:.0f} s")

            attempts = tenacity.Retrying(
                retry=tenacity.retry_if_exception(
                    lambda error: (
                        isinstance(error, ApiError)
                        and not isinstance(error, RateLimitedError)  # waited for already
                        and may_retry(request.effect, _outcome_of(error))
                    )
                ),
                wait=_wait,
                stop=must_stop,
                sleep=self._sleep,
                before_sleep=before_wait,
                reraise=True,
            )
            return attempts(call.until_not_rate_limited, lambda: self._send_once(request), request)

    def _send_once(self, request: Request) -> bytes:
        if request.effect is Effect.NON_IDEMPOTENT:
            cancellation.check()
        response, came = None, bytearray()
        start_attempt(READ_TIMEOUT_SECONDS, MAX_RESPONSE_BYTES)
        started = self._clock()
        complete = False
        try:
            with self._session.request(
                request.method,
                self._base_url + request.path,
                json=request.json,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                read_body(response, came)
                complete = True
        except Exception as error:  # noqa: BLE001  any error may come after the request was sent
            # The error's text may hold the URL or a part of the response, so the log has only
            # types.
            kinds = " < ".join(type(cause).__name__ for cause in causes(error))
            sent = "not sent" if not_sent(error) else "may have been sent"
            _LOG.debug("%s %s: %s, %s", request.method, request.path, kinds, sent)
            if response is None:
                raise self._connection_error(request, error) from None
        status = response.status_code
        body, all_decoded = decoded(bytes(came), response.headers.get("Content-Encoding", ""))
        _LOG.debug(
            "%s %s: %d in %.3f s, %d bytes, %s",
            *(request.method, request.path, status, self._clock() - started, len(came)),
            response.headers.get("Content-Type", "no content type"),
        )
        if not _is_success(status):
            raise self._status_error(request, status, body, _retry_after(response))
        if not (complete and all_decoded):
            raise request.unreadable("its response broke off", body)
        return body

    def _status_error(
        self, request: Request, status: int, body: bytes, retry_after: float | None
    ) -> ApiError:
        where = f"cannot {request.attempt}: {self._base_url}"
        if request.effect is Effect.NON_IDEMPOTENT and not (
            status in {*REJECTIONS, HTTPStatus.TOO_MANY_REQUESTS}
            or HTTPStatus.INTERNAL_SERVER_ERROR <= status < _NO_STATUS
        ):
            what = f"responded with an unexpected status ({status})"
            return IndeterminateOutcomeError(f"{where} {what}", request.if_maybe_applied)
        kind, what = self._rejection(status, body)
        # A call never waits longer than its budget, so a larger number has no use.
        wait = None if retry_after is None else min(retry_after, self._rate_limit_wait)
        effect = (
            request.if_maybe_applied if issubclass(kind, ServerError) else request.if_not_applied
        )
        return kind(f"{where} {what}", effect, status=status, retry_after_seconds=wait)

    def _connection_error(self, request: Request, error: Exception) -> ApiError:
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


class _Call:
    """One call's waits for the rate limit.

    Attributes:
        busy_seconds: Time of all attempts that did not end with a 429.
    """

    def __init__(
        self,
        limit: RateLimit,
        waiter: Waiter,
        patience: float,
        clock: Callable[[], float],
        report: Report,
    ) -> None:
        self._limit = limit
        self._waiter = waiter
        self._patience = patience
        self._clock = clock
        self._report = report
        self._reported_at = clock()
        self._rate_limited: RateLimitedError | None = None
        self._times = 0
        self.busy_seconds = 0.0

    def until_not_rate_limited(self, attempt: Callable[[], bytes], request: Request) -> bytes:
        """Return the result of the first attempt that does not end with a 429.

        Raises:
            RateLimitedError: The budget is used up.
            RequestNotSentError: It was used up before the first attempt.
            ApiError: As for `HttpClient.send()`.
        """
        while True:
            with self._limit.acquire(self._waiter, lambda pause: self._waiting(request, pause)):
                began = self._clock()
                try:
                    return attempt()
                except RateLimitedError as error:
                    began = self._clock()
                    self._rate_limited = error
                    self._times += 1
                    pause = self._pause(error)
                    self._limit.on_rate_limited(self._waiter, pause)
                    if self._waited() + pause >= self._patience:
                        raise
                    self._report_pause(error, pause)
                finally:
                    self.busy_seconds += self._clock() - began

    def _pause(self, error: RateLimitedError) -> float:
        """Return how long to wait: as the server asks, and longer if it repeats its 429."""
        required = (error.retry_after_seconds or 0.0) + random.uniform(0, 0.5)  # noqa: S311  jitter
        backoff: float = min(0.25 * 2 ** min(self._times, 6), 15)
        return max(required, backoff)

    def _waited(self) -> float:
        since = self._waiter.limited_at
        return 0.0 if since is None else self._clock() - since

    def _report_pause(self, error: RateLimitedError, pause: float) -> None:
        silent = self._clock() - self._reported_at
        first = self._times == 1 or silent >= LONGEST_WAIT_SECONDS / 2
        if (pause >= REPORTED_WAIT_SECONDS and first) or silent >= LONGEST_WAIT_SECONDS:
            self._say(f"{error.problem}; retrying in {pause:.0f} s")

    def _waiting(self, request: Request, pause: float) -> None:
        """Report a long wait, or end one that takes too long."""
        cancellation.check()
        if self._waiter.limited_at is not None and self._waited() + pause >= self._patience:
            if self._rate_limited:
                raise self._rate_limited
            what = f"the API has limited its requests for {self._patience:g} s"
            raise RequestNotSentError(
                f"cannot {request.attempt}: {what}", request.if_not_applied, transient=False
            )
        if self._clock() - self._reported_at >= LONGEST_WAIT_SECONDS:
            self._say(f"waiting to {request.attempt}, because the API limits its requests")

    def _say(self, line: str) -> None:
        self._reported_at = self._clock()
        self._report(line)


_NO_STATUS: Final = 600
"""The first number that is no HTTP status."""


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date. It never raises.

    The largest of several counts. None if there is no usable one.
    """
    try:
        values = response.raw.headers.getlist("Retry-After")
        found = [seconds for value in values if (seconds := _seconds(value.strip())) is not None]
        return max(found, default=None)
    except Exception:  # noqa: BLE001  a server may send anything
        return None


def _seconds(value: str) -> float | None:
    if value.isascii() and value.isdecimal():
        return float(value)  # infinite if it has too many digits
    try:
        return Retry().parse_retry_after(value)
    except Exception:  # noqa: BLE001  a date of any kind
        return None


def _outcome_of(error: ApiError) -> Outcome:
    """Return the row of the retry table that an error belongs to."""
    outcome = Outcome.REJECTED
    match error:
        case RequestNotSentError():
            outcome = Outcome.NOT_CONNECTED if error.transient else Outcome.NOT_TRUSTED
        case RateLimitedError():
            outcome = Outcome.RATE_LIMITED
        case IndeterminateOutcomeError():
            outcome = Outcome.NO_RESPONSE
        case ServerError():
            outcome = Outcome.SERVER_ERROR
        case UnreadableResponseError():
            outcome = Outcome.UNREADABLE
        case ResponseStatusError() if error.status not in REJECTIONS:
            outcome = Outcome.OTHER_STATUS
    return outcome


_backoff = tenacity.wait_exponential(multiplier=0.5, max=15) + tenacity.wait_random(0, 0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: those of the Retry-After header, plus a backoff."""
    error = state.outcome.exception() if state.outcome else None
    required = error.retry_after_seconds if isinstance(error, ResponseStatusError) else None
    return (required or 0.0) + _backoff(state)
