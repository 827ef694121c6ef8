"""Runs sequences by seed and adds up what they came to."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from .plan import plan_of_seed
from .sequence import BrokenPromiseError, run_plan


@dataclass
class Totals:
    """What many sequences came to.

    Attributes:
        sequences: How many there were.
        counts: Sums of the records' numbers, by name.
        hits: Faults and kills that hit something.
        broken: Seed, promise and whether the password was lost, for each broken promise.
    """

    sequences: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[int, str, bool]] = field(default_factory=list)

    def add(self, other: Totals) -> None:
        """Add other totals."""
        self.sequences += other.sequences
        self.counts += other.counts
        self.hits += other.hits
        self.broken += other.broken

    def seeds_of_promises(self) -> dict[str, list[int]]:
        """Return the failing seeds of each broken promise."""
        found: dict[str, list[int]] = {}
        for seed, promise, _ in self.broken:
            found.setdefault(promise, []).append(seed)
        return found


def run_seeds(first: int, end: int) -> Totals:
    """Run the sequences of these seeds."""
    totals = Totals()
    for seed in range(first, end):
        run_seed(seed, totals)
    return totals


def run_for(seconds: float, first: int) -> Totals:
    """Run the sequences of the seeds from the first one on, until the time is over."""
    totals, end = Totals(), time.monotonic() + seconds
    seed = first
    while time.monotonic() < end:
        run_seed(seed, totals)
        seed += 1
    return totals


def run_seed(seed: int, totals: Totals) -> None:
    """Run one sequence, and add what it came to."""
    totals.sequences += 1
    try:
        record = run_plan(plan_of_seed(seed))
    except BrokenPromiseError as error:
        totals.broken.append((seed, error.promise, error.lost))
        return
    totals.hits += record.hits
    totals.counts.update(
        {
            "commands": record.commands,
            "operations": record.operations,
            "resets": record.resets,
            "unknowable": record.unknowable,
            "outside": record.outside,
        }
    )


def table(totals: Totals, seconds: float) -> str:
    """Return the totals as a table in Markdown."""
    counts = totals.counts
    lost = sum(lost for _, _, lost in totals.broken)
    rows = [
        ("sequences", totals.sequences),
        ("**lost passwords**", lost),
        ("**other broken promises**", len(totals.broken) - lost),
        ("commands", counts["commands"]),
        ("creates, updates, reads and deletions", counts["operations"]),
        ("resets", counts["resets"]),
        ("resets whose outcome could not be known at once", counts["unknowable"]),
        ("resets by users and by another stack", counts["outside"]),
        *((what, number) for what, number in sorted(totals.hits.items())),
        ("minutes", round(seconds / 60)),
        ("sequences each second", round(totals.sequences / seconds)),
    ]
    lines = ["| count of | number |", "| --- | ---: |"]
    return "\n".join([*lines, *(f"| {what} | {number:,} |" for what, number in rows)])
