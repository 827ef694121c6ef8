"""Whether a database accepts its new credential and rejects the previous one.

The probe logs in over Redis with TLS. If that is not possible, it uses the REST API.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

import redis
import requests
import tenacity

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.http.connection import causes, new_session, trust_store
from pulumi_upstash_rotation.values import Verification

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from pulumi_upstash_rotation.http.client import Report

    from .credentials import Credentials
    from .database import Database

RESPONSE_TIMEOUT_SECONDS: Final = 3.0
"""Maximum time for one response of a database."""
REPORTED_WAIT_SECONDS: Final = 2.0
"""The probe reports a wait that is longer."""
MAX_PONG_BYTES: Final = 1024

_LOG: Final = logging.getLogger(__name__)

Accepts: TypeAlias = "Callable[[str, str | None], tuple[bool, bool]]"
"""Returns whether a new and a previous credential are accepted; raises `UnreachableError`."""


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
    findings = [_not_verified(f"the database gave no response within {timeout_seconds:g} s")]

    def find() -> None:
        try:
            findings.append(_verify(database, previous, timeout_seconds))
        except Exception as error:  # noqa: BLE001  an error could lose the new password
            # The text of an unexpected error may hold a secret, so the message has only its type.
            findings.append(_not_verified(f"unexpected {type(error).__name__}; please report it"))

    # This runs in a thread, because a DNS lookup has no timeout.
    thread = threading.Thread(target=find, daemon=True)
    thread.start()
    thread.join(min(REPORTED_WAIT_SECONDS, timeout_seconds))
    if thread.is_alive() and timeout_seconds > REPORTED_WAIT_SECONDS:
        report(f"waiting up to {timeout_seconds:g} s for the database to accept the new credential")
        thread.join(timeout_seconds - REPORTED_WAIT_SECONDS)
    return findings[-1]


def _not_verified(why: str) -> Verification:
    return Verification(verified=False, message=f"not verified: {why}")


def _verify(database: Database, previous: Credentials, timeout_seconds: float) -> Verification:
    problems = []
    for plane in _planes(database, previous):
        try:
            response = _final_response(plane, timeout_seconds)
            _LOG.debug("%s accepts the new %s, the previous: %s", plane.name, plane.kind, response)
            return _judge(plane, response, timeout_seconds)
        except UnreachableError as error:  # noqa: PERF203  try the next plane
            problems.append(f"{plane.name} {error}")
    return _not_verified("; ".join(problems) or "the API does not return the new credentials")


def _final_response(plane: _Plane, timeout_seconds: float) -> tuple[bool, bool]:
    """Repeat until only the new credential works. Return the last response."""
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda response: response != (True, False)),
        wait=tenacity.wait_exponential(multiplier=0.1, max=1),
        stop=tenacity.stop_before_delay(0.9 * timeout_seconds),  # leaves time for the last response
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    response: tuple[bool, bool] = attempts(plane.accepts, plane.new, plane.previous)
    return response


def _judge(plane: _Plane, response: tuple[bool, bool], seconds: float) -> Verification:
    accepted, previous_accepted = response
    if not accepted:
        what = f"{plane.name} did not accept the new {plane.kind} within {seconds:g} s"
        advice = "If a user reset it outside Pulumi meanwhile, `pulumi refresh` stores the live one"
        return Verification(verified=False, message=f"{what}. {advice}")
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


def _redis(url: str) -> Accepts:
    """Return a function that logs in over Redis with TLS, twice on one connection."""
    parts = urlsplit(url)

    def accepts(new: str, previous: str | None) -> tuple[bool, bool]:
        connection = _TrustingConnection(
            host=parts.hostname or "",
            port=parts.port or 0,
            password=new,
            protocol=2,
            socket_connect_timeout=RESPONSE_TIMEOUT_SECONDS,
            socket_timeout=RESPONSE_TIMEOUT_SECONDS,
        )
        try:
            try:
                connection.connect()
            except redis.AuthenticationError:
                return False, False
            return True, previous is not None and _logs_in(connection, previous)
        except (redis.RedisError, ConfigurationError) as error:
            raise UnreachableError(_why(error)) from None
        finally:
            connection.disconnect()

    return accepts


def _logs_in(connection: redis.Connection, password: str) -> bool:
    connection.send_command("AUTH", password)
    try:
        connection.read_response()
    except redis.AuthenticationError:
        return False
    return True


class _TrustingConnection(redis.Connection):
    """A TLS connection with the trust store. redis-py would load all authorities each time."""

    def _connect(self) -> ssl.SSLSocket:
        sock: socket.socket = super()._connect()
        try:
            return trust_store("redis").wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise


def _rest(url: str) -> Accepts:
    """Return a function that sends a PING over the REST API with each token."""

    def responds_to(session: requests.Session, token: str) -> bool:
        with session.get(
            f"{url}/ping",
            headers={"Authorization": f"Bearer {token}"},
            timeout=RESPONSE_TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                return False
            body = next(response.iter_content(MAX_PONG_BYTES), b"")
        if response.ok and json.loads(body) == {"result": "PONG"}:
            return True
        raise UnreachableError(f"gave an unexpected response ({response.status_code})")

    def accepts(new: str, previous: str | None) -> tuple[bool, bool]:
        try:
            with new_session(url) as session:
                accepted = responds_to(session, new)
                return accepted, accepted and previous is not None and responds_to(
                    session, previous
                )
        except (requests.RequestException, ConfigurationError, ValueError) as error:
            raise UnreachableError(_why(error)) from None

    return accepts


def prepare() -> None:
    """Load the trust store, so that the first verification does not wait for it."""
    trust_store("redis")


def _why(error: BaseException) -> str:
    """Return why there was no usable response, without the error's own text."""
    if isinstance(error, ConfigurationError):
        return f"was not tried: {error}"
    wrapped = list(causes(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in wrapped):
        return "has an untrusted certificate (add its authority with REQUESTS_CA_BUNDLE)"
    if any(isinstance(each, ssl.SSLError) for each in wrapped):
        return "failed the TLS handshake"
    if isinstance(error, redis.ConnectionError | requests.ConnectionError):
        return "could not be reached"
    if isinstance(error, redis.TimeoutError | requests.Timeout):
        return f"was silent for {RESPONSE_TIMEOUT_SECONDS:g} s"
    return "gave an unexpected response"
