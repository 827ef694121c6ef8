"""`make bench ARGS=--scale`: one fleet in one stack, and in many stacks side by side.

The program is the one at the top of the repository, as docs/how-to/without-code.md uses it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pulumi_stack import Stack
from upstash_emulator import Emulator

from .costs import cost_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .costs import Cost

ROOT: Final = Path(__file__).parents[2]
LATENCY_SECONDS: Final = 0.3
STEPS: Final = {
    "first `up`": (1, 0),
    "`up` without change": (1, 0),
    "`up` that rotates all": (2, 1),
}
"""The release that the config declares, and how often each database has been reset after it.

The first `up` of a shard adopts the passwords.
"""


@dataclass(frozen=True)
class Arrangement:
    """How a fleet is spread.

    Attributes:
        stacks: Number of stacks.
        at_once: How many of them run at the same time.
    """

    stacks: int
    at_once: int


ARRANGEMENTS: Final = (Arrangement(1, 1), Arrangement(16, 2), Arrangement(16, 4))


def measure_scale(
    databases: int, limits: Iterable[int], arrangements: Iterable[Arrangement] = ARRANGEMENTS
) -> list[dict[str, Any]]:
    """Return what a fleet costs, one row for each arrangement, limit and step, and print it.

    Args:
        databases: Number of databases.
        limits: Requests a second that the API accepts. 0 means no limit.
        arrangements: How the fleet is spread.

    Raises:
        SystemExit: A command failed, or a database was not reset exactly once.
    """
    rows = []
    for limit in limits:
        for arrangement in arrangements:
            for step, cost in run(arrangement, databases, limit):
                rows.append(
                    {
                        "databases": databases,
                        "latency_ms": round(LATENCY_SECONDS * 1000),
                        "requests_per_second": limit,
                        **asdict(arrangement),
                        "step": step,
                        **{name: round(value, 2) for name, value in asdict(cost).items()},
                    }
                )
                print(rows[-1], flush=True)
    return rows


def run(arrangement: Arrangement, databases: int, limit: int) -> Iterator[tuple[str, Cost]]:
    """Run all steps of one arrangement."""
    with (
        Emulator(
            databases=databases,
            latency_seconds=LATENCY_SECONDS,
            requests_per_second=limit,
            redis_servers=False,
            reset_response="with_credentials",
        ) as upstash,
        tempfile.TemporaryDirectory(prefix="rotation-bench-") as folder,
    ):
        stacks = new_stacks(arrangement.stacks, Path(folder), upstash)
        each = "pulumi up --yes --skip-preview --non-interactive --stack shard-N"
        command = f"seq {arrangement.stacks} | xargs -P {arrangement.at_once} -I N {each}"
        for step, (release, resets) in STEPS.items():
            for number, stack in enumerate(stacks, 1):
                declare(stack, f"{number}/{arrangement.stacks}", release)
            yield step, cost_of(("sh", "-c", command), stacks[0], upstash)
            check_resets((database.resets for database in upstash.databases), resets)


def new_stacks(count: int, folder: Path, upstash: Emulator) -> list[Stack]:
    """Make the stacks `shard-1` to `shard-COUNT` of one project."""
    project = folder / "project"
    project.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, project)
    names = [f"shard-{number}" for number in range(1, count + 1)]
    return [Stack.create(project, folder / "stacks", name, upstash.environment) for name in names]


def declare(stack: Stack, shard: str, release: int) -> None:
    """Write a stack's config. `pulumi config set` would take a second for each stack."""
    config = {
        "namePrefix": "",
        "shard": shard,
        "rotateOnCreate": False,
        "verify": False,
        "triggers": {"release": release},
    }
    keys = {f"upstash-rotation:{name}": value for name, value in config.items()}
    file = stack.project / f"Pulumi.{stack.name}.yaml"
    salt, *_ = file.read_text().splitlines()
    file.write_text(f"{salt}\nconfig: {json.dumps(keys)}\n")  # JSON is a kind of YAML


def check_resets(resets: Iterable[int], expected: int) -> None:
    """Exit if a database was reset more or less often than expected.

    Raises:
        SystemExit: One was.
    """
    wrong = Counter(each for each in resets if each != expected)
    if wrong:
        found = ", ".join(f"{count} at {many} of them" for count, many in sorted(wrong.items()))
        sys.exit(f"resets of each database: {expected} expected, but {found}")
