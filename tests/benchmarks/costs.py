"""What a command costs: time, memory, state and calls."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulumi_stack import Stack
    from upstash_emulator import Emulator

SAMPLE_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Cost:
    """The cost of a command.

    Attributes:
        wall_seconds: Elapsed time.
        cpu_seconds: Time of all cores together.
        megabytes: Peak memory of all processes together.
        kilobytes: Size of the state afterwards.
        calls: Calls of the API.
        connections: Connections to the API.
    """

    wall_seconds: float
    cpu_seconds: float
    megabytes: float
    kilobytes: float
    calls: int
    connections: int


def least(costs: Iterable[Cost]) -> Cost:
    """Return the minimum of each part: other programs on the machine only add to it."""
    parts = zip(*(vars(cost).values() for cost in costs), strict=True)
    return Cost(*map(min, parts))


def cost_of(command: Sequence[str], stack: Stack, upstash: Emulator) -> Cost:
    """Run a command in a stack's project, and return what it took."""
    upstash.clear()
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=stack.project,
        env=stack.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sampler = Sampler(process.pid)
    sampler.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.stop()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    cpu = usage.ru_utime + usage.ru_stime
    states = (stack.folder / "state").rglob("stacks/**/*.json")
    state = sum(path.stat().st_size for path in states) / 1000
    return Cost(wall, cpu, sampler.megabytes, state, len(upstash.calls), upstash.connections)


class Sampler(threading.Thread):
    """Watches how much memory a process and its descendants hold together."""

    def __init__(self, pid: int) -> None:
        """Watch this process."""
        super().__init__(daemon=True)
        self.megabytes = 0.0
        self._root = psutil.Process(pid)
        self._ended = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._ended.wait(SAMPLE_SECONDS):
            with suppress(psutil.Error):
                family = [self._root, *self._root.children(recursive=True)]
                self.megabytes = max(self.megabytes, sum(map(megabytes_of, family)))

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def megabytes_of(process: psutil.Process) -> float:
    """Return the memory that a process holds."""
    with suppress(psutil.Error):
        return float(process.memory_info().rss) / 1e6
    return 0.0
