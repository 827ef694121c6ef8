"""`python -m tests.chaos N SEED`: run sequences and print what they came to as two tables."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from pulumi_stack import accept_interrupts

from .plan import make_plan
from .sequence import LostPasswordError, Record, run_sequence
from .user_plan import make_user_plan
from .user_sequence import CutOffError, UserRecord, run_user_sequence

KINDS = {
    "passwords": lambda seed, folder: run_sequence(make_plan(seed), folder),
    "users": lambda seed, folder: run_user_sequence(make_user_plan(seed), folder),
}


def main(count: int, seed: int, kinds: list[str]) -> int:
    """Run `count` sequences of each kind from a seed on; return how many broke a promise."""
    print(f"{count} sequences from seed {seed}; one of them again: make chaos N=1 SEED=…")
    accept_interrupts()
    tables = {"passwords": table, "users": table_of_users}
    failures = 0
    for kind in kinds:
        started = time.monotonic()
        records, broken = run(kind, range(seed, seed + count))
        print(f"\n{tables[kind](records, broken, time.monotonic() - started)}", flush=True)
        failures += len(broken)
    return failures


def run(kind: str, seeds: range) -> tuple[list[Any], list[BaseException]]:
    """Run sequences of a kind side by side; return what they came to, and those that broke."""
    records, broken = [], []
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool,
    ):
        jobs = [pool.submit(KINDS[kind], seed, Path(folder, str(seed))) for seed in seeds]
        try:
            for job in as_completed(jobs):
                if error := job.exception():
                    broken.append(error)
                    print(f"\n{error}", flush=True)
                else:
                    records.append(job.result())
                done = len(records) + len(broken)
                if done % 10 == 0:
                    print(f"{done} done, {len(broken)} broken", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("interrupted: the table has what ended before", file=sys.stderr, flush=True)
    return records, broken


def table(records: list[Record], broken: list[BaseException], seconds: float) -> str:
    """Return the outcome as a table in Markdown."""
    faults: Counter[str] = sum((record.faults for record in records), Counter())
    blows: Counter[str] = sum((record.blows for record in records), Counter())
    events: Counter[str] = sum((record.events for record in records), Counter())
    lost = sum(isinstance(error, LostPasswordError) for error in broken)
    rows: list[tuple[str, object]] = [
        ("sequences", len(records) + len(broken)),
        ("lost passwords", lost),
        ("resets that nothing explains, and other broken promises", len(broken) - lost),
        ("`pulumi` commands", sum(record.commands for record in records)),
        ("rotations declared", sum(record.declared for record in records)),
        ("resets made", sum(record.resets for record in records)),
        ("surplus resets", sum(record.surplus for record in records)),
        ("resets whose outcome could not be known", sum(r.unknowable for r in records)),
        *sorted(events.items()),
        *((f"fault, {name}", number) for name, number in sorted(faults.items())),
        *((f"killed or interrupted: {name}", number) for name, number in sorted(blows.items())),
        ("minutes", round(seconds / 60)),
    ]
    return written(rows)


def table_of_users(records: list[UserRecord], broken: list[BaseException], seconds: float) -> str:
    """Return the outcome of sequences of ACL users as a table in Markdown."""
    counts: Counter[str] = sum((record.counts for record in records), Counter())
    cut_off = sum(isinstance(error, CutOffError) for error in broken)
    rows: list[tuple[str, object]] = [
        ("sequences", len(records) + len(broken)),
        ("consumers cut off", cut_off),
        ("other broken promises", len(broken) - cut_off),
        ("`pulumi` commands", sum(record.commands for record in records)),
        ("looks at the tokens while they ran", sum(record.looks for record in records)),
        *sorted(counts.items()),
        ("minutes", round(seconds / 60)),
    ]
    return written(rows)


def written(rows: list[tuple[str, object]]) -> str:
    """Return rows as a table in Markdown."""
    return "\n".join(
        ["| what | how many |", "| --- | ---: |", *(f"| {a} | {b} |" for a, b in rows)]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20)
    parser.add_argument("seed", type=int, nargs="?", default=random.randrange(10**6))
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these sequences")
    given = parser.parse_args()
    sys.exit(main(given.count, given.seed, given.kind or list(KINDS)) != 0)
