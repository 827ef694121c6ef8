"""No sequence of faults breaks a promise, and each safeguard is needed.

`make test` runs 4,000 sequences, which take about ten seconds, and `make soak` 4,000 others. Set
`SIMULATION_SECONDS` and it draws new ones for so long. `python -m tests.simulation N SEED` prints a
table.
"""

from __future__ import annotations

import os

import pytest

from .exhaustive import Tally, search_from
from .plan import Plan, plan_of_seed
from .safeguards import SAFEGUARDS, Safeguard
from .shrink import broken_promise, shrink, story
from .table import Totals, run_for, run_seeds

SEED = int(os.environ.get("SIMULATION_SEED", "20261125"))
SOAK_SECONDS = float(os.environ.get("SIMULATION_SECONDS", "0"))
SEEDS_THAT_FAILED = {
    22819: "a reset that only recovers another is repeated",
    40793: "the same: its password counts one run later",
    49163: "an adoption forgets a read that a login refutes",
    85106: "a reset that only recovers another is repeated",
    124578: "an API that denies a database twice is believed",
    127212: "the same",
    178107: "a deletion resets what another one has just made",
    300051841: "a deletion relies on a reset that only a late read shows",
    300097346: "a deletion without verification believes a late read",
    300117909: "the same",
    300124652: "a late read is compared with one that is later",
    300157880: "after a late read a refresh looks as if no reset had happened",
    300157966: "judge: a confirmed reset counts",
    300162197: "judge: a user's reset looks like the pending one",
    300166367: "a read that a login refutes counts as a rotation",
    300180537: "judge: a late read is no comparison",
    300231672: "a read that a login refutes counts as a rotation",
    300236395: "a deletion without verification believes a late read",
    300241936: "the same",
    300247488: "a password that was read between two resets counts as the new one",
    300263075: "a reverted rotate_on_delete stays in the state",
    300264098: "a read that a login refutes counts as a rotation",
    700011513: "a refresh takes a read that a login refutes",
    700017438: "judge: a stored password that is dead is no comparison",
    700033252: "judge: nor is one that a late login refutes",
}
"""Seeds that have broken a promise, or that were judged wrongly."""
MOST_SEEDS = 8000
"""Number of sequences within which each missing safeguard must show."""


def judge(totals: Totals) -> None:
    stories = [story(shrink(seeds[0])) for seeds in totals.seeds_of_promises().values()]
    assert not stories, "\n\n".join(stories)


def test_one_thousand_sequences_break_no_promise() -> None:
    totals = run_seeds(SEED, SEED + 1000)
    judge(totals)
    assert totals.sequences == 1000


@pytest.mark.parametrize("seed", SEEDS_THAT_FAILED, ids=SEEDS_THAT_FAILED.get)
def test_a_seed_that_failed_breaks_no_promise(seed: int) -> None:
    assert broken_promise(plan_of_seed(seed)) is None


@pytest.mark.soak
def test_four_thousand_other_sequences_break_no_promise() -> None:
    first = SEED + 1_000_000
    judge(run_for(SOAK_SECONDS, first) if SOAK_SECONDS else run_seeds(first, first + 4000))


@pytest.mark.parametrize(
    "safeguard",
    [
        # Without a plan of its own, thousands of sequences may be drawn.
        pytest.param(each, id=each.name, marks=() if each.plan else pytest.mark.soak)
        for each in SAFEGUARDS
    ],
)
def test_without_a_safeguard_a_promise_breaks(safeguard: Safeguard) -> None:
    if safeguard.plan:
        assert broken_promise(safeguard.plan) is None
    with safeguard.remove():
        plans = [safeguard.plan] if safeguard.plan else map(plan_of_seed, range(MOST_SEEDS))
        broken = map(broken_promise, plans)
        assert next(filter(None, broken), None) is not None


def test_a_failing_seed_shrinks_to_a_story() -> None:
    (safeguard,) = (each for each in SAFEGUARDS if each.name == "a masked value is no password")
    with safeguard.remove():
        seeds = (seed for seed in range(MOST_SEEDS) if broken_promise(plan_of_seed(seed)))
        seed = next(seeds)
        simplest = shrink(seed)
        told = story(simplest)
        assert len(simplest.steps) <= len(plan_of_seed(seed).steps)
    assert told.splitlines()[-1].startswith("BROKEN: ")
    assert "`pulumi " in told


def test_the_same_seed_is_the_same_plan_and_the_same_end() -> None:
    for seed in range(50):
        assert plan_of_seed(seed) == plan_of_seed(seed)
    assert run_seeds(0, 50) == run_seeds(0, 50)


def test_two_operations_with_two_faults_are_searched_exhaustively() -> None:
    tally = Tally()
    search_from(Plan(False, "shown", (), ()), 2, 2, tally)
    assert not tally.broken
    assert tally.sequences > 200
