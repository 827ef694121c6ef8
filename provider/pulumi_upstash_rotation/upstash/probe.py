"""Whether a database accepts its new credential and rejects the previous one.

The probe logs in over Redis with TLS. If that is not possible, it uses the REST API. An ACL user's
token is tried over both.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import ssl
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import requests
from tenacity import Retrying, retry_if_result, stop_before_delay, wait_exponential
from urllib3.exceptions import HTTPError

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.http import background
from pulumi_upstash_rotation.http.authentication import Bearer
from pulumi_upstash_rotation.http.connection import causes, new_session, trust_store
from pulumi_upstash_rotation.http.wire import read_body, start_attempt
from pulumi_upstash_rotation.values import Verification

from .redis_login import RedisLogin, UnexpectedReplyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pulumi_upstash_rotation.http.client import Report

    from .credentials import Credentials, UserLogin
    from .database import Database

RESPONSE_TIMEOUT_SECONDS: Final = 3.0
"""Maximum time for one try of a database: connection, handshake, and both logins or requests."""
REPORTED_WAIT_SECONDS: Final = 2.0
"""The probe reports a wait that is longer."""
ROUNDS_IF_UNREACHABLE: Final = 4
"""Number of tries of a way that cannot be reached, such as Redis behind a strict firewall,
if the other way accepts the token."""
MAX_PONG_BYTES: Final = 64 << 10
"""Limit of one response over REST, headers included."""

_LOG: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

Accepts: TypeAlias = "Callable[[str, str | None, float], tuple[bool, bool]]"
"""Returns whether a new and a previous credential are accepted; raises `UnreachableError`.

The third argument is the maximum time, in seconds.
"""

Found: TypeAlias = "Callable[[Verification], object]"
"""Takes a result. The last one counts."""


class UnreachableError(Exception):
    """A login or request did not get a usable response. The text states why."""


@dataclass(frozen=True)
class _Plane:
    """One way to reach a database, Redis or REST.

    Attributes:
        name: As in "NAME accepts the new password".
        kind: Name of a credential, such as `password` or `token`.
        new: The new credential, which the database must accept.
        previous: The previous one, which it must reject. None if it is not known.
        accepts: Tries both credentials.
    """

    name: str
    kind: str
    new: str = field(repr=False)
    previous: str | None = field(repr=False)
    accepts: Accepts


def verify(
    database: Database,
    previous: Credentials,
    *,
    timeout_seconds: float,
    report: Report = _LOG.info,
) -> Verification:
    """Log in to a database with its new credential, and try to with the previous one.

    It repeats until the new credential has reached the database, or the time is up. It never
    raises. No text holds a credential.

    Args:
        database: The database with its new credentials, as far as they are known.
        previous: The previous credentials, as far as they are known.
        timeout_seconds: Maximum time in total.
        report: Shows a line to a user when the verification takes long.
    """
    return _last_finding(
        lambda found: found(_verify(database, previous, timeout_seconds)),
        database.label,
        timeout_seconds,
        report,
    )


def verify_user(
    login: UserLogin, *, timeout_seconds: float, report: Report = _LOG.info
) -> Verification:
    """Log in as an ACL user with its token, over Redis if that has TLS, and over REST.

    It repeats until both accept the token, or the time is up. If one accepts it, the other is tried
    only a few times if it cannot be reached. It never raises. No text holds the token.

    Args:
        login: The user, its token and the database's URLs.
        timeout_seconds: Maximum time in total.
        report: Shows a line to a user when the verification takes long.
    """
    return _last_finding(
        lambda found: _verify_user(login, timeout_seconds, found),
        login.label,
        timeout_seconds,
        report,
    )


def accepts_token(rest_url: str, token: str, *, timeout_seconds: float) -> bool | None:
    """Return whether the REST API accepts a token now. None if that cannot be determined.

    It tries once. It never raises.

    Args:
        rest_url: Base URL for REST clients.
        token: A token of any user.
        timeout_seconds: Maximum time.
    """
    found: list[bool] = []

    def find() -> None:
        found.append(_rest(rest_url, of_any_user=True)(token, None, timeout_seconds)[0])

    with contextlib.suppress(Exception):
        _in_a_thread(find, timeout_seconds, lambda: None)
    return found[-1] if found else None


def _last_finding(
    find: Callable[[Found], object], label: str, seconds: float, report: Report
) -> Verification:
    """Return the last result that a function has found within some time."""
    findings: list[Verification] = []

    def guarded() -> None:
        try:
            find(findings.append)
        except BaseException as error:  # noqa: BLE001  an error could lose the new password
            # The text of an unexpected error may hold a secret, so the message has only its type.
            findings.append(_not_verified(f"unexpected {type(error).__name__}; please report it"))

    def report_wait() -> None:
        report(f"waiting up to {seconds:g} s for {label} to accept the new credential")

    try:
        _in_a_thread(guarded, seconds, report_wait)
        if findings:
            return findings[-1]
        return _not_verified(f"the database gave no response within {seconds:g} s")
    except Exception as error:  # noqa: BLE001  same
        return _not_verified(f"unexpected {type(error).__name__}; please report it")


def _in_a_thread(find: Callable[[], None], seconds: float, report_wait: Callable[[], None]) -> None:
    """Call a function for some time. It has a thread of its own, because DNS has no timeout."""
    try:
        ended = background.start(find)
    except (RuntimeError, MemoryError):  # no more threads: DNS may then hold the caller up
        find()
        return
    if not ended(min(REPORTED_WAIT_SECONDS, seconds)) and seconds > REPORTED_WAIT_SECONDS:
        with contextlib.suppress(Exception):  # a lost line is better than a lost password
            report_wait()
        ended(seconds - REPORTED_WAIT_SECONDS)


def _not_verified(why: str) -> Verification:
    return Verification(verified=False, message=f"not verified: {why}")


def _verify(database: Database, previous: Credentials, timeout_seconds: float) -> Verification:
    ends_at = time.monotonic() + timeout_seconds
    problems = []
    for plane in _planes(database, previous):
        try:
            response = _final_response(plane, max(0.0, ends_at - time.monotonic()))
            _LOG.debug("%s accepts the new %s, the previous: %s", plane.name, plane.kind, response)
            return _judge(plane, response, timeout_seconds)
        except UnreachableError as error:  # noqa: PERF203  try the next plane
            problems.append(f"{plane.name} {error}")
    return _not_verified("; ".join(problems) or "the API does not return the new credentials")


def _verify_user(login: UserLogin, timeout_seconds: float, found: Found) -> None:
    """Try each way that has not accepted the token, one after the other, until none is left."""
    ends_at = time.monotonic() + timeout_seconds
    ways: dict[str, Accepts] = {"REST": _rest(login.rest_url, of_any_user=True)}
    if login.redis_url and login.redis_url.startswith("rediss:"):
        ways = {"Redis": _redis(login.redis_url, login.user), **ways}
    # Whether a way accepts the token, or why it has not answered.
    answers: dict[str, bool | str] = dict.fromkeys(
        ways, f"gave no response within {timeout_seconds:g} s"
    )

    rounds = itertools.count(1)

    def is_final() -> bool:
        pending = [name for name in ways if answers[name] is not True]
        for number, name in enumerate(pending):
            share = (ends_at - time.monotonic()) / (len(pending) - number)
            try:
                accepts, _ = ways[name](login.token, None, min(RESPONSE_TIMEOUT_SECONDS, share))
                answers[name] = accepts
            except UnreachableError as error:
                answers[name] = answers[name] and str(error)  # a rejection stays
            _LOG.debug("%s accepts the token of %s: %s", name, login.label, answers[name])
            found(_judge_user(answers, timeout_seconds))
        if next(rounds) >= ROUNDS_IF_UNREACHABLE and True in answers.values():
            return False not in answers.values()
        return all(answer is True for answer in answers.values())

    _repeat(is_final, until=True, timeout_seconds=timeout_seconds)


def _judge_user(answers: Mapping[str, bool | str], seconds: float) -> Verification:
    rejecting = [name for name, answer in answers.items() if answer is False]
    problems = [f"{name} {answer}" for name, answer in answers.items() if isinstance(answer, str)]
    if rejecting:
        what = f"{' and '.join(rejecting)} did not accept the new token within {seconds:g} s"
        return Verification(verified=False, message="; ".join([what, *problems]), rejected=True)
    if problems:
        return _not_verified("; ".join(problems))
    accept = "accept" if len(answers) > 1 else "accepts"
    return Verification(verified=True, message=f"{' and '.join(answers)} {accept} the new token")


def _final_response(plane: _Plane, timeout_seconds: float) -> tuple[bool, bool]:
    """Repeat until only the new credential works. Return the last response."""
    ends_at = time.monotonic() + timeout_seconds

    def accepts() -> tuple[bool, bool]:
        seconds = min(RESPONSE_TIMEOUT_SECONDS, ends_at - time.monotonic())
        return plane.accepts(plane.new, plane.previous, seconds)

    return _repeat(accepts, until=(True, False), timeout_seconds=timeout_seconds)


def _repeat(attempt: Callable[[], _T], *, until: _T, timeout_seconds: float) -> _T:
    """Repeat until the response is this one, or the time is up. Return the last response."""
    attempts = Retrying(
        retry=retry_if_result(lambda response: response != until),
        wait=wait_exponential(multiplier=0.1, max=1),
        stop=stop_before_delay(0.9 * timeout_seconds),  # leaves time for the last response
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    return attempts(attempt)


def _judge(plane: _Plane, response: tuple[bool, bool], seconds: float) -> Verification:
    accepted, previous_accepted = response
    if not accepted:
        what = f"{plane.name} did not accept the new {plane.kind} within {seconds:g} s"
        advice = "If a user reset it outside Pulumi meanwhile, `pulumi refresh` stores the live one"
        return Verification(verified=False, message=f"{what}. {advice}", rejected=True)
    accepts = f"{plane.name} accepts the new {plane.kind}"
    if previous_accepted:
        what = f"{accepts}, but still accepts the previous one after {seconds:g} s"
        return Verification(verified=False, message=what)
    if plane.previous is None:
        what = f"{plane.name} accepts the {plane.kind}; the previous one is not known"
        return Verification(verified=True, message=what)
    return Verification(verified=True, message=f"{accepts} and rejects the previous one")


def _planes(database: Database, previous: Credentials) -> Iterator[_Plane]:
    """Yield the ways to reach a database, the best one first."""
    urls, new, known_previous = database.urls, database.credentials.known(), previous.known()
    # Without TLS the network could read the password. REST always has TLS.
    planes: tuple[tuple[str, str, str, str, Callable[[str], Accepts]], ...] = (
        ("Redis", "password", "password", "rediss:", _redis),
        ("REST", "token", "rest_token", "https:", _rest),
    )
    for (name, kind, credential, scheme, how), url in zip(
        planes, (urls.get("redis_url"), urls.get("rest_url")), strict=True
    ):
        if url and url.startswith(scheme) and credential in new:
            last = known_previous.get(credential)
            to_reject = None if last == new[credential] else last
            yield _Plane(name, kind, new[credential], to_reject, how(url))


_FAILURES: Final = (
    *(OSError, EOFError, ValueError, OverflowError, RecursionError),
    *(HTTPError, UnexpectedReplyError, ConfigurationError),
)


def _redis(url: str, user: str | None = None) -> Accepts:
    """Return a function that logs in over Redis with TLS, twice on one connection if possible."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0

    def accepts(new: str, previous: str | None, seconds: float) -> tuple[bool, bool]:
        ends_at = time.monotonic() + seconds
        try:
            with RedisLogin(host, port, seconds) as login:
                if not login.accepts(new, user):
                    return False, False
                if previous is None:
                    return True, False
                with contextlib.suppress(EOFError):
                    return True, login.accepts(previous, user)
            # A server may close the connection instead of a reply. A new one shows what it means.
            with RedisLogin(host, port, ends_at - time.monotonic()) as login:
                return True, login.accepts(previous, user)
        except _FAILURES as error:
            raise UnreachableError(_why(error)) from None

    return accepts


def _rest(url: str, *, of_any_user: bool = False) -> Accepts:
    """Return a function that sends a PING over the REST API with each token.

    The rules of an ACL user may forbid PING. The error that says so proves the login.
    """

    def responds_to(session: requests.Session, token: str, seconds: float) -> bool:
        if seconds <= 0:
            raise TimeoutError
        start_attempt(seconds, MAX_PONG_BYTES)
        body = bytearray()
        with session.get(
            f"{url}/ping", auth=Bearer(token), timeout=seconds, allow_redirects=False, stream=True
        ) as response:
            if response.status_code != HTTPStatus.UNAUTHORIZED or of_any_user:
                read_body(response, body)
        return _judge_pong(response.status_code, body, of_any_user=of_any_user)

    def accepts(new: str, previous: str | None, seconds: float) -> tuple[bool, bool]:
        if of_any_user and not url.startswith("https:"):
            raise UnreachableError("was not tried: its URL has no TLS")
        ends_at = time.monotonic() + seconds
        try:
            with new_session(url) as session:
                if not responds_to(session, new, seconds):
                    return False, False
                return True, previous is not None and responds_to(
                    session, previous, ends_at - time.monotonic()
                )
        except _FAILURES as error:
            raise UnreachableError(_why(error)) from None

    return accepts


def _judge_pong(status: int, body: bytearray, *, of_any_user: bool) -> bool:
    """Return whether the response to a PING accepts the token."""
    if of_any_user and _forbids(body):
        return True
    if status == HTTPStatus.UNAUTHORIZED:
        return False
    if status < HTTPStatus.BAD_REQUEST and json.loads(body) == {"result": "PONG"}:
        return True
    raise UnreachableError(f"gave an unexpected response ({status})")


def _forbids(body: bytearray) -> bool:
    """Return whether a response states that the user may not run the command."""
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(response, dict) and str(response.get("error")).startswith("NOPERM")


def prepare() -> None:
    """Load what a verification needs, so that it neither waits for it nor fails for the lack of it.

    Raises:
        ConfigurationError: The trust store cannot be read.
    """
    trust_store("redis")


def _why(error: BaseException) -> str:
    """Return why there was no usable response, without the error's own text."""
    if isinstance(error, ConfigurationError):
        return f"was not tried: {error}"
    wrapped = list(causes(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in wrapped):
        return "has an untrusted certificate (add its authority with REQUESTS_CA_BUNDLE)"
    if any(isinstance(each, TimeoutError | requests.Timeout) for each in wrapped):
        return f"was silent for {RESPONSE_TIMEOUT_SECONDS:g} s"
    if any(isinstance(each, ssl.SSLError) for each in wrapped):
        return "failed the TLS handshake"
    if isinstance(error, requests.RequestException):
        unreached = isinstance(error, requests.ConnectionError)
    else:
        unreached = isinstance(error, OSError | EOFError | UnicodeError | OverflowError)
    if unreached:
        return "could not be reached"
    return "gave an unexpected response"
