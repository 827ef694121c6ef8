"""Looking at processes the way `ps` does, on Linux and macOS."""

from __future__ import annotations

import subprocess
import time


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and theirs."""
    parents = {int(child): int(parent) for child, parent, _ in _table()}
    found: set[int] = set()
    generation = {pid}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation}
        found |= generation
    return found


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run; one that only waits to be buried does not."""
    return {int(pid) for pid, _, state in _table() if not state.startswith("Z")} & pids


def wait_until_gone(pids: set[int], seconds: float = 10) -> set[int]:
    """Those that still run after so many seconds."""
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive(pids)


def _table() -> list[list[str]]:
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:
        rows = [line.split() for line in ps.stdout or ()]
    return [row for row in rows if int(row[0]) != ps.pid]
