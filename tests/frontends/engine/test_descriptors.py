"""File descriptors: as many as the machine allows, and never more calls than they serve."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading

import pytest

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.frontends.engine import descriptors


class Limits:
    """Stands for the limits of the process.

    Attributes:
        allowed: The highest soft limit that the machine accepts, as on macOS.
    """

    def __init__(
        self, soft: int, hard: int, monkeypatch: pytest.MonkeyPatch, allowed: int = sys.maxsize
    ) -> None:
        self.now = (soft, hard)
        self.allowed = allowed
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.now)
        monkeypatch.setattr(resource, "setrlimit", self.set)

    def set(self, _: int, limits: tuple[int, int]) -> None:
        if limits[0] > self.allowed:
            raise ValueError("not allowed to raise maximum limit")
        self.now = limits


INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [
        (72, 72, sys.maxsize, 72),
        (256, 4096, sys.maxsize, 4096),
        (256, 1 << 20, sys.maxsize, 1 << 16),
        (256, INFINITE, 10_240, 10_240),  # macOS
        (256, INFINITE, 256, 256),
        (1 << 20, INFINITE, sys.maxsize, 1 << 20),
        (INFINITE, INFINITE, sys.maxsize, None),
    ],
)
def test_soft_limit_rises_to_the_hard_one_as_far_as_the_machine_allows(
    soft: int, hard: int, allowed: int, raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(soft, hard, monkeypatch, allowed)
    assert descriptors.raise_limit() == raised
    assert limits.now == (soft if raised is None else raised, hard)


@pytest.mark.parametrize(
    ("limit", "calls"),
    [(None, 256), (1 << 16, 256), (0, 1), (72, 2), (256, 19), (1024, 89)],
)
def test_limit_bounds_the_calls_at_once(
    limit: int | None, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "_open_now", lambda: 16)
    assert descriptors.calls_at_once(limit, 256) == calls


def test_open_descriptors_are_counted() -> None:
    before = descriptors._open_now()
    pair = os.pipe()
    assert descriptors._open_now() == before + 2
    for each in pair:
        os.close(each)


def test_free_descriptors_are_checked_and_given_back() -> None:
    before = descriptors._open_now()
    with descriptors.reserved():
        assert descriptors._open_now() == before + 3
    assert descriptors._open_now() == before


EXHAUSTED = """
import os, resource
from pulumi_upstash_rotation.frontends.engine import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    os.close(held.pop())
try:
    with descriptors.reserved():
        print("started")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
os.close(os.open(os.devnull, os.O_RDONLY))
"""


def test_too_few_free_descriptors_are_one_clear_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{ConfigurationError.__name__}: too few file descriptors")
    assert "nothing has changed. Raise the limit (`ulimit -n 1024`)" in done.stdout


def test_slots_bound_the_calls_at_once() -> None:
    slots = descriptors.Slots(64)
    slots.limit_to(2)
    second, third = threading.Event(), threading.Event()

    def call(runs: threading.Event) -> None:
        with slots.one():
            runs.set()
            release.wait(60)

    release = threading.Event()
    with slots.one():
        threads = [threading.Thread(target=call, args=(each,)) for each in (second, third)]
        threads[0].start()
        assert second.wait(60)
        threads[1].start()
        assert not third.is_set()
        release.set()
        assert third.wait(60)
    for thread in threads:
        thread.join(60)


EXHAUSTED_DURING_A_CALL = """
import asyncio, os, resource
from pulumi_upstash_rotation.frontends.engine import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
with descriptors.reserved():
    try:
        while True:
            os.open(os.devnull, os.O_RDONLY)
    except OSError:
        pass
asyncio.new_event_loop().close()
print("sent")
"""


def test_the_sdk_can_send_outputs_after_a_call_that_found_no_more_descriptors() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED_DURING_A_CALL], capture_output=True, text=True, check=True
    )
    assert done.stdout == "sent\n"
