"""One call of the Upstash Developer API over HTTP: how it is sent, classified and made again.

| what happened                             | GET   | POST reset-password               |
| ----------------------------------------- | ----- | --------------------------------- |
| no connection: refused, timed out, no DNS | again | again, it never left              |
| broken off while it was being made        | again | again, it never left              |
| certificate, TLS or proxy refused         | no    | no, it never left                 |
| 429                                       | again | again, the API did not look at it |
| connection lost, read timeout, 5xx        | again | no, it may have been applied      |
| any other status                          | no    | no                                |
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

import requests
import tenacity
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from .errors import (
    ApiConnectionError,
    ApiContractError,
    ApiError,
    ApiOutcomeUnknownError,
    ApiStatusError,
    AuthenticationError,
    DatabaseNotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from .throttle import Throttle
from .wire import CONNECT_TIMEOUT_SECONDS, causes, new_session, not_sent, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

_LOG: Final = logging.getLogger(__name__)

READ_TIMEOUT_SECONDS: Final = 60.0
"""Longest silence while waiting for an answer."""
RETRY_BUDGET_SECONDS: Final = 90.0
"""How long one call may go on being made again, waits included."""
MAX_ATTEMPTS: Final = 10
TELLING_WAIT_SECONDS: Final = 2.0
"""A person is told of a wait that is longer."""
MAX_ANSWER_BYTES: Final = 8 << 20
"""A Database object has 2 KB."""


@dataclass(frozen=True)
class Call:
    """One call as its errors speak of it.

    Attributes:
        path: Path below the API's base URL, escaped.
        attempt: What is being tried, as in "cannot ATTEMPT".
    """

    method: Literal["GET", "POST"]
    path: str
    attempt: str

    @property
    def nothing_happened(self) -> str:
        """What to say when the request was surely not applied."""
        return "the password has not changed" if self.method == "POST" else "nothing has changed"

    @property
    def if_applied(self) -> str:
        """What to say when the request may have been applied."""
        return "the password may have changed" if self.method == "POST" else "nothing has changed"

    def unreadable(self, how: str) -> ApiContractError:
        """Return the error of an answer that reports success and can't be used."""
        problem = f"the API was asked to {self.attempt} and reported success, but {how}"
        return ApiContractError(problem, self.if_applied)


class Transport:
    """HTTP to the Developer API, for one account; safe to share between threads.

    Args:
        settings: The account and the API's base URL.
        tell: Tells a person why there is a long wait, a line each; called where the wait is.
        clock: The time in seconds, from any start.
        sleep: Waits between two attempts, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tell: Callable[[str], None] = _LOG.info,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare the session; no request is made."""
        self._api_url = settings.api_url
        self.tell = tell
        self._clock = clock
        self._sleep = sleep
        self._throttle = Throttle(settings.max_concurrency, clock=clock, sleep=sleep)
        self._session = new_session(settings)

    def request(self, call: Call) -> bytes:
        """Return the body of a successful answer, after as many attempts as the table allows.

        Raises:
            ApiConnectionError: The request never left.
            ApiOutcomeUnknownError: It left, and may have been applied.
            ApiContractError: The API reports success in an answer that broke off.
            ApiStatusError: The API refused, or failed on the way (`ServerError`).
        """
        ticket = self._throttle.ticket()

        def attempt() -> bytes:
            with self._throttle.turn(ticket):
                return self._request_once(call)

        def must_end(state: tenacity.RetryCallState) -> bool:
            now = self._clock()
            # What passes before a call's first turn is not its own.
            spent = now - (now if ticket.began_at is None else ticket.began_at)
            too_long = spent + state.upcoming_sleep >= RETRY_BUDGET_SECONDS
            return too_long or state.attempt_number >= MAX_ATTEMPTS

        def before_waiting(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, RateLimitError):
                self._throttle.slow_down(ticket, state.upcoming_sleep)
            if state.upcoming_sleep >= TELLING_WAIT_SECONDS and isinstance(error, ApiError):
                self.tell(f"{error.problem}; trying again in {state.upcoming_sleep:.0f} s")

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(call, error)),
            wait=_wait,
            stop=must_end,
            sleep=self._sleep,
            before_sleep=before_waiting,
            reraise=True,
        )
        return attempts(attempt)

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._sleep(seconds)

    def _request_once(self, call: Call) -> bytes:
        status, body = None, b""
        wire.open = True
        started = self._clock()
        try:
            with self._session.request(
                call.method,
                self._api_url + call.path,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as answer:
                status = answer.status_code
                body = _bounded_body(answer)
        except Exception as error:  # noqa: BLE001  whatever it is, the request may have been sent
            # Its text holds the URL and, at worst, a piece of the answer.
            kinds = " < ".join(type(cause).__name__ for cause in causes(error))
            _LOG.debug("%s %s: %s, wire open: %s", call.method, call.path, kinds, wire.open)
            if status is None or _is_success(status):
                raise self._transport_error(call, error, status) from None
        took = self._clock() - started
        kind_of_body = answer.headers.get("Content-Type", "no content type")
        _LOG.debug(
            "%s %s: %d in %.3f s, %d bytes, %s",
            *(call.method, call.path, status, took, len(body), kind_of_body),
        )
        if _is_success(status):
            return body
        kind, what = _status_meaning(status, body)
        changed = call.if_applied if kind is ServerError else call.nothing_happened
        raise kind(
            f"cannot {call.attempt}: {self._api_url} {what}",
            changed,
            status=status,
            retry_after_seconds=_retry_after(answer),
        )

    def _transport_error(self, call: Call, error: Exception, status: int | None) -> ApiError:
        if status is not None:
            return call.unreadable("its answer broke off")
        where = f"cannot {call.attempt}: {self._api_url}"
        if (kept := not_sent(error)) is not None:
            what, passing = kept
            return ApiConnectionError(f"{where} {what}", call.nothing_happened, passing=passing)
        what = (
            f"gave no answer within {READ_TIMEOUT_SECONDS:.0f} s"
            if isinstance(error, requests.Timeout)
            else "closed the connection before it had answered"
        )
        return ApiOutcomeUnknownError(f"{where} {what}", call.if_applied)


def _bounded_body(answer: requests.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_content(64 << 10):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise requests.exceptions.ContentDecodingError("the answer is too large")
    return bytes(body)


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


_REFUSALS: Final[dict[int, tuple[type[ApiStatusError], str]]] = {
    401: (
        AuthenticationError,
        (
            "refused the e-mail and API key (401): use a Developer API key of a native Upstash "
            "account, with that account's e-mail"
        ),
    ),
    403: (PermissionDeniedError, "does not permit it with this API key (403)"),
    404: (DatabaseNotFoundError, "knows no such database in this account (404)"),
    429: (RateLimitError, "is still limiting requests (429): try again later"),
}


def _status_meaning(status: int, body: bytes) -> tuple[type[ApiStatusError], str]:
    """Return the error of a status, and what it means in words; `body` is only looked at."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError, f"failed ({status})"
    if status < HTTPStatus.BAD_REQUEST:
        return ApiStatusError, f"answered with a redirect, which is not followed ({status})"
    if b"readonly api key" in body.lower():
        what = f"refused because the API key is read-only ({status}): use a key that may write"
        return PermissionDeniedError, what
    if b"suspended" in body.lower():
        what = f"refused because the database is suspended ({status}): resume it in the console"
        return ApiStatusError, what
    return _REFUSALS.get(status, (ApiStatusError, f"refused the request ({status})"))


def _retry_after(answer: requests.Response) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
    try:
        return Retry().get_retry_after(answer.raw)
    except InvalidHeader:
        return None


def _may_repeat(call: Call, error: BaseException) -> bool:
    """Say whether a failed call may be made again: the table at the top of this module."""
    if isinstance(error, RateLimitError):
        return True
    if isinstance(error, ApiConnectionError):
        return error.passing
    return call.method == "GET" and isinstance(error, ApiOutcomeUnknownError | ServerError)


_backoff = tenacity.wait_exponential(multiplier=0.5, max=15) + tenacity.wait_random(0, 0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: what the API asks for and a little more, else a backoff."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, ApiStatusError) else None
    return (asked or 0.0) + _backoff(state)
