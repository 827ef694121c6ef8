"""No fault loses a password: sequences drawn from a seed, on the real engine and real Redis.

`CHAOS_SEED=…` draws others; `make chaos N=…` runs more and prints a table.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from upstash_emulator.faults import KINDS

from .plan import make_plan
from .sequence import Record, run_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = int(os.environ.get("CHAOS_SEED", "20261123"))
SEQUENCES = 20


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Future[Record]]]:
    """Sequences that run beside one another, as many as there are processors."""
    folder = tmp_path_factory.mktemp("chaos")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            seed: pool.submit(run_sequence, make_plan(seed), folder / str(seed))
            for seed in range(SEED, SEED + SEQUENCES)
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("seed", range(SEED, SEED + SEQUENCES))
@pytest.mark.timeout(900)
def test_a_sequence_ends_with_the_live_password(
    sequences: dict[int, Future[Record]], seed: int
) -> None:
    record = sequences[seed].result()
    assert record.resets <= record.declared + record.unknowable


def test_the_same_seed_is_the_same_plan() -> None:
    for seed in range(100):
        assert repr(make_plan(seed)) == repr(make_plan(seed))


def test_plans_hold_everything_that_can_happen() -> None:
    plans = [make_plan(seed) for seed in range(1000)]
    steps = [step for plan in plans for step in plan.steps]
    assert {step.command for step in steps} == {"up", "preview", "refresh", "destroy"}
    assert {plan.account for plan in plans} == {"documented", "with credentials", "protected"}
    endings = {step.blow.ending for step in steps if step.blow}
    assert endings == {"engine", "provider", "both", "interrupt", "interrupt twice"}
    kinds = {trouble.fault.kind for step in steps for trouble in step.troubles}
    assert kinds >= set(KINDS)
