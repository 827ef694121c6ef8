"""When time alone makes a rotation due."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.rotation.record import Cause
from pulumi_upstash_rotation.rotation.schedule import (
    InvalidScheduleError,
    check_schedule,
    next_on_schedule,
    next_rotation,
)

from ..support.clock import START

SCHEDULES = st.sampled_from(["0 3 1 * *", "*/7 * * * *", "0 0 29 2 *", "15 4 * * 1-5", "* * * * *"])
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(lambda after: START + after)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 3 1 * *", "2026-11-23T04:05:06", "2026-12-01T03:00:00"),
        ("0 3 1 * *", "2026-12-01T03:00:00", "2027-01-01T03:00:00"),
        ("0 0 29 2 *", "2026-11-23T04:05:06", "2028-02-29T00:00:00"),
        ("*/15 * * * *", "2026-11-23T23:59:59", "2026-11-24T00:00:00"),
        ("0 9 * * MON", "2026-11-23T09:00:00", "2026-11-30T09:00:00"),
    ],
)
def test_next_moment_on_a_schedule_is_the_first_later_one(
    schedule: str, after: str, expected: str
) -> None:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)

    assert next_on_schedule(schedule, moment(after)) == moment(expected)


@pytest.mark.parametrize("schedule", ["60 * * * *", "0 0 30 2 *", "x y z a b", "0 0 0 0 0"])
def test_next_moment_on_an_impossible_schedule_is_our_error(schedule: str) -> None:
    with pytest.raises(InvalidScheduleError, match="must be a cron expression of five fields"):
        next_on_schedule(schedule, START)


def test_next_moment_after_the_end_of_time_is_our_error() -> None:
    with pytest.raises(InvalidScheduleError):
        next_on_schedule("0 0 29 2 *", datetime.max.replace(tzinfo=timezone.utc))


@pytest.mark.parametrize("schedule", [None, 5, b"* * * * *", "* * * *", "* * * * * *", "@daily"])
def test_schedule_without_five_fields_is_our_error(schedule: Any) -> None:
    with pytest.raises(InvalidScheduleError):
        check_schedule(schedule)


def test_schedule_with_any_white_space_between_its_fields_is_accepted() -> None:
    check_schedule("0  3\t1 * *")


@pytest.mark.parametrize(
    ("days", "schedule", "expected"),
    [
        (None, None, None),
        (7, None, (START + timedelta(days=7), Cause.AGE)),
        (0.5, None, (START + timedelta(hours=12), Cause.AGE)),
        (None, "0 3 * * *", (datetime(2026, 11, 24, 3, tzinfo=timezone.utc), Cause.SCHEDULE)),
        (7, "0 3 * * *", (datetime(2026, 11, 24, 3, tzinfo=timezone.utc), Cause.SCHEDULE)),
        (0.1, "0 3 * * *", (START + timedelta(days=0.1), Cause.AGE)),
    ],
)
def test_next_rotation_is_the_earlier_of_age_and_schedule(
    days: float | None, schedule: str | None, expected: Any
) -> None:
    assert next_rotation(START, days, schedule) == expected


def test_next_rotation_at_one_moment_for_both_reasons_is_by_age() -> None:
    midnight = datetime(2026, 11, 23, tzinfo=timezone.utc)
    expected = (midnight + timedelta(days=1), Cause.AGE)
    assert next_rotation(midnight, 1, "0 0 * * *") == expected


@given(MOMENTS, st.none() | st.floats(0.001, 3650), st.none() | SCHEDULES)
def test_next_rotation_is_always_later_than_the_last(
    rotated_at: datetime, days: float | None, schedule: str | None
) -> None:
    due = next_rotation(rotated_at, days, schedule)
    assert (due is None) == (days is None and schedule is None)
    assert due is None or due[0] > rotated_at


def test_no_rotation_is_due_after_one_that_is_dated_at_the_end_of_time() -> None:
    last = datetime(9999, 12, 31, 23, 59, tzinfo=timezone.utc)
    assert next_rotation(last, 1, "0 3 1 * *") is None
