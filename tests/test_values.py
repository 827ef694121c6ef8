"""What Pulumi can store, how values compare, what is unknown, and how a time is written."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.values import (
    MAX_EXACT_INTEGER,
    UNKNOWN,
    Unknown,
    format_time,
    has_unknown,
    is_json,
    mark_unknown,
    parse_time,
    same_value,
    storable,
    utf8,
)

from .support.payloads import JSON

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HIDDEN = object()
"""Stands for a value that is not known yet."""


def wired(value: Any) -> Any:
    """Return a value after Pulumi's wire format, with plain dicts and lists."""
    wire = struct_pb2.Struct()
    wire.update({"value": value})
    returned = struct_pb2.Struct.FromString(wire.SerializeToString())
    return _plain(returned["value"])


def _plain(value: Any) -> Any:
    if isinstance(value, struct_pb2.Struct):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, struct_pb2.ListValue):
        return [_plain(item) for item in value]
    return value


# Unknown


def test_unknown_value_is_named_in_a_message() -> None:
    assert repr(UNKNOWN) == "unknown"
    assert isinstance(UNKNOWN, Unknown)


@pytest.mark.parametrize(
    ("value", "marked"),
    [
        (1, 1),
        (HIDDEN, UNKNOWN),
        ([1, HIDDEN], [1, UNKNOWN]),
        ((1, (HIDDEN,)), [1, [UNKNOWN]]),
        (MappingProxyType({"a": {"b": HIDDEN}}), {"a": {"b": UNKNOWN}}),
        ("text", "text"),
    ],
)
def test_each_hidden_part_is_marked_as_unknown(value: Any, marked: Any) -> None:
    assert mark_unknown(value, lambda each: each is HIDDEN) == marked
    assert has_unknown(marked) == (marked != value or value is HIDDEN)


@given(JSON)
def test_value_without_a_hidden_part_is_not_changed(value: Any) -> None:
    assert repr(mark_unknown(value, lambda each: each is HIDDEN)) == repr(value)
    assert not has_unknown(value)


@given(JSON, JSON)
def test_unknown_part_is_found_at_any_depth(before: Any, after: Any) -> None:
    for value in (UNKNOWN, [before, UNKNOWN], {"a": (after, {"b": [UNKNOWN]})}):
        assert has_unknown(value)
        assert has_unknown([before, value, after])


# What Pulumi can store


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "ä😀",
        0,
        -MAX_EXACT_INTEGER,
        MAX_EXACT_INTEGER,
        1.5,
        1e300,
        [],
        (),
        {},
        {"a": [1, {"b": None}]},
        UNKNOWN,
        [UNKNOWN],
    ],
)
def test_value_that_pulumi_stores_without_loss_is_json(value: object) -> None:
    assert is_json(value)


@pytest.mark.parametrize(
    "value",
    [
        MAX_EXACT_INTEGER + 1,
        -MAX_EXACT_INTEGER - 1,
        math.inf,
        math.nan,
        "\ud800",
        b"bytes",
        {1},
        {1: "a"},
        {"\udfff": 1},
        {"a": [1, math.nan]},
        object(),
    ],
)
def test_value_that_pulumi_would_change_or_reject_is_not_json(value: object) -> None:
    assert not is_json(value)
    assert not is_json([value])
    assert not is_json({"a": value})


@given(ANY_JSON)
def test_json_value_is_the_same_after_the_wire(value: Any) -> None:
    if is_json(value):
        assert same_value(wired(value), value)


@given(ANY_JSON)
def test_storable_value_is_json_and_exact(value: Any) -> None:
    stored = storable(value)
    assert is_json(stored)
    if is_json(value):
        assert repr(stored) == repr(value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**70), "-1180591620717411303424"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (True, True),
        ({"a": [2**60]}, {"a": ["1152921504606846976"]}),
    ],
)
def test_number_that_pulumi_would_corrupt_becomes_a_text(value: Any, stored: Any) -> None:
    assert storable(value) == stored


@given(st.text(st.characters()))
def test_utf8_text_can_be_encoded_and_is_else_unchanged(text: str) -> None:
    cleaned = utf8(text)
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert all(mine in (theirs, "?") for mine, theirs in zip(cleaned, text, strict=True))


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert utf8("a\ud800b😀") == "a?b😀"


# How values compare


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (math.nan, math.nan),
        ({"a": None}, {}),
        ({"a": {"b": None}}, {"a": {}}),
        ([1, 2], (1.0, 2.0)),
        ([math.nan], [math.nan]),
    ],
)
def test_values_that_the_engine_stores_alike_are_the_same(a: object, b: object) -> None:
    assert same_value(a, b)
    assert same_value(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (None, 0),
        (None, ""),
        ([1, 2], [2, 1]),
        ([1, None], [1]),
        ({}, []),
        ({"a": 1}, {"b": 1}),
        ({"a": [True]}, {"a": [1]}),
        (math.nan, 1.0),
    ],
)
def test_values_that_the_engine_stores_differently_are_not_the_same(a: object, b: object) -> None:
    assert not same_value(a, b)
    assert not same_value(b, a)


@given(JSON)
def test_value_is_the_same_as_itself(value: Any) -> None:
    assert same_value(value, value)
    assert same_value(value, json.loads(json.dumps(value)))


@given(JSON, JSON)
def test_comparison_is_symmetric(a: Any, b: Any) -> None:
    assert same_value(a, b) == same_value(b, a)


# Times


def test_time_is_written_in_whole_seconds_of_utc() -> None:
    moment = datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=timezone.utc)
    assert format_time(moment) == "2026-11-23T04:05:06Z"


@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(timezone.utc)))  # noqa: DTZ001  as it must be
def test_written_time_is_read_back(moment: datetime) -> None:
    read = parse_time(format_time(moment))
    assert read == moment.replace(microsecond=0)
    assert read is not None
    assert read.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "text",
    [None, "", 7, "2026-11-23", "2026-11-23T04:05:06", "2026-11-23T04:05:06+00:00", "2026-13-01T"],
)
def test_any_other_text_is_no_time(text: object) -> None:
    assert parse_time(text) is None
