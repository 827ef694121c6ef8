"""A pool of threads on a machine that refuses to start more: every call is served."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.frontends.engine.threads import PatientPool

if TYPE_CHECKING:
    from collections.abc import Callable


def allow_threads(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let only some more threads start. Return a function that counts those that did."""
    started: list[object] = []
    start = threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if len(started) >= number:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)
    return lambda: len(started)


@pytest.mark.parametrize("threads", [1, 3])
def test_call_waits_for_a_free_thread_if_none_can_start(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = allow_threads(threads, monkeypatch)
    with PatientPool.started(64) as pool:
        together = threading.Barrier(threads)
        blocked = [pool.submit(together.wait, 60) for _ in range(threads)]
        waiting = [pool.submit(pow, 2, number) for number in range(50)]
        assert [each.result(60) for each in waiting] == [2**number for number in range(50)]
        assert sorted(each.result(60) for each in blocked) == list(range(threads))
    assert started() == threads


def test_pool_without_any_thread_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_threads(0, monkeypatch)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        PatientPool.started(64)


def test_calls_that_wait_in_another_pool_are_served_at_once() -> None:
    together = threading.Barrier(16)
    release = threading.Event()
    with ThreadPoolExecutor(1) as old, PatientPool.started(16) as new:
        running = old.submit(release.wait, 60)
        waiting: list[Future[int]] = [old.submit(together.wait, 60) for _ in range(16)]
        new.take_over(old)
        assert sorted(each.result(60) for each in waiting) == list(range(16))
        release.set()
        assert running.result(60)
