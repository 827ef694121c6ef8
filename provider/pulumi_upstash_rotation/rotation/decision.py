"""Whether a rotation is due, and why. Pure: the heart of the promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi_upstash_rotation.values import Unknown, has_unknown, same_value

from .record import Cause, Reason
from .schedule import next_rotation

if TYPE_CHECKING:
    from datetime import datetime

    from .inputs import DeclaredRotation
    from .record import RotationRecord


@dataclass(frozen=True)
class Decision:
    """What must happen.

    Attributes:
        rotate: A rotation is due.
        reason: Why. None when nothing is due.
        uncertain: The reason depends on a value that is not known yet.
        by_input: The engine finds the reason itself, as a changed argument.
    """

    rotate: bool
    reason: Reason | None = None
    uncertain: bool = False
    by_input: bool = True


NOTHING_DUE = Decision(rotate=False)


def decide_first(inputs: DeclaredRotation) -> Decision:
    """Decide for a resource that has no rotation yet."""
    if inputs.rotate_on_create:
        return Decision(rotate=True, reason=Reason(Cause.CREATE))
    return Decision(rotate=False, reason=Reason(Cause.ADOPTED))


def decide(
    inputs: DeclaredRotation,
    record: RotationRecord,
    *,
    now: datetime,
    engine_inputs_stale: bool = False,
) -> Decision:
    """Return what the declared arguments ask for.

    A trigger is a reason when its value differs from its value at the last rotation. A removed
    trigger is no reason, and the order of triggers means nothing. A value that is still unknown may
    turn out to be new, so it counts as due.

    Args:
        inputs: What the program declares.
        record: The last rotation.
        now: The present, in UTC.
        engine_inputs_stale: The engine holds older triggers than the record, so that it finds no
            changed input.
    """
    return (
        _by_trigger(inputs, record, by_input=not engine_inputs_stale)
        or _by_time(inputs, record, now)
        or NOTHING_DUE
    )


def _by_trigger(
    inputs: DeclaredRotation, record: RotationRecord, *, by_input: bool
) -> Decision | None:
    if isinstance(inputs.triggers, Unknown):
        reason = Reason(Cause.TRIGGER)
        return Decision(rotate=True, reason=reason, uncertain=True, by_input=by_input)
    changed = [
        (has_unknown(value), name)
        for name, value in inputs.triggers.items()
        if value is not None and not same_value(value, record.triggers.get(name))
    ]
    if not changed:
        return None
    uncertain, name = min(changed)  # a certain one is the better reason
    reason = Reason(Cause.TRIGGER, name)
    return Decision(rotate=True, reason=reason, uncertain=uncertain, by_input=by_input)


def _by_time(inputs: DeclaredRotation, record: RotationRecord, now: datetime) -> Decision | None:
    if record.rotated_at is None:
        return None
    # An unknown age or schedule makes nothing due. A known one still can.
    days = None if isinstance(inputs.rotation_days, Unknown) else inputs.rotation_days
    schedule = None if isinstance(inputs.rotation_schedule, Unknown) else inputs.rotation_schedule
    due = next_rotation(record.rotated_at, days, schedule)
    if due is None or now < due[0]:
        return None
    return Decision(rotate=True, reason=Reason(due[1]), by_input=False)
