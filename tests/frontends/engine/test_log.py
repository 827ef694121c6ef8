"""Lines that users see: on a resource's row where the engine takes them, else on stderr."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from pulumi_upstash_rotation.frontends.engine import log

if TYPE_CHECKING:
    from collections.abc import Iterator

URN = "urn:pulumi:dev::test::pulumi-python:dynamic/upstash:RedisPasswordRotation::cache"


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps the lines that it is sent."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str]] = []

    def Log(self, request: Any, _context: Any) -> Any:  # noqa: N802  gRPC's name
        self.lines.append((request.severity, request.message, request.urn))
        return empty_pb2.Empty()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Serve an engine at the address that this process has as its argument."""
    engine, server = Engine(), grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setattr(sys, "argv", ["provider", f"127.0.0.1:{port}"])
    yield engine
    server.stop(0).wait()


def test_line_of_a_resource_goes_to_its_row(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log.show("info", "it is due", URN)
    log.show("warning", "look at this", URN)
    assert engine.lines == [
        (engine_pb2.INFO, "it is due", URN),
        (engine_pb2.WARNING, "look at this", URN),
    ]
    assert capsys.readouterr().err == ""


def test_address_of_the_engine_follows_its_other_arguments(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["provider", "--logtostderr", "-v=9", sys.argv[-1]])
    log.show("info", "it is due", URN)
    assert len(engine.lines) == 1


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_line_goes_to_the_engine_past_a_proxy(
    name: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    log.show("warning", "look at this", URN)
    assert len(engine.lines) == 1


def test_line_without_a_resource_goes_to_stderr(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log.show("info", "it is due", None)
    assert engine.lines == []
    assert capsys.readouterr().err == "info: it is due\n"


@pytest.mark.parametrize("arguments", [[], ["127.0.0.1:1"], ["no address at all"]])
def test_line_that_no_engine_takes_goes_to_stderr(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["provider", *arguments])
    log.show("warning", "look at this", URN)
    assert capsys.readouterr().err == "warning: look at this\n"


@pytest.mark.parametrize("failing", ["_send", "sys.stderr.write"])
def test_line_that_cannot_be_shown_raises_nothing(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reset may have happened before. An exception would lose its password."""

    def explode(*_: object) -> bool:
        raise BrokenPipeError

    monkeypatch.setattr(f"pulumi_upstash_rotation.frontends.engine.log.{failing}", explode)
    log.show("warning", "look at this", URN if failing == "_send" else None)


def test_details_go_to_the_row_of_the_stack_if_the_engine_hides_stderr(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("pulumi_upstash_rotation")
    before = (logger.handlers, logger.level, logger.propagate)
    try:
        log.show_details(sys.argv[-1])
        logging.getLogger("pulumi_upstash_rotation.rotation").debug("a detail")
    finally:
        logger.handlers, logger.level, logger.propagate = before
    assert engine.lines == [(engine_pb2.INFO, "pulumi_upstash_rotation.rotation: a detail", "")]
    assert capsys.readouterr().err == ""


def test_details_go_to_stderr_once_and_not_to_the_root_logger(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("pulumi_upstash_rotation")
    before = (logger.handlers, logger.level, logger.propagate)
    try:
        log.show_details()
        log.show_details()
        logging.getLogger("pulumi_upstash_rotation.rotation").debug("a detail")
        logging.getLogger("another").debug("another's")
    finally:
        logger.handlers, logger.level, logger.propagate = before
    assert capsys.readouterr().err == "pulumi_upstash_rotation.rotation: a detail\n"
    assert "a detail" not in caplog.text


def test_line_goes_to_the_engine_that_is_named(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = sys.argv[-1]
    monkeypatch.setattr(sys, "argv", ["provider", "127.0.0.1:1"])
    log.show("info", "it is due", URN, address)
    assert engine.lines == [(engine_pb2.INFO, "it is due", URN)]
