"""When a rotation is due: the cases that people break, and what holds for all of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.decision import NOTHING_DUE, Decision, State, decide, same_value
from pulumi_upstash_rotation.inputs import UNKNOWN, Inputs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TRIGGERS = st.dictionaries(st.text(min_size=1), JSON, max_size=4)


def decided(new: dict[str, Any], old: dict[str, Any]) -> Decision:
    return decide(Inputs("db", new), State("db", old))


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
    assert decided(new, old) == Decision(rotate=cause is not None, cause=cause)


def test_a_new_resource_rotates() -> None:
    assert decide(Inputs("db"), None) == Decision(rotate=True, cause="create")


@pytest.mark.parametrize("database_id", ["other", UNKNOWN])
def test_another_database_is_another_resource(database_id: Any) -> None:
    decision = decide(Inputs(database_id, {"a": 1}), State("db", {"a": 1}))
    assert decision == Decision(rotate=True, replace=True, cause="create")


def test_triggers_that_are_unknown_as_a_whole_may_be_new() -> None:
    assert decide(Inputs("db", UNKNOWN), State("db", {"a": 1})).rotate


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
