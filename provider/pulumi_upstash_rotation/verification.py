"""Whether a database really accepts its new credential and refuses the old one.

Asked of the database itself: over Redis with TLS or, where only HTTP gets out, over its REST API.
A certificate has to come from an authority that this machine trusts (SSL_CERT_FILE), certifi's list
where it trusts none, or from one that REQUESTS_CA_BUNDLE names.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import ssl
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

import certifi
import redis
import requests
import tenacity
from requests.adapters import HTTPAdapter

from .outputs import urls
from .settings import is_loopback
from .state import Verification

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from .models import Database

ANSWER_TIMEOUT_SECONDS: Final = 3.0
"""Longest silence of a database before it counts as out of reach."""
TELLING_WAIT_SECONDS: Final = 2.0
"""A person is told of a wait that is longer."""
MAX_PONG_BYTES: Final = 1024

_LOG: Final = logging.getLogger(__name__)

Accepts: TypeAlias = "Callable[[str, str | None], tuple[bool, bool]]"
"""Says of a new and an old credential whether they are accepted; raises `UnreachableError`."""


class UnreachableError(Exception):
    """A database could not be asked; the text says why."""


@dataclass(frozen=True)
class _Way:
    """A way to ask a database.

    Attributes:
        name: As in "NAME accepts the new password".
        kind: What a credential is called there.
        new: The credential that has to be accepted.
        old: The one that has to be refused, where it is known.
        accepts: How to ask.
    """

    name: str
    kind: str
    new: str = field(repr=False)
    old: str | None = field(repr=False)
    accepts: Accepts


def verify(
    database: Database,
    before: Mapping[str, str],
    *,
    timeout_seconds: float,
    tell: Callable[[str], None] = _LOG.info,
) -> Verification:
    """Log in to a database with its new credential, and try to with its old one.

    A change that has not reached the database yet is waited for. Nothing raises, and no credential
    is in any text.

    Args:
        database: The database with its new credentials, where they are known.
        before: The credentials before, as far as they are known, by the API's names.
        timeout_seconds: How long it may take in all.
        tell: Tells a person what takes time, a line each.
    """
    findings = [_not_verified(f"the database gave no answer within {timeout_seconds:g} s")]

    def find() -> None:
        try:
            findings.append(_verify(database, before, timeout_seconds))
        except Exception as error:  # noqa: BLE001  nothing may fail after a reset
            # The text of a foreign error may hold a credential; its type has to do.
            findings.append(_not_verified(f"unexpected {type(error).__name__}: please report it"))

    # A thread, because nothing else can be left waiting for a name server that does not answer.
    thread = threading.Thread(target=find, daemon=True)
    thread.start()
    thread.join(min(TELLING_WAIT_SECONDS, timeout_seconds))
    if thread.is_alive() and timeout_seconds > TELLING_WAIT_SECONDS:
        tell(f"waiting up to {timeout_seconds:g} s for the database to accept the new credential")
        thread.join(timeout_seconds - TELLING_WAIT_SECONDS)
    return findings[-1]


def _not_verified(why: str) -> Verification:
    return Verification(verified=False, sentence=f"not verified: {why}")


def _verify(database: Database, before: Mapping[str, str], timeout_seconds: float) -> Verification:
    troubles = []
    for way in _ways(database, before):
        try:
            answer = _settled(way, timeout_seconds)
            _LOG.debug("%s accepts the new %s, the old one: %s", way.name, way.kind, answer)
            return _judged(way, answer, timeout_seconds)
        except UnreachableError as error:  # noqa: PERF203  the next way is for that
            troubles.append(f"{way.name} {error}")
    return _not_verified("; ".join(troubles) or "the API does not show the new credentials")


def _settled(way: _Way, timeout_seconds: float) -> tuple[bool, bool]:
    """Return what a database answers once the change has reached it, or at last."""
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: answer != (True, False)),
        wait=tenacity.wait_exponential(multiplier=0.1, max=1),
        stop=tenacity.stop_before_delay(0.9 * timeout_seconds),  # the rest is for the last answer
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    answer: tuple[bool, bool] = attempts(way.accepts, way.new, way.old)
    return answer


def _judged(way: _Way, answer: tuple[bool, bool], seconds: float) -> Verification:
    accepted, old_accepted = answer
    if not accepted:
        what = f"{way.name} did not accept the new {way.kind} within {seconds:g} s"
        advice = "if it was reset elsewhere meanwhile, `pulumi refresh` adopts that"
        return Verification(verified=False, sentence=f"{what}: {advice}")
    if old_accepted:
        what = f"{way.name} accepts the new {way.kind}, but still the old one after {seconds:g} s"
        return Verification(verified=False, sentence=what)
    if way.old is None:
        what = f"{way.name} accepts the {way.kind}; the one before is not known"
        return Verification(verified=True, sentence=what)
    what = f"{way.name} accepts the new {way.kind} and refuses the old one"
    return Verification(verified=True, sentence=what)


def _ways(database: Database, before: Mapping[str, str]) -> Iterator[_Way]:
    """Yield the ways to ask a database, the best one first."""
    at, new = urls(database), database.known_credentials()
    # Without TLS the password would travel in clear; REST never is without.
    ways: tuple[tuple[str, str, str, str, Callable[[str], Accepts]], ...] = (
        ("Redis", "password", "password", "rediss:", _redis),
        ("REST", "token", "rest_token", "https:", _rest),
    )
    for (name, kind, credential, scheme, how), url in zip(
        ways, (at.get("redis_url"), at.get("rest_url")), strict=True
    ):
        if url and url.startswith(scheme) and credential in new:
            old = before.get(credential)
            known_old = None if old == new[credential] else old
            yield _Way(name, kind, new[credential], known_old, how(url))


def _redis(url: str) -> Accepts:
    """Return what asks a database over Redis with TLS: both credentials on one connection."""
    parts = urlsplit(url)

    def accepts(new: str, old: str | None) -> tuple[bool, bool]:
        connection = _TrustingConnection(
            host=parts.hostname or "",
            port=parts.port or 0,
            password=new,
            protocol=2,
            socket_connect_timeout=ANSWER_TIMEOUT_SECONDS,
            socket_timeout=ANSWER_TIMEOUT_SECONDS,
        )
        try:
            try:
                connection.connect()
            except redis.AuthenticationError:
                return False, False
            return True, old is not None and _logs_in(connection, old)
        except redis.RedisError as error:
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
    """A connection over TLS; redis-py's own would load all authorities anew each time."""

    def _connect(self) -> ssl.SSLSocket:
        sock: socket.socket = super()._connect()
        try:
            return _trust().wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise


def _rest(url: str) -> Accepts:
    """Return what asks a database over its REST API."""

    def answers_to(session: requests.Session, token: str) -> bool:
        with session.get(
            f"{url}/ping",
            headers={"Authorization": f"Bearer {token}"},
            timeout=ANSWER_TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                return False
            body = next(answer.iter_content(MAX_PONG_BYTES), b"")
        if answer.ok and json.loads(body) == {"result": "PONG"}:
            return True
        raise UnreachableError(f"gave an unexpected answer ({answer.status_code})")

    def accepts(new: str, old: str | None) -> tuple[bool, bool]:
        with requests.Session() as session:
            session.mount("https://", _TrustingAdapter())
            try:
                session.trust_env = not is_loopback(urlsplit(url).hostname or "")
                accepted = answers_to(session, new)
                return accepted, accepted and old is not None and answers_to(session, old)
            except (requests.RequestException, ValueError) as error:
                raise UnreachableError(_why(error)) from None

    return accepts


class _TrustingAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=_trust())  # type: ignore[arg-type]


def prepare() -> None:
    """Do beforehand what a first verification would have to wait for."""
    _trust()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return the authorities that are trusted, read once: that takes as long as a connection."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(certifi.where())
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        kind = "capath" if Path(bundle).is_dir() else "cafile"
        context.load_verify_locations(**{kind: bundle})
    return context


def _why(error: BaseException) -> str:
    """Return what kept a database from being asked, without the error's own text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return "has no certificate that is trusted (REQUESTS_CA_BUNDLE names what is)"
        seen = seen.__context__
    if isinstance(error, redis.ConnectionError | requests.ConnectionError):
        return "could not be reached"
    if isinstance(error, redis.TimeoutError | requests.Timeout):
        return f"was silent for {ANSWER_TIMEOUT_SECONDS:g} s"
    return "gave an unexpected answer"
