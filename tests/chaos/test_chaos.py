"""No fault loses a password: sequences drawn from a seed, on the real engine and real Redis.

`make test` runs one sequence for each kind of account, `make soak` the others. `CHAOS_SEED=…` draws
others; `make chaos N=…` runs more and prints a table.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .plan import SHADOWED, make_plan
from .sequence import run_sequence

if TYPE_CHECKING:
    from pathlib import Path

SEED = int(os.environ.get("CHAOS_SEED", "20261123"))
SEQUENCES = range(SEED, SEED + 20)
SAMPLE = {make_plan(seed).account: seed for seed in reversed(SEQUENCES)}.values()


@pytest.mark.engine
@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=() if seed in SAMPLE else pytest.mark.soak) for seed in SEQUENCES],
)
def test_a_sequence_of_faults_and_kills_ends_with_the_live_password(
    tmp_path: Path, seed: int
) -> None:
    record = run_sequence(make_plan(seed), tmp_path)
    assert record.resets <= record.declared + record.unknowable


def test_the_same_seed_is_the_same_plan() -> None:
    for seed in range(100):
        assert repr(make_plan(seed)) == repr(make_plan(seed))


def test_a_thousand_plans_hold_everything_that_can_happen() -> None:
    plans = [make_plan(seed) for seed in range(1000)]
    steps = [step for plan in plans for step in plan.steps]
    assert {step.command for step in steps} == {"up", "preview", "refresh", "destroy"}
    assert {step.scope for step in steps} == {"", "replace", "target"}
    assert {plan.front_end for plan in plans} == {"dynamic", "native", "moved"}
    assert {plan.account for plan in plans} == {"documented", "with credentials", "protected"}
    endings = {step.blow.ending for step in steps if step.blow}
    assert endings == {"engine", "provider", "both", "interrupt", "interrupt twice"}
    assert {name for step in steps for name in step.machine.shadows} == set(SHADOWED)
    for happens in ("aged", "renamed", "deleted", "suspended", "stranger", "console_before", "lag"):
        assert any(getattr(step, happens) for step in steps), happens
    for lacks in ("hard", "descriptors", "threads"):
        assert any(getattr(step.machine, lacks) for step in steps), lacks
    kinds = {trouble.fault.kind for step in steps for trouble in step.troubles}
    assert kinds >= {
        *("status", "odd status", "429", "proxy's page", "closed", "closed, interim", "cut_off"),
        *("garbage", "body", "without", "odd shape", "masked", "hostile", "other_database"),
        *("delay", "drip", "interim", "slow propagation"),
    }
