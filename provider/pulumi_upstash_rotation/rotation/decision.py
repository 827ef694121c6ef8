"""Whether a rotation is due, and why. Pure: no I/O, no clock."""

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
    """Whether to rotate, and why.

    Attributes:
        rotate: Whether a rotation is due.
        reason: Reason of the rotation or adoption. None if nothing is due.
        uncertain: Whether the reason depends on a value that is not known yet.
        by_input: Whether the engine can find the reason itself, as a changed argument.
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


def decide(inputs: DeclaredRotation, record: RotationRecord, *, now: datetime) -> Decision:
    """Decide for a resource whose last rotation is known.

    A trigger is a reason if its value differs from its value at the last rotation. A removed
    trigger is no reason, and the order of triggers does not matter. A value that is still unknown
    may be new, so it counts as due.

    Args:
        inputs: The declared arguments.
        record: The last rotation.
        now: The current time, in UTC.
    """
    return _by_trigger(inputs, record) or _by_time(inputs, record, now) or NOTHING_DUE


def _by_trigger(inputs: DeclaredRotation, record: RotationRecord) -> Decision | None:
    if isinstance(inputs.triggers, Unknown):
        return Decision(rotate=True, reason=Reason(Cause.TRIGGER), uncertain=True)
    changed = [
        (has_unknown(value), name)
        for name, value in inputs.triggers.items()
        if value is not None and not same_value(value, record.triggers.get(name))
    ]
    if not changed:
        return None
    uncertain, name = min(changed)  # a certain reason comes first
    return Decision(rotate=True, reason=Reason(Cause.TRIGGER, name), uncertain=uncertain)


def _by_time(inputs: DeclaredRotation, record: RotationRecord, now: datetime) -> Decision | None:
    if record.counts_from is None:
        return None
    # An unknown age or schedule makes nothing due. A known one still can.
    days = None if isinstance(inputs.rotation_days, Unknown) else inputs.rotation_days
    schedule = None if isinstance(inputs.rotation_schedule, Unknown) else inputs.rotation_schedule
    due = next_rotation(record.counts_from, days, schedule)
    if due is None or now < due[0]:
        return None
    return Decision(rotate=True, reason=Reason(due[1]), by_input=False)
