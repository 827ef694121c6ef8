"""A login as an ACL user is tried for real: redis-servers behind TLS, the emulator's REST API."""

from __future__ import annotations

import _thread
import logging
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pulumi_upstash_rotation.http.connection import trust_store
from pulumi_upstash_rotation.upstash import probe
from pulumi_upstash_rotation.upstash.credentials import UserLogin
from pulumi_upstash_rotation.upstash.probe import accepts_token, verify_user
from pulumi_upstash_rotation.values import Verification

from ..support.servers import (
    LocalServer,
    Response,
    closed_port,
    greeting_port,
    new_authority,
    silent_port,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from upstash_emulator import EmulatedDatabase, Emulator

BOTH = Verification(verified=True, message="Redis and REST accept the new token")
ONLY_REST = Verification(verified=True, message="REST accepts the new token")
NOPERM = b'{"error":"NOPERM this user has no permissions to run the \'ping\' command"}'


@pytest.fixture(autouse=True)
def _trust(
    _bare_environment: None, upstash_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))


@pytest.fixture
def emulated(upstash_emulator: Emulator) -> EmulatedDatabase:
    return upstash_emulator.databases[0]


@pytest.fixture
def login(emulated: EmulatedDatabase) -> UserLogin:
    """The login of a user that may do everything."""
    return login_to(emulated)


@pytest.fixture(scope="module")
def authority() -> Any:
    return new_authority()


@pytest.fixture
def rest(authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A scripted REST API that clients trust beside the emulator."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    trust_store.cache_clear()
    with LocalServer(tls_context(authority)) as server:
        yield server


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets how often a verification tries, however long that takes."""

    def limit(number: int) -> None:
        def repeat(attempt: Callable[[], bool], **_: object) -> bool:
            return any(attempt() for _ in range(number))

        monkeypatch.setattr(probe, "_repeat", repeat)

    return limit


def login_to(database: EmulatedDatabase, *rules: str) -> UserLogin:
    """Create a user with one token, and return its login."""
    token = database.acl("GENTOKEN", "app")
    database.acl("SETUSER", "app", "on", f">{token}", *(rules or ("~*", "+@all")))
    parts = database.url.replace("://", "://default:password-canary@")
    return UserLogin("app", token, parts, database.rest_url, "user 'app' of a database")


def verified(login: UserLogin, seconds: float = 10) -> Verification:
    found = verify_user(login, timeout_seconds=seconds, report=print)
    assert login.token not in found.message
    assert "canary" not in found.message
    return found


def not_verified(message: str) -> Verification:
    return Verification(verified=False, message=f"not verified: {message}")


def rejected(message: str) -> Verification:
    return Verification(verified=False, message=message, rejected=True)


def test_token_is_accepted_over_redis_and_over_rest(
    login: UserLogin, upstash_emulator: Emulator
) -> None:
    upstash_emulator.clear()
    assert verified(login) == BOTH
    assert upstash_emulator.calls == []


@pytest.mark.parametrize("known", [True, False])
def test_only_rest_is_tried_where_redis_has_no_tls(upstash_emulator: Emulator, known: bool) -> None:
    login = login_to(upstash_emulator.add_database(tls=False))
    assert login.redis_url
    assert login.redis_url.startswith("redis://")
    assert verified(login if known else replace(login, redis_url=None)) == ONLY_REST


def test_user_that_may_not_ping_is_accepted(emulated: EmulatedDatabase) -> None:
    login = login_to(emulated, "~a", "-@all", "+get")
    assert verified(login) == BOTH
    assert accepts_token(login.rest_url, login.token, timeout_seconds=10) is True


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_error_of_the_rules_proves_the_login_whatever_its_status(
    login: UserLogin, rest: LocalServer, status: int
) -> None:
    rest.response = Response(status, NOPERM)
    assert verified(replace(login, rest_url=rest.url)) == BOTH
    (received,) = rest.received
    assert received.path == "/ping"
    assert received.headers["Authorization"] == f"Bearer {login.token}"


@pytest.mark.parametrize("changes", [{"token": "wrong-canary"}, {"user": "absent"}])
def test_wrong_token_or_user_is_rejected_once_the_time_is_up(
    login: UserLogin, changes: dict[str, str]
) -> None:
    started = time.monotonic()
    ways = "Redis and REST" if "token" in changes else "Redis"  # a Bearer token names its user
    expected = rejected(f"{ways} did not accept the new token within 3 s")
    assert verified(replace(login, **changes), seconds=3) == expected
    assert time.monotonic() - started > 1


def test_removed_token_and_user_that_is_off_are_rejected(
    emulated: EmulatedDatabase, login: UserLogin, tries: Callable[[int], None]
) -> None:
    tries(1)
    expected = rejected("Redis and REST did not accept the new token within 10 s")
    emulated.acl("SETUSER", "app", "off")
    assert verified(login) == expected
    emulated.acl("SETUSER", "app", "on", f"<{login.token}")
    assert verified(login) == expected


def test_token_that_reaches_the_database_late_is_waited_for(
    emulated: EmulatedDatabase, login: UserLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated.acl("SETUSER", "app", f"<{login.token}")
    tried: list[str] = []
    real = probe.RedisLogin.accepts

    def accepts(self: probe.RedisLogin, password: str, user: str | None = None) -> bool:
        tried.append(password)
        if len(tried) == 3:
            emulated.acl("SETUSER", "app", f">{login.token}")
        return real(self, password, user)

    monkeypatch.setattr(probe.RedisLogin, "accepts", accepts)
    assert verified(login, seconds=30) == BOTH
    assert len(tried) == 3


def test_way_that_accepts_the_token_is_not_tried_again(
    login: UserLogin, rest: LocalServer, tries: Callable[[int], None]
) -> None:
    tries(4)
    rest.responses = [Response(401), Response(401)]
    rest.response = Response(200, b'{"result": "PONG"}')
    with closed_port() as port:
        elsewhere = replace(login, rest_url=rest.url, redis_url=f"rediss://127.0.0.1:{port}")
        assert not verified(elsewhere).verified
    assert len(rest.received) == 3


def test_rejection_of_either_way_is_named(
    login: UserLogin, rest: LocalServer, tries: Callable[[int], None]
) -> None:
    tries(1)
    rest.response = Response(401)
    over_rest = rejected("REST did not accept the new token within 10 s")
    assert verified(replace(login, rest_url=rest.url)) == over_rest
    rest.response = Response(200, b'{"result": "PONG"}')
    over_redis = rejected("Redis did not accept the new token within 10 s")
    other = replace(login, rest_url=rest.url, token="wrong-canary")
    assert verified(other) == over_redis


def test_way_that_cannot_be_reached_is_named(
    login: UserLogin, tries: Callable[[int], None]
) -> None:
    tries(1)
    with closed_port() as port:
        no_redis = replace(login, redis_url=f"rediss://127.0.0.1:{port}")
        no_rest = replace(login, rest_url=f"https://127.0.0.1:{port}")
        neither = replace(no_redis, rest_url=no_rest.rest_url)
        redis, rest = (f"{way} could not be reached" for way in ("Redis", "REST"))
        assert verified(no_redis) == not_verified(redis)
        assert verified(no_rest) == not_verified(rest)
        assert verified(neither) == not_verified(f"{redis}; {rest}")
        wrong = replace(no_redis, token="wrong-canary")
        why = "REST did not accept the new token within 10 s; Redis could not be reached"
        assert verified(wrong) == rejected(why)


def test_way_that_rejects_the_token_and_then_breaks_down_has_rejected_it(
    login: UserLogin, rest: LocalServer, tries: Callable[[int], None]
) -> None:
    tries(2)
    rest.responses = [Response(401)]
    rest.response = Response(closed=True)
    found = verified(replace(login, rest_url=rest.url))
    assert found == rejected("REST did not accept the new token within 10 s")


def test_database_that_is_reachable_again_is_verified(login: UserLogin, rest: LocalServer) -> None:
    rest.responses = [Response(503), Response(closed=True)]
    rest.response = Response(200, b'{"result": "PONG"}')
    assert verified(replace(login, rest_url=rest.url)) == BOTH


@pytest.mark.parametrize(
    ("response", "what"),
    [
        (Response(502, b"canary"), " (502)"),
        (Response(502, b'{"error": "canary"}'), " (502)"),
        (Response(400, b'{"error": ["NOPERM"]}'), " (400)"),
        (Response(200, b'["NOPERM canary"]'), " (200)"),
        (Response(200, b"<html>NOPERM canary</html>"), ""),
        (Response(200, b'{"result": "canary"}'), " (200)"),
        (Response(307, headers={"Location": "/elsewhere"}), " (307)"),
    ],
)
def test_rest_response_that_tells_nothing_is_not_a_rejection(
    login: UserLogin, rest: LocalServer, response: Response, what: str, tries: Callable[[int], None]
) -> None:
    tries(1)
    rest.response = response
    found = verified(replace(login, rest_url=rest.url))
    assert found == not_verified(f"REST gave an unexpected response{what}")
    assert accepts_token(rest.url, login.token, timeout_seconds=10) is None
    assert {received.path for received in rest.received} == {"/ping"}


@pytest.mark.parametrize("greeting", [b"-ERR no TLS here\r\n", b"\x00" * 64, b""])
def test_redis_that_talks_nonsense_is_not_a_rejection(
    login: UserLogin, greeting: bytes, tries: Callable[[int], None]
) -> None:
    tries(1)
    with greeting_port(greeting) as port:
        found = verified(replace(login, redis_url=f"rediss://127.0.0.1:{port}"))
    assert not found.rejected
    assert found.message.startswith("not verified: Redis ")
    assert "please report" not in found.message


def test_token_is_not_sent_without_tls(login: UserLogin, tries: Callable[[int], None]) -> None:
    tries(1)
    with LocalServer() as plain:
        expected = not_verified("REST was not tried: its URL has no TLS")
        assert verified(replace(login, rest_url=plain.url)) == expected
        assert accepts_token(plain.url, login.token, timeout_seconds=5) is None
        assert plain.connections == 0


def test_untrusted_certificate_is_stated(
    login: UserLogin, monkeypatch: pytest.MonkeyPatch, tries: Callable[[int], None]
) -> None:
    tries(1)
    monkeypatch.delenv("SSL_CERT_FILE")
    why = "has an untrusted certificate (add its authority with REQUESTS_CA_BUNDLE)"
    assert verified(login) == not_verified(f"Redis {why}; REST {why}")


def test_silent_ways_are_stated_within_the_deadline(login: UserLogin) -> None:
    with silent_port() as port:
        silent = {
            "redis_url": f"rediss://127.0.0.1:{port}",
            "rest_url": f"https://127.0.0.1:{port}",
        }
        started = time.monotonic()
        found = verified(replace(login, **silent), seconds=4)
        assert time.monotonic() - started < 10
        assert not found.verified
        assert not found.rejected
        assert found.message.startswith("not verified: Redis was silent for 3 s; REST ")
        wrong = replace(login, token="wrong-canary", rest_url=silent["rest_url"])
        assert verified(wrong, seconds=4).rejected


def test_silent_way_leaves_the_other_one_its_time(
    login: UserLogin, tries: Callable[[int], None]
) -> None:
    tries(1)
    with silent_port() as port:
        found = verified(replace(login, redis_url=f"rediss://127.0.0.1:{port}"))
    assert found == not_verified("Redis was silent for 3 s")


def test_name_server_without_a_response_holds_nothing_up(
    login: UserLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_args: object, **_options: object) -> list[Any]:
        released.wait(30)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    expected = not_verified("the database gave no response within 0.2 s")
    assert verified(login, seconds=0.2) == expected
    assert accepts_token(login.rest_url, login.token, timeout_seconds=0.2) is None
    released.set()


def test_long_wait_is_reported(login: UserLogin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "REPORTED_WAIT_SECONDS", 0.1)
    reports: list[str] = []
    wrong = replace(login, token="wrong-canary")
    verify_user(wrong, timeout_seconds=0.5, report=reports.append)
    assert reports == [f"waiting up to 0.5 s for {login.label} to accept the new credential"]


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), SystemExit(), KeyError("x")])
def test_no_exception_leaves_a_verification(
    login: UserLogin, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(probe, "_rest", explode)
    expected = not_verified(f"unexpected {type(error).__name__}; please report it")
    assert verified(login) == expected
    assert accepts_token(login.rest_url, login.token, timeout_seconds=10) is None


@pytest.mark.parametrize("url", ["https://[", "https://no such host", "https://", "", "canary"])
def test_unusable_url_is_not_a_rejection(
    login: UserLogin, url: str, tries: Callable[[int], None]
) -> None:
    tries(1)
    found = verified(replace(login, rest_url=url))
    assert (found.verified, found.rejected) == (False, False)
    assert accepts_token(url, login.token, timeout_seconds=5) is None


def test_verification_runs_without_a_thread_where_none_can_start(
    login: UserLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", fail)
    assert verified(login) == BOTH
    assert accepts_token(login.rest_url, "wrong-canary", timeout_seconds=10) is False
    assert accepts_token("https://127.0.0.1:1", "wrong-canary", timeout_seconds=10) is None


def test_token_is_accepted_rejected_or_not_known(login: UserLogin, rest: LocalServer) -> None:
    def accepts(url: str, token: str, seconds: float = 10) -> bool | None:
        return accepts_token(url, token, timeout_seconds=seconds)

    assert accepts(login.rest_url, login.token) is True
    assert accepts(login.rest_url, "wrong-canary") is False
    rest.response = Response(503)
    assert accepts(rest.url, login.token) is None
    assert len(rest.received) == 1
    with closed_port() as port:
        assert accepts(f"https://127.0.0.1:{port}", login.token) is None
    with silent_port() as port:
        assert accepts(f"https://127.0.0.1:{port}", login.token, 0.2) is None
    assert accepts(login.rest_url, login.token, 0) is None


def test_one_connection_is_open_at_a_time(
    login: UserLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PER_CALL` in frontends/engine/descriptors.py depends on it."""
    opened: list[str] = []

    def tracked(name: str, opens: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def tracking(*args: Any) -> Iterator[Any]:
            with opens(*args) as connection:
                opened.append(f"+{name}")
                yield connection
            opened.append(f"-{name}")

        return tracking

    monkeypatch.setattr(probe, "RedisLogin", tracked("Redis", probe.RedisLogin))
    monkeypatch.setattr(probe, "new_session", tracked("REST", probe.new_session))
    assert verified(login) == BOTH
    assert opened == ["+Redis", "-Redis", "+REST", "-REST"]


def test_nothing_stays_open_and_no_thread_is_left(
    login: UserLogin, emulated: EmulatedDatabase, tries: Callable[[int], None]
) -> None:
    tries(1)
    verified(login)
    before = _thread._count()
    verified(login)
    verified(replace(login, token="wrong-canary"))
    accepts_token(login.rest_url, login.token, timeout_seconds=10)
    ends_at = time.monotonic() + 10
    while _thread._count() > before and time.monotonic() < ends_at:
        time.sleep(0.01)
    assert _thread._count() <= before
    ports = {emulated.port, int(emulated.rest_url.rpartition(":")[2])}
    mine = psutil.Process().net_connections()
    assert not [each for each in mine if each.raddr and each.raddr.port in ports]


def test_no_token_is_in_a_repr_or_in_the_log(
    login: UserLogin, caplog: pytest.LogCaptureFixture
) -> None:
    assert login.token not in repr(login)
    assert "canary" not in repr(login)
    with caplog.at_level(logging.DEBUG):
        verified(login)
    assert "Redis accepts the token of user 'app' of a database: True" in caplog.text
    assert login.token not in caplog.text
    assert "canary" not in caplog.text
