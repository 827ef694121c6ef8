"""The time of the next rotation, as programs show it."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_upstash_rotation.rotation.next_rotation import next_rotation_at

LAST = "2026-11-23T04:05:06Z"


@pytest.mark.parametrize(
    ("counts_from", "arguments", "expected"),
    [
        (LAST, {}, None),
        (LAST, {"rotation_days": None, "rotation_schedule": None}, None),
        (LAST, {"rotation_days": 7}, "2026-11-30T04:05:06Z"),
        (LAST, {"rotation_schedule": "0 3 1 * *"}, "2026-12-01T03:00:00Z"),
        (LAST, {"rotation_days": 30, "rotation_schedule": "0 3 1 * *"}, "2026-12-01T03:00:00Z"),
        (LAST, {"rotation_days": 1, "rotation_schedule": "0 3 1 * *"}, "2026-11-24T04:05:06Z"),
        (LAST, {"rotation_days": "7"}, None),
        (LAST, {"rotation_schedule": "often"}, None),
        (None, {"rotation_days": 7}, None),
        ("yesterday", {"rotation_days": 7}, None),
        (7, {"rotation_days": 7}, None),
    ],
)
def test_next_rotation_is_the_earlier_of_age_and_schedule(
    counts_from: Any, arguments: dict[str, Any], expected: str | None
) -> None:
    assert next_rotation_at(counts_from, arguments) == expected


def test_next_rotation_after_the_end_of_time_is_none() -> None:
    """A wrong clock may have dated the last one."""
    assert next_rotation_at("9999-12-31T23:59:59Z", {"rotation_days": 7}) is None
