"""A provider ends with its engine, and only then."""

from __future__ import annotations

import socket
import threading

import pytest

from pulumi_upstash_rotation.frontends.engine import lifeline

ENDED_SECONDS = 60


class Engine:
    """Listens as an engine does."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.connection: socket.socket | None = None

    def accept(self) -> None:
        self.listener.settimeout(ENDED_SECONDS)
        self.connection = self.listener.accept()[0]

    def drop(self) -> None:
        assert self.connection
        self.connection.close()

    def die(self) -> None:
        self.listener.close()
        if self.connection:
            self.connection.close()


def test_process_ends_when_the_engine_is_gone() -> None:
    engine, ended = Engine(), threading.Event()
    assert lifeline.end_with_engine(engine.address, ended.set)
    engine.accept()
    assert engine.connection
    engine.connection.send(b"a greeting")
    assert not ended.is_set()
    engine.die()
    assert ended.wait(ENDED_SECONDS)


def test_engine_that_drops_the_connection_and_lives_is_watched_again() -> None:
    engine, ended = Engine(), threading.Event()
    assert lifeline.end_with_engine(engine.address, ended.set)
    for _ in range(3):
        engine.accept()
        engine.drop()
    engine.accept()
    assert not ended.is_set()
    engine.die()
    assert ended.wait(ENDED_SECONDS)


@pytest.mark.parametrize(
    "error", [TimeoutError(), OSError(24, "Too many open files"), ConnectionRefusedError()]
)
def test_engine_that_cannot_be_reached_for_a_while_is_not_taken_for_dead(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, ended = Engine(), threading.Event()
    connect, failures = lifeline._connect, [error, error]

    def connect_later(address: str) -> socket.socket:
        if failures and engine.connection:
            raise failures.pop()
        return connect(address)

    monkeypatch.setattr(lifeline, "_connect", connect_later)
    assert lifeline.end_with_engine(engine.address, ended.set)
    engine.accept()
    engine.drop()
    engine.accept()
    assert failures == []
    assert not ended.is_set()
    engine.die()
    assert ended.wait(ENDED_SECONDS)


@pytest.mark.parametrize(
    "address", ["", "no address at all", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:x", "h:99999999999"]
)
def test_address_that_leads_nowhere_ends_nothing(address: str) -> None:
    ended = threading.Event()
    assert not lifeline.end_with_engine(address, ended.set)
    assert not ended.is_set()


def test_engine_is_not_watched_if_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    engine = Engine()
    assert not lifeline.end_with_engine(engine.address)
    engine.die()
