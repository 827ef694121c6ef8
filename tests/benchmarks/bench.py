"""`make bench`: the cost of our provider, of a naive one and of a program without resources.

The programs take turns, so that all of them meet the same drift of the machine's speed. The ratio
of the minima counts. Only `--scale` asserts something. `--write` writes the figures to
docs/performance.json. `make generate plots` makes the tables and plots of
docs/performance.md from that file.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pulumi_stack import Stack, accept_interrupts
from pulumi_upstash_rotation import RedisPasswordRotation
from pulumi_upstash_rotation.frontends.engine.names import camel
from upstash_emulator import Emulator

from .costs import Cost, cost_of, least
from .scale import measure_scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT / "docs" / "performance.json"
IDEAL: Final = "naive with outputs"
SIZES: Final = [1, 16, 64, 256]
GOALS_DATABASES: Final = 64
SCALE_DATABASES: Final = 1024
SCALE_LIMIT: Final = 25
PLUGIN: Final = "plugin"
IN_YAML: Final = "plugin in YAML"
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
    PLUGIN: (
        "from naive_rotation import PluginRotation as Rotation\n"
        "options = {{'verify': {verify}, 'outputs': {plugin_outputs}}}\n"
    ),
    IN_YAML: "",
}
RESET: Final = "password reset"
USER: Final = "ACL user"
CONSUMED: Final = {
    RESET: """
from naive_rotation import Consumer
from pulumi_upstash_rotation import RedisPasswordRotation
options = {{}}
def Rotation(name, **arguments):
    Consumer(f"{{name}}-consumer", RedisPasswordRotation(name, **arguments).redis_url)
""",
    USER: """
from naive_rotation import Consumer
from pulumi_upstash_rotation import RedisAclUser
options = {{"username": "app", "rules": ["~app:*", "+@read", "+ping"]}}
def Rotation(name, **arguments):
    user = RedisAclUser(name, **arguments)
    consumer = Consumer(f"{{name}}-consumer", user.redis_url)
    user.retire_previous(after=[consumer], grace_seconds=0)
""",
}
"""Each rotation has one consumer. An ACL user also retires its earlier tokens, without a pause."""
OURS: Final = ("pulumi-python:dynamic/upstash:", "upstash-rotation:")
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


@dataclass(frozen=True)
class Case:
    """A fleet, an API, and how they are measured.

    Attributes:
        databases: Number of databases.
        latency_seconds: Latency of each call of the API.
        parallel: The engine's `--parallel`. None for its default.
        verify: Our provider verifies each rotation, against a real redis-server.
    """

    databases: int
    latency_seconds: float
    parallel: int | None = None
    verify: bool = False


PLUGIN_CASES: Final = (
    Case(GOALS_DATABASES, 0.0),
    Case(GOALS_DATABASES, 0.3, parallel=64),
)
"""What the goals of the native plugin are about."""

Results = dict[tuple[Case, str, str], Cost]
"""Medians by case, step and program."""


def main() -> None:
    """Measure, print the figures, and write them where asked."""
    accept_interrupts()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", type=int, nargs="+", help="sizes of the fleet")
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.3])
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--users", action="store_true", help="measure only ACL users")
    only.add_argument("--plugin", action="store_true", help="measure only the native plugin")
    only.add_argument("--scale", action="store_true", help="measure only stacks side by side")
    parser.add_argument(
        "--limits",
        type=int,
        nargs="+",
        default=[SCALE_LIMIT],
        help="requests a second that the API accepts with --scale, 0 without a limit",
    )
    parser.add_argument("--write", action="store_true", help="write docs/performance.json")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in ("provider", "emulator", "tests/benchmarks"):
        compileall.compile_dir(ROOT / folder, quiet=1)  # as an installer does
    some = options.users or options.plugin or options.scale
    sizes = options.databases or SIZES
    figures = json.loads(DATA.read_text())
    if not some:
        results: Results = {}
        for case in cases(sizes, options.latency):
            measure(case, options.rounds, results)
        figures |= data(options.rounds, reported(goals(results, options.rounds)), results)
    if options.users or not some:
        figures["users"] = measure_users(options.rounds, max(sizes))
    if options.plugin or not some:
        figures["plugin"] = measure_plugin(options.rounds)
    if options.scale:
        fleet = max(options.databases or [SCALE_DATABASES])
        figures["scale"] = measure_scale(fleet, options.limits)
    if options.write:
        DATA.write_text(written(figures))


def cases(sizes: list[int], latencies: list[float]) -> Iterator[Case]:
    """Yield everything to be measured."""
    for latency in latencies:
        for size in sizes:
            yield Case(size, latency)
    yield Case(GOALS_DATABASES, max(latencies), parallel=64)
    for size in (1, GOALS_DATABASES):
        if size <= max(sizes):
            yield Case(size, 0.0, verify=True)


def measure(case: Case, rounds: int, results: Results, kinds: Sequence[str] = ()) -> None:
    """Run a case, add its minima to `results`, and print a line for each step."""
    costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    kinds = kinds or [
        kind
        for kind in PROGRAMS
        if kind not in (PLUGIN, IN_YAML) and (kind != IDEAL or case.databases == GOALS_DATABASES)
    ]
    with Emulator(
        databases=case.databases,
        redis_servers=case.verify,
        reset_response="with_credentials",
    ) as upstash:
        for _ in range(rounds):
            for kind in kinds:
                upstash.latency_seconds = 0 if kind == IDEAL else case.latency_seconds
                with tempfile.TemporaryDirectory(prefix="rotation-bench-") as folder:
                    for step, cost in run(kind, case, upstash, Path(folder)):
                        costs[step, kind].append(cost)
    for step in STEPS:
        results.update({(case, step, kind): least(costs[step, kind]) for kind in kinds})
        seconds = {kind: results[case, step, kind].wall_seconds for kind in kinds}
        parts = ", ".join(f"{kind} {took:.2f} s" for kind, took in seconds.items())
        print(
            f"{case}, {step}: {parts}, ratio {seconds['ours'] / seconds['naive']:.2f}", flush=True
        )


def measure_plugin(rounds: int) -> list[dict[str, Any]]:
    """Return what the native plugin costs against the Python resource, and print it."""
    results: Results = {}
    for case in PLUGIN_CASES:
        measure(case, rounds, results, ("naive", "ours", PLUGIN, IN_YAML))
    return reported(plugin_goals(results, rounds))


def reported(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return goals, each printed as soon as it is measured."""
    reached = []
    for goal in found:
        print(f"{goal['goal']}: {goal['measured']:.2f}, goal {goal['at_most']}", flush=True)
        reached.append(goal)
    return reached


def measure_users(rounds: int, most: int) -> list[dict[str, object]]:
    """Return what rotations of ACL users cost against resets of passwords, and print it."""
    case = Case(min(GOALS_DATABASES, most), 0.0, verify=True)
    costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    each: dict[str, dict[str, object]] = {}
    for _ in range(rounds):
        for kind in CONSUMED:
            # ACL users outlive a stack, so each round has new databases.
            with (
                Emulator(databases=case.databases, reset_response="with_credentials") as upstash,
                tempfile.TemporaryDirectory(prefix="rotation-bench-") as folder,
            ):
                for step, cost in run(kind, case, upstash, Path(folder)):
                    costs[kind, step].append(cost)
                    if step == ROTATES:
                        requests = requests_of(upstash) / case.databases
                        each[kind] = {"requests": round(requests, 2), **footprint(Path(folder))}
    rows = []
    for kind in CONSUMED:
        seconds = {step: round(least(costs[kind, step]).wall_seconds, 2) for step in STEPS}
        rows.append({"program": kind, "databases": case.databases, **each[kind], **seconds})
        print(rows[-1], flush=True)
    return rows


def requests_of(upstash: Emulator) -> int:
    """Return how many requests were served. A user is read in the request that changes it."""
    before: dict[str | None, str] = {}
    requests = 0
    for call in upstash.calls:
        last = before.get(call.database_id)
        together = call.operation == "acl getuser" and last in ("acl gentoken", "acl setuser")
        requests += not together
        before[call.database_id] = call.operation
    return requests


def footprint(folder: Path) -> dict[str, object]:
    """Return how many resources a rotation has, and how many bytes of the state they take."""
    (state,) = folder.rglob("stacks/**/dev.json")
    resources = json.loads(state.read_text())["checkpoint"]["latest"]["resources"]
    ours = [each for each in resources if each["type"].startswith(OURS)]
    rotations = sum(each["urn"].endswith("-consumer") for each in resources)
    size = sum(len(json.dumps(each)) for each in ours)
    return {"resources": len(ours) // rotations, "bytes": size // rotations}


def goals(results: Results, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield each goal, the ratio that was measured, and the limit of any provider."""
    slow, fast = Case(GOALS_DATABASES, 0.3), Case(GOALS_DATABASES, 0.0)
    parallel, verified = replace(slow, parallel=64), replace(fast, verify=True)
    fleet = f"{GOALS_DATABASES} databases"
    for name, case, step, most in (
        (f"{fleet}, API of 300 ms, `--parallel 64`", parallel, ROTATES, 0.4),
        (f"{fleet}, API of 300 ms", slow, ROTATES, 0.65),
        (f"{fleet}, API of 300 ms, `--parallel 64`", parallel, FIRST, 0.4),
        (f"{fleet}, API of 300 ms", slow, FIRST, 1.05),
        (f"{fleet}, verified", verified, ROTATES, 1.3),
        ("1 database, verified", Case(1, 0.0, verify=True), ROTATES, 1.1),
        (fleet, fast, UNCHANGED, 1.05),
        (fleet, fast, PREVIEW, 1.05),
        (fleet, fast, REFRESH, 1.05),
    ):
        if (case, step, "ours") not in results:
            continue
        naive = results[case, step, "naive"].wall_seconds
        ideal = results.get((case, step, IDEAL))
        yield {
            "goal": f"{name}: {step}",
            "at_most": most,
            "measured": round(results[case, step, "ours"].wall_seconds / naive, 2),
            "limit": round(ideal.wall_seconds / naive, 2) if ideal else None,
        }
    alone, ours = imports(rounds, "import pulumi", "import pulumi_upstash_rotation")
    yield {
        "goal": "`import pulumi_upstash_rotation` against `import pulumi`",
        "at_most": 1.15,
        "measured": round(ours / alone, 2),
        "limit": None,
    }


def plugin_goals(results: Results, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield the goals of the native plugin. Most are ratios to the dynamic provider."""
    fast, slow = PLUGIN_CASES
    fleet = f"{GOALS_DATABASES} databases"
    for name, case, step, most, part, other in (
        (f"plugin, {fleet}", fast, ROTATES, 0.75, "wall_seconds", "ours"),
        (f"plugin, {fleet}", fast, UNCHANGED, 0.8, "wall_seconds", "ours"),
        (f"plugin, {fleet}, bytes of the state", fast, ROTATES, 0.6, "kilobytes", "ours"),
        (
            f"plugin, {fleet}, API of 300 ms, `--parallel 64`, to the naive provider",
            *(slow, ROTATES, 0.5, "wall_seconds", "naive"),
        ),
    ):
        for kind in (PLUGIN, IN_YAML):
            if (case, step, kind) in results:
                ours = getattr(results[case, step, kind], part)
                ratio = ours / getattr(results[case, step, other], part)
                yield {
                    "goal": f"{name.replace(PLUGIN, kind, 1)}: {step}",
                    "at_most": most,
                    "measured": round(ratio, 2),
                    "limit": None,
                }
    alone, plugin = imports(
        rounds,
        "import pulumi, grpc",
        # It prints its port as soon as it serves.
        "import builtins, os\nfrom pulumi_upstash_rotation.frontends.native import main\n"
        "builtins.print = lambda *_, **__: os._exit(0)\nmain.main()",
    )
    yield {
        "goal": "start of the plugin against `import pulumi, grpc`",
        "at_most": 1.2,
        "measured": round(plugin / alone, 2),
        "limit": None,
    }


def data(rounds: int, reached: list[dict[str, Any]], results: Results) -> dict[str, object]:
    """Return all figures, but those of ACL users."""
    head = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "pulumi": pulumi_version(),
        "rounds": rounds,
        "statistic": "minimum",
    }
    measurements = [
        {
            "databases": case.databases,
            "latency_ms": round(case.latency_seconds * 1000),
            "parallel": case.parallel,
            "verify": case.verify,
            "step": step,
            "program": kind,
            **{name: round(value, 2) for name, value in asdict(cost).items()},
        }
        for (case, step, kind), cost in results.items()
    ]
    return {**head, "goals": reached, "measurements": measurements}


def written(figures: dict[str, object]) -> str:
    """Return figures as JSON, one measurement a line."""
    parts = []
    for name, value in figures.items():
        text = json.dumps(value)
        if isinstance(value, list):
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            text = f"[\n{rows}\n ]"
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def run(kind: str, case: Case, upstash: Emulator, folder: Path) -> Iterator[tuple[str, Cost]]:
    """Run one program through all steps."""
    project = folder / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    environment = {**upstash.environment, "PYTHONPATH": str(Path(__file__).parent)}
    stack = Stack.create(project, folder / "stack", environment=environment)
    ids = [database.id for database in upstash.databases]
    outputs = list(RedisPasswordRotation.__annotations__)
    program = {**PROGRAMS, **CONSUMED}[kind].format(
        verify=case.verify, outputs=outputs, plugin_outputs=[camel(name) for name in outputs]
    )
    parallel = ("--parallel", str(case.parallel)) if case.parallel else ()
    options = ("--non-interactive", "--stack", stack.name)
    for step, (release, command) in STEPS.items():
        if kind == IN_YAML:
            (project / "Pulumi.yaml").write_text(in_yaml(ids, release, verify=case.verify))
        else:
            resources = RESOURCES.format(ids=ids, release=release) if kind != "none" else ""
            (project / "__main__.py").write_text(program + resources)
        yield step, cost_of(("pulumi", *command, *parallel, *options), stack, upstash)


def in_yaml(ids: Iterable[str], release: int, *, verify: bool) -> str:
    """Return a project that declares the plugin's resources in YAML, which is a kind of JSON."""
    resources = {
        f"r{id_}": {
            "type": "upstash-rotation:RedisPasswordRotation",
            "properties": {"databaseId": id_, "triggers": {"release": release}, "verify": verify},
        }
        for id_ in ids
    }
    return json.dumps({"name": "bench", "runtime": "yaml", "resources": resources})


def imports(rounds: int, *programs: str) -> list[float]:
    """Return how many seconds each of some short programs takes."""
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(10 * rounds):
        for program in programs:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            taken[program].append(time.perf_counter() - started)
    return [min(taken[program]) for program in programs]


def pulumi_version() -> str:
    """Return the version of the engine."""
    told = subprocess.run(["pulumi", "version"], check=True, capture_output=True, text=True)
    return told.stdout.strip()


if __name__ == "__main__":
    main()
