"""When a rotation is due: the cases that people break, and what holds for all of them."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.decision import NOTHING_DUE, Decision, decide, due, same_value
from pulumi_upstash_rotation.inputs import UNKNOWN, Inputs
from pulumi_upstash_rotation.state import State

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TRIGGERS = st.dictionaries(st.text(min_size=1), JSON, max_size=4)


NOW = datetime(2026, 11, 23, 4, 5, 6, tzinfo=timezone.utc)
MOMENTS = st.integers(0, 7300).map(lambda days: NOW + timedelta(days=days, seconds=days % 3600))


def decided(new: dict[str, Any], old: dict[str, Any]) -> Decision:
    return decide(Inputs("db", new), State("db", old), now=NOW)


def by_time(
    days: Any = None, schedule: Any = None, *, rotated_at: datetime | None = None, now: Any = NOW
) -> Decision:
    inputs = Inputs("db", rotation_days=days, rotation_schedule=schedule)
    return decide(inputs, State("db", rotated_at=rotated_at), now=now)


@pytest.mark.parametrize(
    ("old", "new", "cause"),
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
def test_a_trigger_asks_for_a_rotation_when_its_value_is_new(
    old: dict[str, Any], new: dict[str, Any], cause: str | None
) -> None:
    decision = decided(new, old)
    assert (decision.rotate, decision.cause) == (cause is not None, cause)
    assert decision.uncertain == ("unknown" in repr(new))


def test_a_new_resource_rotates() -> None:
    assert decide(Inputs("db"), None, now=NOW) == Decision(rotate=True, cause="create")


def test_a_new_resource_may_adopt_the_password_instead() -> None:
    inputs = Inputs("db", rotate_on_create=False, rotation_days=0.001)
    assert decide(inputs, None, now=NOW) == Decision(rotate=False, cause="adopted")


@pytest.mark.parametrize("database_id", ["other", UNKNOWN])
def test_another_database_is_another_resource(database_id: Any) -> None:
    decision = decide(Inputs(database_id, {"a": 1}), State("db", {"a": 1}), now=NOW)
    assert (decision.rotate, decision.replace, decision.cause) == (True, True, "create")
    assert decision.uncertain == (database_id is UNKNOWN)


def test_triggers_that_are_unknown_as_a_whole_may_be_new() -> None:
    decision = decide(Inputs("db", UNKNOWN), State("db", {"a": 1}), now=NOW)
    assert (decision.rotate, decision.uncertain) == (True, True)


def test_a_certain_reason_is_named_before_an_uncertain_one() -> None:
    assert decided({"a": UNKNOWN, "b": 2}, {"a": 1, "b": 1}).cause == "trigger: b"


@pytest.mark.parametrize(
    ("days", "schedule", "rotated", "cause"),
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
def test_age_and_schedule_make_a_rotation_due(
    days: Any, schedule: Any, rotated: str, cause: str | None
) -> None:
    rotated_at = datetime.fromisoformat(rotated).replace(tzinfo=timezone.utc)
    decision = by_time(days, schedule, rotated_at=rotated_at)
    assert (decision.rotate, decision.cause) == (cause is not None, cause)
    assert not decision.rotate or not decision.by_input


def test_without_a_last_rotation_time_makes_nothing_due() -> None:
    assert not by_time(1, "* * * * *", rotated_at=None).rotate


def test_a_trigger_comes_before_time() -> None:
    inputs = Inputs("db", {"a": 1}, rotation_days=1)
    state = State("db", rotated_at=NOW - timedelta(days=9))
    assert decide(inputs, state, now=NOW).cause == "trigger: a"


def test_a_changed_wish_for_the_deletion_is_remembered_and_resets_nothing() -> None:
    decision = decide(Inputs("db", rotate_on_delete=True), State("db"), now=NOW)
    assert decision == Decision(rotate=False, remember=True)
    kept = decide(Inputs("db", rotate_on_delete=True), State("db", rotate_on_delete=True), now=NOW)
    assert kept == NOTHING_DUE


@given(
    rotated_at=MOMENTS,
    now=MOMENTS,
    later=st.timedeltas(timedelta(0), timedelta(days=4000)),
    days=st.none() | st.floats(0.001, 3650),
    schedule=st.sampled_from([None, "0 3 1 * *", "*/7 * * * *", "0 0 29 2 *", "15 4 * * 1-5"]),
)
def test_once_due_a_rotation_stays_due_and_one_made_now_is_not(
    rotated_at: datetime, now: datetime, later: timedelta, days: float, schedule: str
) -> None:
    first = by_time(days, schedule, rotated_at=rotated_at, now=now)
    assert by_time(days, schedule, rotated_at=rotated_at, now=now) == first
    if first.rotate:
        assert by_time(days, schedule, rotated_at=rotated_at, now=now + later) == first
        assert now > rotated_at
    assert by_time(days, schedule, rotated_at=now, now=now) == NOTHING_DUE


def test_a_rotation_in_doubt_is_due_until_it_is_settled() -> None:
    state = State("db", {"a": 1}, unsettled="age")
    assert decide(Inputs("db", {"a": 1}), state, now=NOW).cause == "unsettled"
    assert due(Inputs("db", {"a": 1}), state, now=NOW) == NOTHING_DUE


def test_a_trigger_that_the_engine_cannot_find_changed_is_not_left_to_it() -> None:
    decision = decide(Inputs("db", {"a": 1}), State("db", {"a": 2}, inputs_lag=True), now=NOW)
    assert (decision.cause, decision.by_input) == ("trigger: a", False)


@given(TRIGGERS)
def test_what_was_declared_at_the_last_rotation_is_never_due(triggers: dict[str, Any]) -> None:
    assert decided(triggers, triggers) == NOTHING_DUE


@given(TRIGGERS)
def test_nothing_is_due_after_the_engine_has_stored_the_triggers(triggers: dict[str, Any]) -> None:
    def as_floats(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_floats(item) for key, item in value.items() if item is not None}
        if isinstance(value, list):
            return [as_floats(item) for item in value]
        return float(value) if type(value) is int else value

    assert decided(triggers, as_floats(triggers)) == NOTHING_DUE


@given(TRIGGERS, st.data())
def test_removing_triggers_is_never_due(triggers: dict[str, Any], data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(triggers)))) if triggers else set()
    assert decided({name: triggers[name] for name in kept}, triggers) == NOTHING_DUE


@given(TRIGGERS, TRIGGERS)
def test_the_order_of_triggers_means_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert decided(dict(reversed(new.items())), dict(reversed(old.items()))) == decided(new, old)


@given(TRIGGERS, TRIGGERS)
def test_after_a_rotation_the_same_program_is_not_due(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    if decided(new, old).rotate:
        assert decided(new, new) == NOTHING_DUE


@given(JSON, JSON)
def test_sameness_is_symmetric_and_finer_than_python_sees_it(a: Any, b: Any) -> None:
    assert same_value(a, b) == same_value(b, a)
    if json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True):
        assert same_value(a, b)


def test_secret_triggers_are_not_in_the_repr() -> None:
    assert "canary" not in repr(Inputs("db", {"a": "canary"})) + repr(State("db", {"a": "canary"}))
