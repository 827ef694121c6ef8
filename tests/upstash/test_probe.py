"""A database is tried for real: real redis-servers behind TLS, the emulator's REST API."""

from __future__ import annotations

import _thread
import logging
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from pulumi_upstash_rotation.http.connection import new_session, trust_store
from pulumi_upstash_rotation.upstash import probe
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.database import Database
from pulumi_upstash_rotation.upstash.probe import verify
from pulumi_upstash_rotation.values import Verification
from upstash_emulator import EmulatedDatabase, Emulator, Fault

from ..support.servers import (
    LocalServer,
    Response,
    closed_port,
    new_authority,
    raw_server,
    silent_port,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREVIOUS = Credentials("previous-canary", "previous-token-canary")
BY_REDIS = Verification(
    verified=True, message="Redis accepts the new password and rejects the previous one"
)
BY_REST = Verification(
    verified=True, message="REST accepts the new token and rejects the previous one"
)


@pytest.fixture(autouse=True)
def _trust(
    _bare_environment: None, upstash_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))


@pytest.fixture
def emulated(upstash_emulator: Emulator) -> EmulatedDatabase:
    return upstash_emulator.databases[0]


@pytest.fixture
def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    authority = new_authority()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with LocalServer(tls_context(authority)) as server:
        yield server


def described(emulated: EmulatedDatabase, **changes: Any) -> Database:
    """Return a database as the API describes it, with changes."""
    return Database.model_validate(
        {
            "database_id": emulated.id,
            "endpoint": emulated.rest_url.removeprefix("https://"),
            "port": emulated.port,
            "tls": emulated.tls,
            "password": emulated.password,
            "rest_token": emulated.rest_token,
            **changes,
        },
        context={},
    )


def verified(
    database: Database, previous: Credentials = PREVIOUS, seconds: float = 10
) -> Verification:
    found = verify(database, previous, timeout_seconds=seconds)
    secrets = [*database.credentials.known().values(), *previous.known().values()]
    assert not any(secret in found.message for secret in secrets)
    return found


def trusting_the_environment(url: str) -> requests.Session:
    """Return the session for a host that is not this machine, whose environment counts."""
    session = new_session(url)
    session.trust_env = True
    return session


def not_verified(message: str) -> Verification:
    return Verification(verified=False, message=f"not verified: {message}")


def new_plane(**changes: Any) -> probe._Plane:
    plane = probe._Plane("Redis", "password", "new-canary", "old-canary", lambda *_: (True, True))
    return replace(plane, **changes)


def test_new_password_is_accepted_and_the_previous_one_rejected(
    emulated: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    previous = Credentials(emulated.password, emulated.rest_token)
    emulated.reset_in_console()
    assert verified(described(emulated), previous) == BY_REDIS
    assert upstash_emulator.calls == []
    mine = psutil.Process().net_connections()
    assert not [each for each in mine if each.raddr and each.raddr.port == emulated.port]


@pytest.mark.parametrize("same", [False, True])
def test_unknown_previous_password_is_stated(emulated: EmulatedDatabase, same: bool) -> None:
    previous = Credentials(emulated.password) if same else Credentials()
    expected = "Redis accepts the password; the previous one is not known"
    assert verified(described(emulated), previous) == Verification(verified=True, message=expected)


def test_rejected_new_password_is_stated_once_the_time_is_up(emulated: EmulatedDatabase) -> None:
    database = described(emulated, password="wrong-canary")
    assert verified(database, seconds=3) == Verification(
        verified=False,
        message="Redis did not accept the new password within 3 s. If a user reset it outside "
        "Pulumi meanwhile, `pulumi refresh` stores the live one",
        rejected=True,
    )


def test_reset_that_reaches_the_database_late_is_waited_for(
    emulated: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    previous = Credentials(emulated.password)
    upstash_emulator.fault(Fault.slow_propagation(0.7), operation="reset")
    requests.post(
        f"{upstash_emulator.url}/v2/redis/reset-password/{emulated.id}",
        auth=(upstash_emulator.email, upstash_emulator.api_key),
        timeout=10,
    ).raise_for_status()
    assert verified(described(emulated), previous) == BY_REDIS


def test_previous_password_that_is_still_accepted_is_stated() -> None:
    plane = new_plane()
    found = probe._judge(plane, probe._final_response(plane, 0.3), 0.3)
    expected = "Redis accepts the new password, but still accepts the previous one after 0.3 s"
    assert found == Verification(verified=False, message=expected)


def test_each_plane_distinguishes_an_accepted_credential_from_a_rejected_one(
    emulated: EmulatedDatabase,
) -> None:
    database = described(emulated)
    redis_accepts = probe._redis(database.urls["redis_url"])
    rest_accepts = probe._rest(database.urls["rest_url"])
    for accepts, good in (
        (redis_accepts, emulated.password),
        (rest_accepts, emulated.rest_token),
    ):
        assert accepts(good, good, 10) == (True, True)
        assert accepts(good, "wrong-canary", 10) == (True, False)
        assert accepts(good, None, 10) == (True, False)
        assert accepts("wrong-canary", good, 10) == (False, False)


def test_rest_is_tried_where_only_http_gets_out(emulated: EmulatedDatabase) -> None:
    with closed_port() as port:
        assert verified(described(emulated, port=port)) == BY_REST


def test_rest_is_tried_where_redis_has_no_tls(upstash_emulator: Emulator) -> None:
    plain = upstash_emulator.add_database(tls=False)
    assert verified(described(plain)) == BY_REST


def test_rest_with_an_unknown_previous_token_is_stated(emulated: EmulatedDatabase) -> None:
    expected = "REST accepts the token; the previous one is not known"
    found = verified(described(emulated, tls=False), Credentials("previous-canary"))
    assert found == Verification(verified=True, message=expected)


def test_rejected_new_token_is_stated(emulated: EmulatedDatabase) -> None:
    database = described(emulated, tls=False, rest_token="wrong-canary")
    assert verified(database, seconds=3).message.startswith("REST did not accept the new token")


def test_database_out_of_reach_is_stated_at_once(emulated: EmulatedDatabase) -> None:
    emulated.take_offline()
    started = time.monotonic()
    expected = not_verified("Redis could not be reached; REST could not be reached")
    assert verified(described(emulated)) == expected
    assert time.monotonic() - started < 5


def test_silent_database_is_stated(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "RESPONSE_TIMEOUT_SECONDS", 0.3)
    with silent_port() as port:
        database = described(emulated, port=port, endpoint=f"127.0.0.1:{port}")
        expected = not_verified("Redis was silent for 0.3 s; REST was silent for 0.3 s")
        assert verified(database) == expected


def test_unexpected_rest_response_is_stated(
    emulated: EmulatedDatabase, tls_server: LocalServer
) -> None:
    tls_server.response = Response(502, b"canary")
    database = described(emulated, tls=False, endpoint=f"127.0.0.1:{tls_server.port}")
    assert verified(database) == not_verified("REST gave an unexpected response (502)")
    tls_server.response = Response(200, b"<html>canary</html>")
    assert verified(database) == not_verified("REST gave an unexpected response")
    tls_server.response = Response(200, b'{"result": "canary"}')
    assert verified(database) == not_verified("REST gave an unexpected response (200)")


def test_rest_redirect_is_not_followed_with_the_token(
    emulated: EmulatedDatabase, tls_server: LocalServer
) -> None:
    tls_server.response = Response(307, headers={"Location": "/elsewhere"})
    database = described(emulated, tls=False, endpoint=f"127.0.0.1:{tls_server.port}")
    assert verified(database) == not_verified("REST gave an unexpected response (307)")
    (received,) = tls_server.received
    assert received.path == "/ping"
    assert received.headers["Authorization"] == f"Bearer {emulated.rest_token}"


def test_untrusted_certificate_ends_the_verification(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    why = "has an untrusted certificate (add its authority with REQUESTS_CA_BUNDLE)"
    assert verified(described(emulated)) == not_verified(f"Redis {why}; REST {why}")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_named_bundle_is_trusted_over_redis_and_over_rest(
    emulated: EmulatedDatabase,
    upstash_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(variable, str(upstash_emulator.ca_bundle))
    assert verified(described(emulated)) == BY_REDIS
    with closed_port() as port:
        assert verified(described(emulated, port=port)) == BY_REST


@pytest.mark.parametrize("content", [None, "garbage"])
def test_unreadable_bundle_is_stated(
    emulated: EmulatedDatabase,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: str | None,
) -> None:
    if content:
        (tmp_path / "bundle.pem").write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    problem = "cannot read the certificates that REQUESTS_CA_BUNDLE names. Correct or unset it"
    why = f"was not tried: {problem}"
    assert verified(described(emulated)) == not_verified(f"Redis {why}; REST {why}")


def test_certificate_for_another_host_is_not_accepted(emulated: EmulatedDatabase) -> None:
    database = described(emulated, endpoint=f"127.0.0.2:{emulated.rest_url.rsplit(':')[-1]}")
    found = verified(database)
    assert found.message.startswith("not verified: Redis ")
    assert "trusted" in found.message or "reached" in found.message


def test_name_server_without_a_response_holds_nothing_up(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_args: object, **_options: object) -> list[Any]:
        released.wait(30)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    expected = not_verified("the database gave no response within 0.2 s")
    assert verified(described(emulated), seconds=0.2) == expected
    released.set()


def test_long_wait_is_reported_and_a_short_one_is_not(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "REPORTED_WAIT_SECONDS", 0.1)
    reports: list[str] = []
    database = described(emulated, password="wrong-canary")
    for seconds in (0.5, 0.1):
        verify(database, PREVIOUS, timeout_seconds=seconds, report=reports.append)
    line = f"waiting up to 0.5 s for {database.label} to accept the new credential"
    assert reports == [line]


def test_unexpected_exception_is_named_by_its_type(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(_protocol: str) -> None:
        raise KeyError(emulated.password)

    monkeypatch.setattr("pulumi_upstash_rotation.upstash.redis_login.trust_store", explode)
    expected = not_verified("unexpected KeyError; please report it")
    assert verified(described(emulated)) == expected


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), SystemExit(), OSError()])
def test_no_exception_leaves_a_verification(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def explode(*_: object) -> None:
        raise error

    monkeypatch.setattr(probe, "_planes", explode)
    expected = not_verified(f"unexpected {type(error).__name__}; please report it")
    assert verified(described(emulated)) == expected


def test_verification_runs_without_a_thread_where_none_can_start(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", fail)
    expected = "Redis accepts the new password and rejects the previous one"
    assert verified(described(emulated)) == Verification(verified=True, message=expected)


def test_verification_ends_where_its_thread_dies_before_it_begins(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory may run out just then. `threading.Thread.start()` would wait for ever."""
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: 1)
    found = verify(described(emulated), PREVIOUS, timeout_seconds=0.2, report=print)
    assert found == not_verified("the database gave no response within 0.2 s")


def test_report_that_fails_does_not_end_the_verification(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "REPORTED_WAIT_SECONDS", 0.0)

    def fail(_: str) -> None:
        raise ZeroDivisionError

    assert verify(described(emulated), PREVIOUS, timeout_seconds=10, report=fail).verified


def test_rest_sends_the_token_and_no_credentials_of_the_user(
    emulated: EmulatedDatabase,
    tls_server: LocalServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "netrc").write_text("default login canary password canary")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(probe, "new_session", trusting_the_environment)
    tls_server.response = Response(200, b'{"result": "PONG"}')
    verified(described(emulated, tls=False, endpoint=f"127.0.0.1:{tls_server.port}"), seconds=3)
    sent = {received.headers["Authorization"] for received in tls_server.received}
    assert sent == {f"Bearer {emulated.rest_token}", f"Bearer {PREVIOUS.rest_token}"}


@pytest.mark.parametrize(
    ("pieces", "then", "what"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b" ", "was silent for 0.4 s"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", "was silent for 0.4 s"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (32 << 10), "gave an unexpected response"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"x" * 9999, "gave an unexpected response"),
    ],
)
@pytest.mark.usefixtures("emulated")
def test_rest_response_that_never_ends_is_stated(
    monkeypatch: pytest.MonkeyPatch,
    pieces: bytes,
    then: bytes,
    what: str,
) -> None:
    monkeypatch.setattr(probe, "RESPONSE_TIMEOUT_SECONDS", 0.4)

    def serve(connection: socket.socket) -> None:
        connection.recv(64 << 10)
        connection.sendall(pieces)
        while True:
            connection.sendall(then)
            time.sleep(0.005)

    with raw_server(serve) as port, pytest.raises(probe.UnreachableError) as raised:
        probe._rest(f"http://127.0.0.1:{port}")("token-canary", None, 0.4)
    assert str(raised.value).startswith(what)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": None, "rest_token": None},
        {"endpoint": None},
        {"port": None, "rest_token": None},
        {"endpoint": "no such host", "port": 0},
        {"endpoint": "[", "tls": None},
    ],
)
def test_database_that_cannot_be_tried_is_not_verified(
    emulated: EmulatedDatabase, changes: dict[str, Any]
) -> None:
    found = verified(described(emulated, **changes))
    assert not found.verified
    assert found.message.startswith("not verified: ")
    assert "please report" not in found.message


def test_database_without_credentials_is_not_verified(emulated: EmulatedDatabase) -> None:
    database = described(emulated).with_credentials(Credentials())
    assert verified(database) == not_verified("the API does not return the new credentials")


def test_prepare_reads_the_trust_store() -> None:
    probe.prepare()
    assert trust_store.cache_info().currsize == 1


def test_no_credential_is_in_a_repr_or_in_the_log(
    emulated: EmulatedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    assert "canary" not in repr(new_plane()) + repr(new_plane(name="REST"))
    with caplog.at_level(logging.DEBUG):
        verified(described(emulated))
    assert "Redis accepts the new password" in caplog.text
    assert emulated.password not in caplog.text
    assert "canary" not in caplog.text
