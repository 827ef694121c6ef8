"""Work in a thread of its own."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING

from pulumi_upstash_rotation.http import background

if TYPE_CHECKING:
    import pytest


def test_start_returns_how_to_wait_for_the_end() -> None:
    go, done = threading.Event(), []

    def work() -> None:
        go.wait()
        done.append(1)

    ended = background.start(work)
    assert not ended(0)
    go.set()
    assert ended(60)
    assert done == [1]


def test_start_drops_an_exception() -> None:
    assert background.start(lambda: 1 / 0)(60)


def test_start_of_a_thread_that_dies_at_once_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: 1)
    assert not background.start(print)(0)
