"""`make bench`: what our provider costs beside a naive one and beside a program without resources.

The three take turns in one run, so that a machine whose speed drifts is no excuse; what counts is
the ratio of the medians. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from pulumi_stack import Stack
from upstash_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPORT: Final = Path(__file__).parents[2] / "docs" / "performance.md"
PROGRAMS: Final = {
    "none": "import pulumi\n",
    "naive": "from naive_rotation import NaiveRotation as Rotation\noptions = {{}}\n",
    "ours": (
        "from pulumi_upstash_rotation import RedisPasswordRotation as Rotation\n"
        "options = {{'verify': {verify}}}\n"
    ),
}
RESOURCES: Final = """
for id_ in {ids!r}:
    Rotation(id_, database_id=id_, triggers={{"release": {release}}}, **options)
"""
STEPS: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "first `up`": (1, ("up", "--yes", "--skip-preview")),
    "`up` without change": (1, ("up", "--yes", "--skip-preview")),
    "`preview`": (2, ("preview",)),
    "`up` that rotates all": (2, ("up", "--yes", "--skip-preview")),
    "`refresh`": (2, ("refresh", "--yes", "--skip-preview")),
}
"""The release that the program declares, and the command."""
SAMPLE_SECONDS: Final = 0.05
HEAD: Final = (
    "| databases | API latency | step | none | naive | ours | **ours / naive** | CPU, naive "
    "| CPU, ours | memory, naive | memory, ours | calls, naive | calls, ours | connections, ours |"
    "\n| ---: | ---: | --- |" + " ---: |" * 11
)


@dataclass(frozen=True)
class Case:
    """A fleet, an API, and how they are measured.

    Attributes:
        databases: How many.
        latency_seconds: Of each call of the API.
        parallel: The engine's `--parallel`; None for its default.
        verify: Databases are real, and ours asks them.
    """

    databases: int
    latency_seconds: float
    parallel: int | None = None
    verify: bool = False


@dataclass(frozen=True)
class Cost:
    """What one command took: wall and CPU seconds, megabytes at most, API calls, connections."""

    wall: float
    cpu: float
    megabytes: float
    calls: int
    connections: int


def main() -> None:
    """Measure, print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    lines = []
    for line in report(options.rounds, options.databases, options.latency):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        REPORT.write_text("\n".join(lines) + "\n")


def report(rounds: int, sizes: list[int], latencies: list[float]) -> Iterator[str]:
    """Yield the report's lines as they become known."""
    cores, version = os.cpu_count(), platform.python_version()
    yield "# Performance\n"
    yield (
        f"`make bench` on {platform.system()} {platform.machine()}, {cores} cores, Python "
        f"{version}; medians of {rounds} interleaved rounds. Seconds of wall clock and CPU, "
        "megabytes of all "
        "processes of a run together. *none* is a program without resources, *naive* a provider as "
        "Pulumi's guide would have it (`tests/benchmarks/naive_rotation.py`).\n"
    )
    yield "## The API alone\n"
    yield "Databases without Redis, verification off, the engine's default `--parallel`.\n"
    yield HEAD
    for latency in latencies:
        for size in sizes:
            yield from rows(Case(size, latency), rounds)
    yield f"\n## With `--parallel 64`\n\n{HEAD}"
    yield from rows(Case(64, max(latencies), parallel=64), rounds)
    yield "\n## With verification, real redis-servers on this machine\n"
    yield HEAD
    for size in (1, 64):
        if size <= max(sizes):
            yield from rows(Case(size, 0.0, verify=True), rounds)
    yield "\n## Import in a program\n"
    yield from imports(rounds)


def rows(case: Case, rounds: int) -> Iterator[str]:
    """Yield one line for each step of a case."""
    costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    with Emulator(
        databases=case.databases,
        latency_seconds=case.latency_seconds,
        redis_servers=case.verify,
        answer="with_credentials",
    ) as upstash:
        for _ in range(rounds):
            for kind in PROGRAMS:
                with tempfile.TemporaryDirectory(prefix="rotation-bench-") as folder:
                    for step, cost in run(kind, case, upstash, Path(folder)):
                        costs[step, kind].append(cost)
    for step in STEPS:
        none, naive, ours = (median(costs[step, kind]) for kind in PROGRAMS)
        yield (
            f"| {case.databases} | {case.latency_seconds * 1000:.0f} ms | {step} | {none.wall:.2f} "
            f"| {naive.wall:.2f} | {ours.wall:.2f} | **{ours.wall / naive.wall:.2f}** "
            f"| {naive.cpu:.1f} | {ours.cpu:.1f} | {naive.megabytes:.0f} | {ours.megabytes:.0f} "
            f"| {naive.calls} | {ours.calls} | {ours.connections} |"
        )


def median(costs: Iterable[Cost]) -> Cost:
    """Return the median of each part."""
    parts = zip(*(vars(cost).values() for cost in costs), strict=True)
    return Cost(*(statistics.median_high(part) for part in parts))


def run(kind: str, case: Case, upstash: Emulator, folder: Path) -> Iterator[tuple[str, Cost]]:
    """Run one program through all steps."""
    project = folder / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    environment = {**upstash.environment, "PYTHONPATH": str(Path(__file__).parent)}
    stack = Stack.create(project, folder / "stack", environment=environment)
    ids = [database.id for database in upstash.databases]
    program = PROGRAMS[kind].format(verify=case.verify)
    parallel = ("--parallel", str(case.parallel)) if case.parallel else ()
    for step, (release, command) in STEPS.items():
        resources = RESOURCES.format(ids=ids, release=release) if kind != "none" else ""
        (project / "__main__.py").write_text(program + resources)
        yield step, cost_of(stack, upstash, *command, *parallel)


def cost_of(stack: Stack, upstash: Emulator, *command: str) -> Cost:
    """Run a command and return what it took."""
    upstash.clear()
    started = time.perf_counter()
    process = subprocess.Popen(
        ["pulumi", *command, "--non-interactive", "--stack", stack.name],
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
        sys.exit(f"pulumi {' '.join(command)} failed")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall, cpu, sampler.megabytes, len(upstash.calls), upstash.connections)


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


def imports(rounds: int) -> Iterator[str]:
    """Yield a table of what `import` takes in a program of its own."""
    programs = {
        "import pulumi": "import pulumi",
        "import pulumi_upstash_rotation": "import pulumi_upstash_rotation",
    }
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(5 * rounds):
        for name, program in programs.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            taken[name].append(time.perf_counter() - started)
    alone, ours = (statistics.median(taken[name]) for name in programs)
    yield "| program | seconds | ratio |"
    yield "| --- | ---: | ---: |"
    yield f"| `import pulumi` | {alone:.3f} | 1 |"
    yield f"| `import pulumi_upstash_rotation` | {ours:.3f} | **{ours / alone:.2f}** |"


if __name__ == "__main__":
    main()
