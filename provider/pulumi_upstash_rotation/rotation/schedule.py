"""Rotations that age or a cron schedule makes due. Reads no clock."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import Final

from .record import Cause

FIELDS: Final = 5


class InvalidScheduleError(ValueError):
    """A cron expression is malformed or never fires. The text states what is allowed."""

    def __init__(self) -> None:
        """State what is allowed."""
        super().__init__(
            'must be a cron expression of five fields in UTC, such as "0 3 1 * *" (03:00 on the '
            "first of each month). It must have a future time"
        )


def check_schedule(schedule: object) -> None:
    """Check a cron expression of minute, hour, day of month, month and day of week.

    Raises:
        InvalidScheduleError: It is malformed, or it never fires.
    """
    if not isinstance(schedule, str) or len(schedule.split()) != FIELDS:
        raise InvalidScheduleError
    next_on_schedule(schedule, datetime(2000, 1, 1))  # noqa: DTZ001  any time is fine


def next_on_schedule(schedule: str, after: datetime) -> datetime:
    """Return the first scheduled time after a given time.

    Raises:
        InvalidScheduleError: The expression is malformed or never fires again.
    """
    from cronsim import CronSim, CronSimError  # only programs with a schedule need it

    try:
        return next(CronSim(schedule, after))
    except (CronSimError, StopIteration, OverflowError):
        raise InvalidScheduleError from None


def next_rotation(
    rotated_at: datetime, rotation_days: float | None, rotation_schedule: str | None
) -> tuple[datetime, Cause] | None:
    """Return the time at which the next rotation is due, and its cause, `AGE` or `SCHEDULE`.

    By schedule, it is due at the first scheduled time after the last rotation. So a pipeline with
    the same cron expression rotates in each run, even if the run starts late.

    Args:
        rotated_at: Last rotation, in UTC.
        rotation_days: Maximum age of a credential, in days. None for no maximum.
        rotation_schedule: Cron expression in UTC. None for no schedule.
    """
    due = []
    # A wrong clock may have dated the last rotation near the end of time. Then none is due.
    if rotation_days is not None:
        with contextlib.suppress(OverflowError):
            due.append((rotated_at + timedelta(days=rotation_days), Cause.AGE))
    if rotation_schedule is not None:
        with contextlib.suppress(InvalidScheduleError):
            due.append((next_on_schedule(rotation_schedule, rotated_at), Cause.SCHEDULE))
    return min(due, key=lambda each: (each[0], each[1].value), default=None)
