"""Makes a failing plan as small as possible, with hypothesis."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import hypothesis
from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes

from .plan import Step, drawing, make_plan, plans
from .sequence import BrokenPromiseError, run_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Fault, Plan

_KEY = b"a failing plan"


def shrink(seed: int) -> Plan:
    """Return the simplest plan that breaks the same promise as the plan of a seed.

    A drawing is a list of numbers, and hypothesis draws the same list. So the failing plan is
    hypothesis's first example, as if an earlier run had saved it.

    Args:
        seed: A seed whose plan breaks a promise.
    """
    draw, numbers = drawing(seed)
    plan = make_plan(draw)
    promise = broken_promise(plan)
    if promise is None:
        raise ValueError(f"the plan of seed {seed} breaks no promise")
    database = InMemoryExampleDatabase()
    # One number too many, or hypothesis would take the example for one that it has shrunk before.
    database.save(_KEY, choices_to_bytes([*numbers, 0]))
    settings = hypothesis.settings(
        database=database,
        deadline=None,
        max_examples=10_000,
        phases=(hypothesis.Phase.reuse, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    found = hypothesis.find(
        plans(),
        lambda each: broken_promise(each) == promise,
        settings=settings,
        database_key=_KEY,
    )
    return _with_fewer_parts(found, promise)


def _with_fewer_parts(plan: Plan, promise: str) -> Plan:
    """Leave out every step and every fault that the failure does not need."""
    simpler = True
    while simpler:
        simpler = False
        for each in _smaller(plan):
            if broken_promise(each) == promise:
                plan, simpler = each, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Yield the plans that have one part less."""
    steps, calm = plan.steps, Step()
    for number, step in enumerate(steps):
        before, after = steps[:number], steps[number + 1 :]
        if len(steps) > 1:
            yield replace(plan, steps=(*before, *after))
        for field in fields(Step):
            usual = getattr(calm, field.name)
            if getattr(step, field.name) != usual:
                less = replace(step, **{field.name: usual})
                yield replace(plan, steps=(*before, less, *after))
        for name in ("resets", "reads", "lists"):
            faults: tuple[Fault, ...] = getattr(step, name)
            for at in range(len(faults)):
                less = replace(step, **{name: (*faults[:at], *faults[at + 1 :])})
                yield replace(plan, steps=(*before, less, *after))


def broken_promise(plan: Plan) -> str | None:
    """Return the promise that a plan breaks. None if it breaks none."""
    try:
        run_plan(plan)
    except BrokenPromiseError as error:
        return error.promise
    return None


def story(plan: Plan) -> str:
    """Return a plan as a story, with what happened and the promise that it breaks."""
    try:
        record = run_plan(plan, tell=True)
    except BrokenPromiseError as error:
        return "\n".join([plan.story(), "", *error.__notes__, f"BROKEN: {error}"])
    return "\n".join([plan.story(), "", *record.story, "No promise is broken."])
