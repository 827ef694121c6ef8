"""`make bench`: what our provider costs beside a naive one and beside a program without resources.

They take turns in one run, so that a machine whose speed drifts is no excuse; what counts is the
ratio of the medians. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import compileall
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
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from pulumi_stack import Stack
from pulumi_upstash_rotation import RedisPasswordRotation
from upstash_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = ROOT / "docs" / "performance.md"
IDEAL: Final = "naive with outputs"
GOALS_DATABASES: Final = 64
PROGRAMS: Final = {
    "none": "import pulumi\n",
    "naive": "from naive_rotation import NaiveRotation as Rotation\noptions = {{}}\n",
    IDEAL: (
        "from naive_rotation import NaiveRotationWithOutputs as Rotation\n"
        "options = {{'outputs': {outputs}}}\n"
    ),
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
FIRST, UNCHANGED, PREVIEW, ROTATES, REFRESH = STEPS
SAMPLE_SECONDS: Final = 0.2
HEAD: Final = (
    "| databases | API latency | step | none | naive | ours | **ours / naive** | CPU, naive "
    "| CPU, ours | memory, naive | memory, ours | state, naive | state, ours | calls, naive "
    "| calls, ours | connections, ours |\n| ---: | ---: | --- |" + " ---: |" * 13
)
READING: Final = """
*none* is a program without resources; *naive* is a provider as Pulumi's guide would have it
(`tests/benchmarks/naive_rotation.py`): it makes the one call, keeps every password in clear, declares
no outputs, and is locked out by a lost answer. Seconds of wall clock and of CPU; megabytes of all
processes of a run together, at most; kilobytes of state in the end. Bytecode is compiled beforehand,
as for anybody who installed the packages.

*none* also shows how fast the machine was at that moment. Where it drifts, as a shared machine does, so
do the ratios, by 0.2 and more; of two rounds the slower one counts.
"""  # noqa: E501 - as wide as the other documents
LIMITS: Final = """
*Limit* is what a provider would come to that never waits for the API and costs nothing beyond what
ours promises: the naive one with the same outputs, of which only three are encrypted, at 0 ms, beside
the naive one of that row. The engine writes the whole state before and after each reset, one write
after the other, and does so more slowly the larger the state is and the more of it is encrypted;
Pulumi's SDK spends about 0.1 ms of the program's time on each declared output, and ours has sixty.

So the engine's share grows with the square of a fleet: each of its resets writes the whole fleet.
Several stacks of a few dozen databases cost less than one of hundreds.

What is ours: a first `up` makes two calls for each database, a look and the reset, where the naive
provider makes one; a refresh makes one, where the naive one makes none. Each reset is announced on the
resource's row. Check, diff and update together take some 2 ms of the provider's time for each database,
verification 4 ms. The API, the redis-servers and their TLS run on the same cores as what is measured.
"""  # noqa: E501


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
    """What a command took.

    Attributes:
        wall: Seconds.
        cpu: Seconds.
        megabytes: Memory of all processes together, at most.
        kilobytes: State afterwards.
        calls: Of the API.
        connections: To the API.
    """

    wall: float
    cpu: float
    megabytes: float
    kilobytes: float
    calls: int
    connections: int


Results = dict[tuple[Case, str, str], Cost]
"""Medians by case, step and program."""


def main() -> None:
    """Measure, print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in ("provider", "tests/benchmarks"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    lines = []
    for line in report(options.rounds, options.databases, options.latency):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        REPORT.write_text("\n".join(lines) + "\n")


def report(rounds: int, sizes: list[int], latencies: list[float]) -> Iterator[str]:
    """Yield the report's lines as they become known."""
    cores, version = os.cpu_count(), platform.python_version()
    results: Results = {}
    yield "# Performance\n"
    yield (
        f"`make bench` on {platform.system()} {platform.machine()}, {cores} cores, Python "
        f"{version}, Pulumi {pulumi_version()}: medians of {rounds} interleaved rounds."
    )
    yield READING
    yield "## The API alone\n"
    yield "Databases without Redis, verification off, the engine's default `--parallel`.\n"
    yield HEAD
    for latency in latencies:
        for size in sizes:
            yield from rows(Case(size, latency), rounds, results)
    yield f"\n## With `--parallel 64`\n\n{HEAD}"
    yield from rows(Case(GOALS_DATABASES, max(latencies), parallel=64), rounds, results)
    yield "\n## With verification, real redis-servers on this machine\n"
    yield HEAD
    for size in (1, GOALS_DATABASES):
        if size <= max(sizes):
            yield from rows(Case(size, 0.0, verify=True), rounds, results)
    yield "\n## Growth\n"
    yield from growth(results, sizes)
    yield "\n## Goals\n"
    yield from goals(results, rounds)
    yield LIMITS


def rows(case: Case, rounds: int, results: Results) -> Iterator[str]:
    """Yield one line for each step of a case; add what was measured to `results`."""
    costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    kinds = [kind for kind in PROGRAMS if kind != IDEAL or case.databases == GOALS_DATABASES]
    with Emulator(
        databases=case.databases,
        redis_servers=case.verify,
        answer="with_credentials",
    ) as upstash:
        for _ in range(rounds):
            for kind in kinds:
                upstash.latency_seconds = 0 if kind == IDEAL else case.latency_seconds
                with tempfile.TemporaryDirectory(prefix="rotation-bench-") as folder:
                    for step, cost in run(kind, case, upstash, Path(folder)):
                        costs[step, kind].append(cost)
    for step in STEPS:
        results.update({(case, step, kind): median(costs[step, kind]) for kind in kinds})
        none, naive, ours = (results[case, step, kind] for kind in ("none", "naive", "ours"))
        yield (
            f"| {case.databases} | {case.latency_seconds * 1000:.0f} ms | {step} | {none.wall:.2f} "
            f"| {naive.wall:.2f} | {ours.wall:.2f} | **{ours.wall / naive.wall:.2f}** "
            f"| {naive.cpu:.1f} | {ours.cpu:.1f} | {naive.megabytes:.0f} | {ours.megabytes:.0f} "
            f"| {naive.kilobytes:.0f} | {ours.kilobytes:.0f} "
            f"| {naive.calls} | {ours.calls} | {ours.connections} |"
        )


def growth(results: Results, sizes: list[int]) -> Iterator[str]:
    """Yield a table of what one more database costs at 0 ms, between one size and the next."""
    yield "What each further database costs at 0 ms.\n"
    yield "| step | from, to | ms, naive | ms, ours | MB, naive | MB, ours | KB, naive | KB, ours |"
    yield "| --- | --- |" + " ---: |" * 6
    for step in STEPS:
        for few, many in pairwise(sizes):
            if (Case(few, 0.0), step, "ours") not in results:
                continue
            parts = []
            for name, factor in (("wall", 1000), ("megabytes", 1), ("kilobytes", 1)):
                for kind in ("naive", "ours"):
                    less, more = (
                        getattr(results[Case(size, 0.0), step, kind], name) for size in (few, many)
                    )
                    parts.append(f"{factor * (more - less) / (many - few):.2g}")
            yield f"| {step} | {few}, {many} | {' | '.join(parts)} |"


def goals(results: Results, rounds: int) -> Iterator[str]:
    """Yield a table of what is to be reached, what was, and what could be."""
    slow, fast = Case(GOALS_DATABASES, 0.3), Case(GOALS_DATABASES, 0.0)
    parallel, verified = replace(slow, parallel=64), replace(fast, verify=True)
    yield f"| {GOALS_DATABASES} databases | at most | measured | limit |"
    yield "| --- | ---: | ---: | ---: |"
    for name, case, step, most in (
        ("300 ms, `--parallel 64`: ", parallel, ROTATES, 0.4),
        ("300 ms: ", slow, ROTATES, 0.65),
        ("300 ms, `--parallel 64`: ", parallel, FIRST, 0.4),
        ("300 ms: ", slow, FIRST, 1.05),
        ("verified: ", verified, ROTATES, 1.3),
        ("one only, verified: ", Case(1, 0.0, verify=True), ROTATES, 1.1),
        ("", fast, UNCHANGED, 1.05),
        ("", fast, PREVIEW, 1.05),
        ("calls of 0 ms: ", fast, REFRESH, 1.05),
    ):
        if (case, step, "ours") not in results:
            continue
        naive = results[case, step, "naive"].wall
        measured = results[case, step, "ours"].wall / naive
        ideal = results.get((case, step, IDEAL))
        limit = f"{ideal.wall / naive:.2f}" if ideal else ""
        yield f"| {name}{step} | {most} | **{measured:.2f}** | {limit} |"
    alone, ours = imports(rounds)
    yield (
        f"| `import pulumi_upstash_rotation` ({ours:.3f} s) beside `import pulumi` ({alone:.3f} s) "
        f"| 1.15 | **{ours / alone:.2f}** | |"
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
    outputs = list(RedisPasswordRotation.__annotations__)
    program = PROGRAMS[kind].format(verify=case.verify, outputs=outputs)
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
    state = stack.state_file.stat().st_size / 1000
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


def imports(rounds: int) -> list[float]:
    """Return how many seconds an import of Pulumi takes in a program of its own, and of ours."""
    programs = ("import pulumi", "import pulumi_upstash_rotation")
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(10 * rounds):
        for program in programs:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            taken[program].append(time.perf_counter() - started)
    return [statistics.median(taken[program]) for program in programs]


def pulumi_version() -> str:
    """Return the version of the engine."""
    told = subprocess.run(["pulumi", "version"], check=True, capture_output=True, text=True)
    return told.stdout.strip()


if __name__ == "__main__":
    main()
