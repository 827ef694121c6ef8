"""Whether a database's password is due for a reset, and why: pure, the heart of the promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .inputs import Inputs, Unknown


@dataclass(frozen=True)
class State:
    """What is remembered of the last rotation, as far as a decision needs it.

    Attributes:
        database_id: The database that was rotated.
        triggers: The triggers as they were then.
    """

    database_id: str
    triggers: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Decision:
    """What has to happen.

    Attributes:
        rotate: The password has to be reset.
        replace: Another database is meant: a new resource instead of a change of this one.
        cause: Why, in a word or two: `create`, `trigger: NAME`; None when nothing is due.
    """

    rotate: bool
    replace: bool = False
    cause: str | None = None


NOTHING_DUE = Decision(rotate=False)


def decide(inputs: Inputs, state: State | None) -> Decision:
    """Return what the declared arguments ask for, given the last rotation (None: never rotated).

    A trigger asks for a rotation when its value is not the one that it had at the last rotation.
    One that is gone asks for nothing, and the order of triggers means nothing. A value that is
    still unknown may turn out to be new, so it counts as due.
    """
    if state is None:
        return Decision(rotate=True, cause="create")
    if inputs.database_id != state.database_id:
        return Decision(rotate=True, replace=True, cause="create")
    if isinstance(inputs.triggers, Unknown):
        return Decision(rotate=True, cause="triggers")
    for name, value in sorted(inputs.triggers.items()):
        if value is not None and not same_value(value, state.triggers.get(name)):
            return Decision(rotate=True, cause=f"trigger: {name}")
    return NOTHING_DUE


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
    if isinstance(a, float) and a != a:  # noqa: PLR0124  NaN, which is equal to nothing
        return isinstance(b, float) and b != b  # noqa: PLR0124
    return a == b
