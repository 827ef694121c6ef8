"""`make bench`: one `pulumi up` of ours, of the naive provider's, and of a program without either.

All of them take turns in one run, so that a machine whose speed drifts is no excuse; what counts is
the ratio. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_stack import Stack
from upstash_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS: Final = {
    "none": "import pulumi\n",
    "naive": "from naive_rotation import NaiveRotation as Rotation\n",
    "ours": "from pulumi_upstash_rotation import RedisPasswordRotation as Rotation\n",
}
STEPS: Final = ("first up", "up unchanged", "preview", "up rotating all")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.3])
    options = parser.parse_args()
    cores = os.cpu_count()
    print(
        f"{platform.system()} {platform.machine()}, {cores} cores, Python "
        f"{platform.python_version()}; medians of {options.rounds} rounds, in seconds\n"
    )
    print("| databases | API latency | step | none | naive | ours | ours / naive |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for number in options.databases:
        for latency in options.latency:
            measure(number, latency, options.rounds)


def measure(number: int, latency: float, rounds: int) -> None:
    """Print the rows of one size and one latency."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with Emulator(
        databases=number, latency_seconds=latency, redis_servers=False, answer="with_credentials"
    ) as upstash:
        for _ in range(rounds):
            for kind in PROGRAMS:
                with tempfile.TemporaryDirectory(prefix="rotation-bench-") as folder:
                    run(
                        kind,
                        upstash,
                        Path(folder),
                        lambda step, taken, kind=kind: seconds[step, kind].append(taken),
                    )
    for step in STEPS:
        none, naive, ours = (statistics.median(seconds[step, kind]) for kind in PROGRAMS)
        print(
            f"| {number} | {latency} s | {step} | {none:.2f} | {naive:.2f} | {ours:.2f} "
            f"| {ours / naive:.2f} |",
            flush=True,
        )


def run(kind: str, upstash: Emulator, folder: Path, record: Callable[[str, float], None]) -> None:
    """Run one program through all steps."""
    project = folder / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    here = str(Path(__file__).parent)
    stack = Stack.create(
        project, folder / "stack", environment={**upstash.environment, "PYTHONPATH": here}
    )
    ids = [database.id for database in upstash.databases]

    def timed(step: str, action: Callable[[], str], release: int) -> None:
        program = PROGRAMS[kind]
        if kind != "none":
            program += (
                f"for id_ in {ids!r}:\n"
                f"    Rotation(id_, database_id=id_, triggers={{'release': {release}}})\n"
            )
        (project / "__main__.py").write_text(program)
        started = time.perf_counter()
        action()
        record(step, time.perf_counter() - started)

    timed("first up", stack.up, 1)
    timed("up unchanged", stack.up, 1)
    timed("preview", stack.preview, 2)
    timed("up rotating all", stack.up, 2)


if __name__ == "__main__":
    main()
