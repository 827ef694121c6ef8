"""When a rotation is due: the cases that people break, and what holds for all of them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.rotation.decision import NOTHING_DUE, Decision, decide, decide_first
from pulumi_upstash_rotation.rotation.inputs import DeclaredRotation
from pulumi_upstash_rotation.rotation.record import Cause, Reason, RotationRecord
from pulumi_upstash_rotation.values import UNKNOWN

from ..support.clock import START as NOW
from ..support.payloads import JSON

TRIGGERS = st.dictionaries(st.text(min_size=1), JSON, max_size=4)
MOMENTS = st.integers(0, 7300).map(lambda days: NOW + timedelta(days=days, seconds=days % 3600))


def decided(new: dict[str, Any], old: dict[str, Any]) -> Decision:
    return decide(DeclaredRotation(new), RotationRecord(triggers=old), now=NOW)


def by_time(
    days: Any = None, schedule: Any = None, *, rotated_at: datetime | None = None, now: Any = NOW
) -> Decision:
    inputs = DeclaredRotation(rotation_days=days, rotation_schedule=schedule)
    return decide(inputs, RotationRecord(rotated_at), now=now)


def reason_of(decision: Decision) -> str | None:
    return str(decision.reason) if decision.reason else None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({}, {}, None),
        ({"a": 1}, {"a": 2}, "trigger: a"),
        ({"a": 1}, {"a": 1, "b": 1}, "trigger: b"),
        ({}, {"a": 1}, "trigger: a"),
        ({"a": 1, "b": 2}, {"a": 1}, None),
        ({"a": 1}, {}, None),
        ({"a": 1}, {"a": 1.0}, None),
        ({"a": 1}, {"a": True}, "trigger: a"),
        ({"a": 0}, {"a": False}, "trigger: a"),
        ({"a": 1}, {"a": "1"}, "trigger: a"),
        ({"a": ""}, {"a": "x"}, "trigger: a"),
        ({"a": "x"}, {"a": ""}, "trigger: a"),
        ({"a": None}, {"a": 1}, "trigger: a"),
        ({"a": 1}, {"a": None}, None),
        ({"a": {"b": None}}, {"a": {}}, None),
        ({"a": [1, 2]}, {"a": [2, 1]}, "trigger: a"),
        ({"a": [1, None]}, {"a": [1]}, "trigger: a"),
        ({"a": [1, 2]}, {"a": (1, 2)}, None),
        ({"a": math.nan}, {"a": math.nan}, None),
        ({"a": math.nan}, {"a": 1.0}, "trigger: a"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, "trigger: a"),
        ({"a": 1}, {"a": UNKNOWN}, "trigger: a"),
        ({"a": [1]}, {"a": [UNKNOWN]}, "trigger: a"),
    ],
)
def test_trigger_with_a_new_value_is_a_reason(
    old: dict[str, Any], new: dict[str, Any], reason: str | None
) -> None:
    decision = decided(new, old)
    assert (decision.rotate, reason_of(decision)) == (reason is not None, reason)
    assert decision.uncertain == ("unknown" in repr(new))


def test_first_rotation_is_due_by_default() -> None:
    expected = Decision(rotate=True, reason=Reason(Cause.CREATE))
    assert decide_first(DeclaredRotation()) == expected
    assert decide_first(DeclaredRotation(rotate_on_create=UNKNOWN)) == expected


def test_first_rotation_with_rotate_on_create_false_adopts() -> None:
    inputs = DeclaredRotation(rotate_on_create=False, rotation_days=0.001)
    assert decide_first(inputs) == Decision(rotate=False, reason=Reason(Cause.ADOPTED))


def test_unknown_triggers_are_an_uncertain_reason() -> None:
    decision = decide(DeclaredRotation(UNKNOWN), RotationRecord(triggers={"a": 1}), now=NOW)
    assert decision == Decision(rotate=True, reason=Reason(Cause.TRIGGER), uncertain=True)


def test_certain_trigger_is_named_before_an_uncertain_one() -> None:
    decision = decided({"a": UNKNOWN, "b": 2}, {"a": 1, "b": 1})
    assert (reason_of(decision), decision.uncertain) == ("trigger: b", False)


@pytest.mark.parametrize(
    ("days", "schedule", "rotated", "reason"),
    [
        (7, None, "2026-11-16 04:05:06", "age"),
        (7, None, "2026-11-16 04:05:07", None),
        (0.5, None, "2026-11-22 16:00:00", "age"),
        (None, "0 3 * * *", "2026-11-22 03:00:00", "schedule"),
        (None, "0 3 * * *", "2026-11-23 02:59:59", "schedule"),
        (None, "0 3 * * *", "2026-11-23 03:00:00", None),
        (None, "5 4 * * *", "2026-11-23 04:05:06", None),
        (None, "0 3 1 * *", "2026-11-01 03:00:00", None),
        (None, "0 3 1 * *", "2026-11-01 02:59:00", "schedule"),
        (7, "0 3 * * *", "2026-11-01 00:00:00", "schedule"),
        (0.1, "0 3 * * 0", "2026-11-20 00:00:00", "age"),
        (7, "0 3 1 * *", "2026-11-23 04:00:00", None),
        (7, None, "2030-01-01 00:00:00", None),
        (None, None, "2000-01-01 00:00:00", None),
        (UNKNOWN, None, "2000-01-01 00:00:00", None),
        (None, UNKNOWN, "2000-01-01 00:00:00", None),
        (7, UNKNOWN, "2000-01-01 00:00:00", "age"),
        (UNKNOWN, "0 3 * * *", "2000-01-01 00:00:00", "schedule"),
    ],
)
def test_age_and_schedule_that_have_passed_are_reasons(
    days: Any, schedule: Any, rotated: str, reason: str | None
) -> None:
    rotated_at = datetime.fromisoformat(rotated).replace(tzinfo=timezone.utc)
    decision = by_time(days, schedule, rotated_at=rotated_at)
    assert (decision.rotate, reason_of(decision)) == (reason is not None, reason)
    assert not decision.rotate or not decision.by_input


def test_time_without_a_last_rotation_is_no_reason() -> None:
    assert by_time(1, "* * * * *", rotated_at=None) == NOTHING_DUE


def test_trigger_is_named_before_time() -> None:
    inputs = DeclaredRotation({"a": 1}, rotation_days=1)
    record = RotationRecord(NOW - timedelta(days=9))
    assert reason_of(decide(inputs, record, now=NOW)) == "trigger: a"


@given(
    rotated_at=MOMENTS,
    now=MOMENTS,
    later=st.timedeltas(timedelta(0), timedelta(days=4000)),
    days=st.none() | st.floats(0.001, 3650),
    schedule=st.sampled_from([None, "0 3 1 * *", "*/7 * * * *", "0 0 29 2 *", "15 4 * * 1-5"]),
)
def test_rotation_once_due_stays_due_until_it_is_done(
    rotated_at: datetime, now: datetime, later: timedelta, days: float, schedule: str
) -> None:
    first = by_time(days, schedule, rotated_at=rotated_at, now=now)
    assert by_time(days, schedule, rotated_at=rotated_at, now=now) == first
    if first.rotate:
        assert by_time(days, schedule, rotated_at=rotated_at, now=now + later) == first
        assert now > rotated_at
    assert by_time(days, schedule, rotated_at=now, now=now) == NOTHING_DUE


@pytest.mark.parametrize("triggers", [{"a": 1}, UNKNOWN])
def test_trigger_is_left_to_the_engine(triggers: Any) -> None:
    decision = decide(DeclaredRotation(triggers), RotationRecord(triggers={"a": 2}), now=NOW)
    assert (decision.rotate, decision.by_input) == (True, True)


@given(TRIGGERS)
def test_triggers_of_the_last_rotation_are_never_due(triggers: dict[str, Any]) -> None:
    assert decided(triggers, triggers) == NOTHING_DUE


@given(TRIGGERS)
def test_triggers_that_the_engine_has_stored_are_never_due(triggers: dict[str, Any]) -> None:
    def as_floats(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_floats(item) for key, item in value.items() if item is not None}
        if isinstance(value, list):
            return [as_floats(item) for item in value]
        return float(value) if type(value) is int else value

    assert decided(triggers, as_floats(triggers)) == NOTHING_DUE


@given(TRIGGERS, st.data())
def test_removed_triggers_are_never_due(triggers: dict[str, Any], data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(triggers)))) if triggers else set()
    assert decided({name: triggers[name] for name in kept}, triggers) == NOTHING_DUE


@given(TRIGGERS, TRIGGERS)
def test_order_of_triggers_changes_no_decision(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert decided(dict(reversed(new.items())), dict(reversed(old.items()))) == decided(new, old)


@given(TRIGGERS, TRIGGERS)
def test_same_program_after_a_rotation_is_not_due(old: dict[str, Any], new: dict[str, Any]) -> None:
    if decided(new, old).rotate:
        assert decided(new, new) == NOTHING_DUE


def test_secret_triggers_are_not_in_a_repr() -> None:
    canary = {"a": "canary"}
    assert "canary" not in repr(DeclaredRotation(canary)) + repr(RotationRecord(triggers=canary))
