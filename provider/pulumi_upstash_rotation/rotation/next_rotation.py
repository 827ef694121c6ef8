"""The time of the next rotation, as programs show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.values import format_time, parse_time

from .inputs import CHECKS, KnownRotation, parse
from .schedule import next_rotation

if TYPE_CHECKING:
    from collections.abc import Mapping


def next_rotation_at(counts_from: object, arguments: Mapping[str, Any]) -> str | None:
    """Return the time at which age or schedule makes a rotation due, in RFC 3339 and UTC.

    None without age and schedule. None if an argument is not allowed, which `check()` reports.

    Args:
        counts_from: The output `rotated_at`, or `adopted_at` without one.
        arguments: The arguments `rotation_days` and `rotation_schedule`.
    """
    try:
        inputs = parse(KnownRotation, CHECKS, arguments)
    except InvalidInputError:
        return None
    last = parse_time(counts_from)
    due = last and next_rotation(last, inputs.rotation_days, inputs.rotation_schedule)
    return format_time(due[0]) if due else None
