"""When time alone makes a rotation due: age and cron schedule. Reads no clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

FIELDS: Final = 5


class InvalidScheduleError(ValueError):
    """A cron expression is malformed or never fires; the text says what is allowed."""

    def __init__(self) -> None:
        """Say what is allowed."""
        super().__init__(
            "must be a cron expression of five fields, in UTC, that fires one day, such as "
            '"0 3 1 * *" (at 03:00 on the first of each month)'
        )


def check_schedule(schedule: object) -> None:
    """Accept a cron expression of minute, hour, day of month, month and day of week.

    Raises:
        InvalidScheduleError: It is none, or it never fires.
    """
    if not isinstance(schedule, str) or len(schedule.split()) != FIELDS:
        raise InvalidScheduleError
    next_on_schedule(schedule, datetime(2000, 1, 1))  # noqa: DTZ001  any moment will do


def next_on_schedule(schedule: str, after: datetime) -> datetime:
    """Return the first scheduled moment later than another one.

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
) -> tuple[datetime, str] | None:
    """Return when time makes the next rotation due, and whether by `age` or `schedule`.

    The schedule counts from the last rotation, so a pipeline that runs by the same cron expression
    finds one due at every run, however late it starts.

    Args:
        rotated_at: Last rotation, in UTC.
        rotation_days: Age in days at which a password is due; None for never.
        rotation_schedule: Cron expression in UTC; None for no schedule.
    """
    due = []
    if rotation_days is not None:
        due.append((rotated_at + timedelta(days=rotation_days), "age"))
    if rotation_schedule is not None:
        due.append((next_on_schedule(rotation_schedule, rotated_at), "schedule"))
    return min(due, default=None)
