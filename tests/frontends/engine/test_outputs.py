"""Outputs that Pulumi can store: whatever there was, what is left can be sent and read again."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from pulumi_upstash_rotation.frontends.engine.failures import serialized
from pulumi_upstash_rotation.frontends.engine.outputs import (
    MAX_ARGUMENT_BYTES,
    MAX_BYTES,
    SIGNATURE_KEY,
    UNKNOWN_SENTINELS,
    deliver,
    deliverable,
    essential_only,
    flat_only,
    report_of,
    unstorable,
)
from pulumi_upstash_rotation.values import MAX_DEPTH, UNKNOWN, same_value

ESSENTIAL = ("password", "triggers")
KEPT = {"password": "pw", "triggers": {"a": 1}, "database_name": "cache"}


def nested(levels: int, kind: str = "map") -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = {"a": value} if kind == "map" else [value]
    return value


class Odd:
    """Of no type that Pulumi knows."""


UNSTORABLE: dict[str, Any] = {
    **{f"sentinel {text[:4]}": text for text in sorted(UNKNOWN_SENTINELS)},
    "signature": {SIGNATURE_KEY: "anything", "value": 1},
    "deep maps": nested(MAX_DEPTH + 1),
    "deep lists": nested(MAX_DEPTH + 1, "list"),
    "very deep": nested(100_000),
    "integer": 2**53 + 1,
    "negative integer": -(2**53) - 1,
    "integer of 5000 digits": 10**5000,
    "not a number": math.nan,
    "infinite": -math.inf,
    "surrogate": "\ud800",
    "bytes": b"x",
    "object": Odd(),
    "set": {1},
    "key of another type": {1: 1},
    "surrogate key": {"\udfff": 1},
    "sentinel key": {min(UNKNOWN_SENTINELS): 1},
}

anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.binary(max_size=3)
    | st.characters(categories=["Cs"])
    | st.sampled_from(sorted(UNKNOWN_SENTINELS)),
    lambda children: (
        st.lists(children, max_size=3)
        | st.tuples(children)
        | st.dictionaries(
            st.text(max_size=3) | st.integers() | st.sampled_from([SIGNATURE_KEY, "\ud800"]),
            children,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def test_sentinels_and_the_signature_are_those_of_the_sdk() -> None:
    assert rpc.UNKNOWN in UNKNOWN_SENTINELS
    assert rpc._special_sig_key == SIGNATURE_KEY
    assert len(UNKNOWN_SENTINELS) == 7


def test_what_pulumi_can_store_stays_as_it_is() -> None:
    outputs = {
        **KEPT,
        "port": 2**53,
        "ratio": 0.5,
        "large": 1e300,
        "flag": True,
        "none": None,
        "empty": "",
        "deep": nested(MAX_DEPTH),
        "list": [None, "ü", {"": []}],
    }
    assert deliverable(outputs, ESSENTIAL) == (outputs, [])


@pytest.mark.parametrize("value", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_part_that_pulumi_cannot_store_is_left_out_at_any_depth(value: Any) -> None:
    outputs = {**KEPT, "whole": value, "part": {"bad": [1, value], "good": "x"}}
    kept, left_out = deliverable(outputs, ESSENTIAL)
    assert kept.items() >= KEPT.items()
    assert kept["part"].pop("good") == "x"
    assert kept["part"] in ({"bad": [1]}, {"bad": [1, {}]}, {})
    assert left_out == ["part", "whole"]
    assert serialized(kept)


@pytest.mark.parametrize("name", [SIGNATURE_KEY, min(UNKNOWN_SENTINELS), "\ud800", 7])
def test_output_whose_name_pulumi_cannot_store_is_left_out_without_its_name(name: Any) -> None:
    assert deliverable({**KEPT, name: 1}, ESSENTIAL) == (KEPT, ["?"])


def test_essential_output_that_pulumi_cannot_store_is_left_out_too() -> None:
    outputs = {**KEPT, "password": rpc.UNKNOWN}
    kept, left_out = deliverable(outputs, ESSENTIAL)
    assert kept.keys() == {"triggers", "database_name"}
    assert left_out == ["password"]


@given(st.dictionaries(st.text(max_size=3) | st.integers(), anything, max_size=4))
def test_what_is_left_of_anything_can_be_sent_and_comes_back_the_same(outputs: Any) -> None:
    kept, left_out = deliverable(outputs, ESSENTIAL)
    sent = serialized(kept)
    again = rpc.deserialize_properties(type(sent).FromString(sent.SerializeToString()))
    assert deliverable(again, ESSENTIAL).left_out == []
    assert same_value(again, kept)
    assert len(left_out) <= len(outputs)


@pytest.mark.parametrize(
    "value",
    [
        ["x"] * 10_000,
        [0] * 10_000,
        {f"a{number}": [] for number in range(10_000)},
        "ü" * 100_000,
        "\x00" * 100_000,
        nested(MAX_DEPTH),
    ],
)
def test_estimated_size_is_never_below_the_real_one(value: Any) -> None:
    outputs = {"database_name": value}
    size = len(serialized(outputs).SerializeToString())
    assert deliverable(outputs, ESSENTIAL, size - 1).outputs == {}
    assert deliverable(outputs, ESSENTIAL, 20 * size).outputs == outputs


def large(part: float) -> str:
    return "x" * int(MAX_BYTES * part)


@pytest.mark.parametrize(
    ("outputs", "left_out"),
    [
        ({"extra_attributes": large(0.3), "b": large(0.5), "password": large(0.1)}, []),
        ({"extra_attributes": large(0.1), "b": large(0.95)}, ["extra_attributes"]),
        (
            {"extra_attributes": large(0.5), "a": "x", "b": large(0.7)},
            ["extra_attributes"],
        ),
        ({"a": large(0.3), "b": large(0.6), "password": large(0.3)}, ["b"]),
        ({"a": "x", "password": "pw", "triggers": large(0.99996)}, ["a", "triggers"]),
        ({"a": large(7), "password": "pw"}, ["a"]),
    ],
)
def test_too_large_outputs_lose_what_matters_least_first(
    outputs: dict[str, Any], left_out: list[str]
) -> None:
    result = deliverable(outputs, ESSENTIAL)
    assert result.left_out == left_out
    assert result.outputs == {name: outputs[name] for name in outputs if name not in left_out}


def test_essential_outputs_alone() -> None:
    assert essential_only({**KEPT, "a": Odd()}, ESSENTIAL) == (
        {"password": "pw", "triggers": {"a": 1}},
        ["a", "database_name"],
    )


def test_flat_outputs_alone() -> None:
    outputs = {**KEPT, "a": 1}
    assert flat_only(outputs, (*ESSENTIAL, "absent")) == (
        {"password": "pw"},
        ["a", "database_name", "triggers"],
    )
    for value in UNSTORABLE.values():
        assert flat_only({"password": value}, ESSENTIAL) == ({}, ["password"])


def test_report_names_the_outputs_on_one_line_and_shows_nothing_else() -> None:
    outputs = {"a": rpc.UNKNOWN, "line\nbreak": rpc.UNKNOWN, "canary": "canary\ud800"}
    line = report_of(deliverable(outputs, ESSENTIAL).left_out)
    assert line.endswith("left out or cut: ?, a, canary")
    assert "\n" not in line


@pytest.mark.parametrize(
    "value", [nested(MAX_DEPTH), {"a": UNKNOWN, "b": ["x" * (MAX_ARGUMENT_BYTES - 500)]}]
)
def test_argument_that_the_state_can_hold_is_no_problem(value: Any) -> None:
    arguments = {"triggers": value, "password": UNKNOWN, "another": Odd()}
    assert unstorable(arguments, ESSENTIAL) == []


@pytest.mark.parametrize(
    "value", [nested(MAX_DEPTH + 1), {"a": "x" * MAX_ARGUMENT_BYTES}, {SIGNATURE_KEY: 1}]
)
def test_argument_that_the_state_cannot_hold_is_a_problem_that_names_the_limit(value: Any) -> None:
    (problem,) = unstorable({"triggers": value}, ESSENTIAL)
    assert str(problem).startswith(
        "triggers must be at most 256 KiB as Pulumi sends it (24 bytes for each value"
    )


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_deliver_sends_the_largest_part_that_can_be_sent(failures: int) -> None:
    sent: list[dict[str, Any]] = []
    warned: list[str] = []

    def send(kept: dict[str, Any]) -> str:
        sent.append(kept)
        if len(sent) <= failures:
            raise SystemExit
        return "sent"

    result = deliver(KEPT, ESSENTIAL, send, warned.append)
    parts = [KEPT, {"password": "pw", "triggers": {"a": 1}}, {"password": "pw"}]
    assert sent == parts[: failures + 1]
    assert result == ("sent" if failures < len(parts) else None)
    assert len(warned) == (1 if failures in {1, 2} else 0)


def test_deliver_returns_what_was_sent_even_if_nobody_can_be_warned() -> None:
    def warn(_line: str) -> None:
        raise BrokenPipeError

    assert deliver({"password": "pw", "x": Odd()}, ESSENTIAL, dict, warn) == {"password": "pw"}
