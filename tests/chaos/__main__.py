"""`python -m tests.chaos N SEED`: run sequences and print what they came to as a table."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from pulumi_stack import accept_interrupts

from .plan import make_plan
from .sequence import BrokenPromiseError, LostPasswordError, Record, run_sequence


def main(count: int, seed: int) -> int:
    """Run `count` sequences from a seed on; return how many broke a promise."""
    print(f"{count} sequences from seed {seed}; one of them again: make chaos N=1 SEED=…")
    accept_interrupts()
    started, records, broken = time.monotonic(), [], []
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool,
    ):
        jobs = [
            pool.submit(run_sequence, make_plan(number), Path(folder, str(number)))
            for number in range(seed, seed + count)
        ]
        for job in as_completed(jobs):
            try:
                records.append(job.result())
            except BrokenPromiseError as error:
                broken.append(error)
                print(f"\n{error}", flush=True)
            done = len(records) + len(broken)
            if done % 10 == 0:
                print(f"{done} done, {len(broken)} broken", file=sys.stderr, flush=True)
    print(table(records, broken, time.monotonic() - started))
    return len(broken)


def table(records: list[Record], broken: list[BrokenPromiseError], seconds: float) -> str:
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
    return "\n".join(
        ["| what | how many |", "| --- | ---: |", *(f"| {a} | {b} |" for a, b in rows)]
    )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    n = given[0] if given else 20
    sys.exit(main(n, given[1] if len(given) > 1 else random.randrange(10**6)) != 0)
