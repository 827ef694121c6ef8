"""Whether a database's password is due for a reset, and why: pure, the heart of the promise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .inputs import Inputs, Unknown
from .schedule import next_rotation

if TYPE_CHECKING:
    from datetime import datetime

    from .state import State


@dataclass(frozen=True)
class Decision:
    """What has to happen.

    Attributes:
        rotate: The password has to be reset.
        replace: Another database is meant: a new resource instead of a change of this one.
        cause: Why, in a word or two: `create`, `adopted`, `trigger: NAME`, `age`, `schedule`;
            `unsettled` for one whose outcome is not known; None when nothing is due.
        uncertain: The cause depends on a value that is not known yet.
        by_input: The cause is a changed argument that the engine finds by itself, not the time.
        remember: Nothing is due, but an argument that a deletion needs has changed.
    """

    rotate: bool
    replace: bool = False
    cause: str | None = None
    uncertain: bool = False
    by_input: bool = True
    remember: bool = False


NOTHING_DUE = Decision(rotate=False)


def decide(inputs: Inputs, state: State | None, *, now: datetime) -> Decision:
    """Return what the declared arguments ask for.

    A trigger asks for a rotation when its value is not the one that it had at the last rotation.
    One that is gone asks for nothing, and the order of triggers means nothing. A value that is
    still unknown may turn out to be new, so it counts as due.

    Args:
        inputs: What the program declares.
        state: What the last rotation left; None: there was none.
        now: The present, in UTC.
    """
    if state is None:
        return _first(inputs)
    if inputs.database_id != state.database_id:
        first = _first(inputs)
        return Decision(
            rotate=first.rotate,
            replace=True,
            cause=first.cause,
            uncertain=isinstance(inputs.database_id, Unknown),
        )
    if state.unsettled:
        return Decision(rotate=True, cause="unsettled", by_input=False)
    return due(inputs, state, now=now)


def due(inputs: Inputs, state: State, *, now: datetime) -> Decision:
    """Return what the declared arguments ask for, whatever else there is to settle."""
    return (
        _by_trigger(inputs, state)
        or _by_time(inputs, state, now)
        or Decision(rotate=False, remember=inputs.rotate_on_delete != state.rotate_on_delete)
    )


def _first(inputs: Inputs) -> Decision:
    if inputs.rotate_on_create:
        return Decision(rotate=True, cause="create")
    return Decision(rotate=False, cause="adopted")


def _by_trigger(inputs: Inputs, state: State) -> Decision | None:
    if isinstance(inputs.triggers, Unknown):
        return Decision(
            rotate=True, cause="triggers", uncertain=True, by_input=not state.inputs_lag
        )
    changed = [
        (_has_unknown(value), name)
        for name, value in inputs.triggers.items()
        if value is not None and not same_value(value, state.triggers.get(name))
    ]
    if not changed:
        return None
    uncertain, name = min(changed)  # a certain one is the better reason
    return Decision(
        rotate=True,
        cause=f"trigger: {name}",
        uncertain=uncertain,
        by_input=not state.inputs_lag,
    )


def _by_time(inputs: Inputs, state: State, now: datetime) -> Decision | None:
    if state.rotated_at is None:
        return None
    # What is unknown may turn out to be due; what is known to be due is due whatever that says.
    days = None if isinstance(inputs.rotation_days, Unknown) else inputs.rotation_days
    schedule = None if isinstance(inputs.rotation_schedule, Unknown) else inputs.rotation_schedule
    due = next_rotation(state.rotated_at, days, schedule)
    if due is None or now < due[0]:
        return None
    return Decision(rotate=True, cause=due[1], by_input=False)


def same_value(a: object, b: object) -> bool:
    """Say whether two JSON values are the same once Pulumi's engine has stored and returned them.

    There, numbers are floats (1 is 1.0), null and absent are alike in a map, and true is not 1.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        keys = a.keys() | b.keys()
        return all(same_value(a.get(key), b.get(key)) for key in keys)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)  # which equals nothing, itself included
    return a == b


def _has_unknown(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_unknown, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_unknown, value))
    return isinstance(value, Unknown)
