"""When time alone makes a rotation due: by age and by cron schedule. Reads no clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from .record import Cause

FIELDS: Final = 5


class InvalidScheduleError(ValueError):
    """A cron expression is malformed or never fires. The text states what is allowed."""

    def __init__(self) -> None:
        """State what is allowed."""
        super().__init__(
            "must be a cron expression of five fields, in UTC, with at least one future moment, "
            'such as "0 3 1 * *" (at 03:00 on the first of each month)'
        )


def check_schedule(schedule: object) -> None:
    """Accept a cron expression of minute, hour, day of month, month and day of week.

    Raises:
        InvalidScheduleError: It is malformed, or it never fires.
    """
    if not isinstance(schedule, str) or len(schedule.split()) != FIELDS:
        raise InvalidScheduleError
    next_on_schedule(schedule, datetime(2000, 1, 1))  # noqa: DTZ001  any moment will do


def next_on_schedule(schedule: str, after: datetime) -> datetime:
    """Return the first scheduled moment after another one.

    Raises:
        InvalidScheduleError: The expression is malformed or never fires again.
    """
    from cronsim import CronSim, CronSimError  # few programs need it

    try:
        return next(CronSim(schedule, after))
    except (CronSimError, StopIteration, OverflowError):
        raise InvalidScheduleError from None


def next_rotation(
    rotated_at: datetime, rotation_days: float | None, rotation_schedule: str | None
) -> tuple[datetime, Cause] | None:
    """Return when time makes the next rotation due, and why: `AGE` or `SCHEDULE`.

    The schedule counts from the last rotation. So a pipeline with the same cron expression finds a
    rotation due in each run, however late the run starts.

    Args:
        rotated_at: Last rotation, in UTC.
        rotation_days: Age in days at which a credential is due. None: never.
        rotation_schedule: Cron expression in UTC. None: no schedule.
    """
    due = []
    if rotation_days is not None:
        due.append((rotated_at + timedelta(days=rotation_days), Cause.AGE))
    if rotation_schedule is not None:
        due.append((next_on_schedule(rotation_schedule, rotated_at), Cause.SCHEDULE))
    return min(due, key=lambda each: (each[0], each[1].value), default=None)
