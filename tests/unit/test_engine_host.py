"""What reaches into the SDK's host process does nothing where the SDK looks different."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from pulumi_upstash_rotation import engine_host


def test_the_pool_of_the_host_is_widened_and_never_narrowed() -> None:
    pool = ThreadPoolExecutor(4)
    server = SimpleNamespace(_state=SimpleNamespace(thread_pool=pool))
    assert engine_host.serve_at_once(64)
    assert server._state.thread_pool._max_workers == 64
    assert engine_host.serve_at_once(8)
    assert server._state.thread_pool._max_workers == 64


def test_calls_that_came_before_the_pool_was_widened_are_served_at_once_too() -> None:
    server = SimpleNamespace(_state=SimpleNamespace(thread_pool=ThreadPoolExecutor(4)))
    widened = threading.Event()

    def call(together: threading.Barrier) -> None:
        widened.wait(30)
        together.wait(30)  # until all are being served

    def calls(number: int) -> list[Future[None]]:
        together = threading.Barrier(number)
        return [server._state.thread_pool.submit(call, together) for _ in range(number)]

    first = calls(16)
    assert engine_host.serve_at_once(64)
    widened.set()
    for each in (*first, *calls(40)):
        each.result(60)


@pytest.mark.parametrize(
    "server",
    [
        None,
        object(),
        SimpleNamespace(_state=None),
        SimpleNamespace(_state=SimpleNamespace(thread_pool=object())),
        SimpleNamespace(_state=SimpleNamespace(thread_pool=SimpleNamespace(_max_workers="4"))),
    ],
)
def test_another_host_stays_as_it_is(server: Any) -> None:
    assert not engine_host.serve_at_once(64)
    assert server is None or server


def test_without_a_host_a_person_reads_the_same_words_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine_host.warn("something")
    engine_host.inform("something else")
    engine_host.fail_with("nobody listens", partial=("id", {}))
    assert capsys.readouterr().err == "warning: something\ninfo: something else\n"


class Context:
    """Takes what a gRPC call says at its end."""

    metadata: Any = None

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata


def served(monkeypatch: pytest.MonkeyPatch, **variables: Any) -> Context:
    context = Context()
    values = {"context": context, **variables}
    monkeypatch.setattr(engine_host, "_local_of_caller", values.get)
    return context


def test_a_partial_failure_tells_the_engine_what_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    context = served(monkeypatch, props={"__provider": "pickle"})
    engine_host.fail_with("it broke", partial=("the-id", {"kept": "value"}))
    ((name, encoded),) = context.metadata
    assert name == "grpc-status-details-bin"
    for part in (b"it broke", b"the-id", b"kept", b"value", b"ErrorResourceInitFailed"):
        assert part in encoded


@pytest.mark.parametrize("props", [None, {}, "other"])
def test_a_partial_failure_in_another_host_is_still_one_line(
    monkeypatch: pytest.MonkeyPatch, props: Any
) -> None:
    context = served(monkeypatch, props=props)
    engine_host.fail_with("it broke", partial=("the-id", {"kept": "value"}))
    ((_, encoded),) = context.metadata
    assert b"it broke" in encoded
    assert b"the-id" not in encoded
