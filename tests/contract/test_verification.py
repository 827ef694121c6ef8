"""A database is asked for real: real redis-servers behind TLS, the emulator's REST API."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from pulumi_upstash_rotation import verification
from pulumi_upstash_rotation.models import Database
from pulumi_upstash_rotation.state import Verification
from pulumi_upstash_rotation.verification import verify
from upstash_emulator import EmulatedDatabase, Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = {"password": "old-canary", "rest_token": "old-token-canary"}
BY_REDIS = Verification(
    verified=True, sentence="Redis accepts the new password and refuses the old one"
)
BY_REST = Verification(verified=True, sentence="REST accepts the new token and refuses the old one")


@pytest.fixture(autouse=True)
def trust(upstash_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))
    verification._trust.cache_clear()
    yield
    verification._trust.cache_clear()


@pytest.fixture
def emulated(upstash_emulator: Emulator) -> EmulatedDatabase:
    return upstash_emulator.databases[0]


def described(emulated: EmulatedDatabase, **changes: Any) -> Database:
    """Return what the API's answer tells of a database, with changes."""
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


def said(database: Database, before: dict[str, str] = OLD, seconds: float = 10) -> Verification:
    found = verify(database, before, timeout_seconds=seconds)
    told = [*database.known_credentials().values(), *before.values()]
    assert not any(secret in found.sentence for secret in told)
    return found


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody else gets and that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_the_new_password_is_accepted_and_the_old_one_refused(
    emulated: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    before = {"password": emulated.password, "rest_token": emulated.rest_token}
    emulated.reset_in_console()
    assert said(described(emulated), before) == BY_REDIS
    assert upstash_emulator.calls == []
    mine = psutil.Process().net_connections()
    assert not [each for each in mine if each.raddr and each.raddr.port == emulated.port]


def test_an_old_password_that_is_not_known_is_said_so(emulated: EmulatedDatabase) -> None:
    expected = "Redis accepts the password; the one before is not known"
    assert said(described(emulated), {}) == Verification(verified=True, sentence=expected)


def test_a_wrong_password_is_told_after_the_time_is_up(emulated: EmulatedDatabase) -> None:
    database = described(emulated, password="wrong-canary")
    assert said(database, seconds=0.5) == Verification(
        verified=False,
        sentence="Redis did not accept the new password within 0.5 s: if it was reset elsewhere "
        "meanwhile, `pulumi refresh` adopts that",
    )


def test_a_reset_that_reaches_the_database_late_is_waited_for(
    emulated: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    before = {"password": emulated.password}
    upstash_emulator.fault(Fault.slow_propagation(0.7), operation="reset")
    requests.post(
        f"{upstash_emulator.url}/v2/redis/reset-password/{emulated.id}",
        auth=(upstash_emulator.email, upstash_emulator.api_key),
        timeout=10,
    ).raise_for_status()
    assert said(described(emulated), before) == BY_REDIS


def test_an_old_password_that_still_works_is_told() -> None:
    way = verification._Way("Redis", "password", "new", "old", lambda _new, _old: (True, True))
    found = verification._judged(way, verification._settled(way, 0.3), 0.3)
    expected = "Redis accepts the new password, but still the old one after 0.3 s"
    assert found == Verification(verified=False, sentence=expected)


def test_rest_is_asked_where_only_http_gets_out(emulated: EmulatedDatabase) -> None:
    with closed_port() as port:
        assert said(described(emulated, port=port)) == BY_REST


def test_rest_is_asked_where_redis_has_no_tls(upstash_emulator: Emulator) -> None:
    plain = upstash_emulator.add_database(tls=False)
    assert said(described(plain)) == BY_REST


def test_rest_tells_a_wrong_token(emulated: EmulatedDatabase) -> None:
    database = described(emulated, tls=False, rest_token="wrong-canary")
    assert said(database, seconds=0.5).sentence.startswith("REST did not accept the new token")


def test_a_database_out_of_reach_is_told_at_once(emulated: EmulatedDatabase) -> None:
    emulated.take_offline()
    started = time.monotonic()
    expected = "not verified: Redis could not be reached; REST could not be reached"
    assert said(described(emulated)) == Verification(verified=False, sentence=expected)
    assert time.monotonic() - started < 5


def test_a_silent_database_is_told(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "ANSWER_TIMEOUT_SECONDS", 0.3)
    with silent_port() as port:
        database = described(emulated, port=port, endpoint=f"127.0.0.1:{port}")
        expected = "not verified: Redis was silent for 0.3 s; REST was silent for 0.3 s"
        assert said(database) == Verification(verified=False, sentence=expected)


def test_a_certificate_that_is_not_trusted_ends_it(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    verification._trust.cache_clear()
    why = "has no certificate that is trusted (REQUESTS_CA_BUNDLE names what is)"
    expected = f"not verified: Redis {why}; REST {why}"
    assert said(described(emulated)) == Verification(verified=False, sentence=expected)


def test_requests_ca_bundle_names_more_authorities(
    emulated: EmulatedDatabase, upstash_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(upstash_emulator.ca_bundle))
    verification._trust.cache_clear()
    assert said(described(emulated)).verified
    with closed_port() as port:
        assert said(described(emulated, port=port)) == BY_REST


def test_a_certificate_for_another_host_is_not_accepted(emulated: EmulatedDatabase) -> None:
    database = described(emulated, endpoint=f"127.0.0.2:{emulated.rest_url.rsplit(':')[-1]}")
    found = said(database)
    assert found.sentence.startswith("not verified: Redis ")
    assert "trusted" in found.sentence or "reached" in found.sentence


def test_a_name_server_that_hangs_does_not_hold_anything_up(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_args: object, **_options: object) -> list[Any]:
        released.wait(30)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    expected = "not verified: the database gave no answer within 0.2 s"
    assert said(described(emulated), seconds=0.2).sentence == expected
    released.set()


def test_whatever_happens_is_a_sentence(
    emulated: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode() -> None:
        raise KeyError(emulated.password)

    monkeypatch.setattr(verification, "_trust", explode)
    monkeypatch.setattr(explode, "cache_clear", lambda: None, raising=False)
    expected = "not verified: unexpected KeyError: please report it"
    assert said(described(emulated)).sentence == expected


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
def test_whatever_the_api_tells_is_a_sentence(
    emulated: EmulatedDatabase, changes: dict[str, Any]
) -> None:
    found = said(described(emulated, **changes))
    assert not found.verified
    assert found.sentence.startswith("not verified: ")
    assert "please report" not in found.sentence


def test_no_credential_is_in_a_repr() -> None:
    way = verification._Way(
        "Redis", "password", "new-canary", "old-canary", lambda *_: (True, True)
    )
    assert "canary" not in repr(way) + repr(replace(way, name="REST"))
