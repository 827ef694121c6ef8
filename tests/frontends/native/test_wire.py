"""Properties on the wire: every JSON value comes back, and nothing else is taken for one."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from pulumi_upstash_rotation.frontends.engine.outputs import SIGNATURE_KEY, UNKNOWN_SENTINELS
from pulumi_upstash_rotation.frontends.native.wire import Special, plain, struct
from pulumi_upstash_rotation.values import MAX_DEPTH, MAX_EXACT_INTEGER, UNKNOWN, is_json

texts = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: text not in {*UNKNOWN_SENTINELS, SIGNATURE_KEY}
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=10,
    )


@given(st.dictionaries(texts, nested(scalars | st.just(UNKNOWN))), st.sets(texts))
def test_every_value_comes_back(values: dict[str, Any], secret: set[str]) -> None:
    received = plain(struct(values, secret | set(list(values)[::2])))
    assert received == values
    assert list(map(type, _leaves(received))) == list(map(_type, _leaves(values)))


@given(st.dictionaries(texts, nested(scalars)), st.booleans())
def test_properties_are_those_that_the_sdk_sends(values: dict[str, Any], all_secret: bool) -> None:
    secret = [name for name, value in values.items() if all_secret and value is not None]
    marked = {
        name: rpc.wrap_rpc_secret(value) if name in secret else value
        for name, value in values.items()
    }
    expected = asyncio.run(rpc.serialize_properties(marked, {}))
    made = struct(values, secret)
    for name, value in values.items():
        if value is None:  # the SDK leaves it out
            del made.fields[name]
    assert made == expected


def test_unknown_value_is_the_one_that_the_sdk_sends() -> None:
    made = struct({"a": UNKNOWN, "b": [UNKNOWN], "c": {"d": UNKNOWN}}, {"a"})
    assert made.fields["a"].string_value == rpc.UNKNOWN
    assert made.fields["b"].list_value.values[0].string_value == rpc.UNKNOWN
    assert made.fields["c"].struct_value.fields["d"].string_value == rpc.UNKNOWN


@pytest.mark.parametrize("sentinel", sorted(UNKNOWN_SENTINELS))
def test_unknown_value_of_any_type_is_unknown(sentinel: str) -> None:
    properties = struct_pb2.Struct()
    properties.update({"a": sentinel, "b": [{"c": sentinel}]})
    assert plain(properties) == {"a": UNKNOWN, "b": [{"c": UNKNOWN}]}


def test_secret_inside_a_value_is_read_in_clear() -> None:
    secret = {SIGNATURE_KEY: rpc._special_secret_sig, "value": {"a": [1, "x"]}}
    properties = struct_pb2.Struct()
    properties.update({"triggers": {"b": secret, "c": [secret]}})
    assert plain(properties) == {"triggers": {"b": {"a": [1, "x"]}, "c": [{"a": [1, "x"]}]}}


@pytest.mark.parametrize(
    "signature",
    [
        rpc._special_asset_sig,
        rpc._special_archive_sig,
        rpc._special_resource_sig,
        "d0e6a833031e9bbcd3f4e8bde6ca49a4",  # an output
        "another",
        "",
    ],
)
def test_special_value_is_no_json(signature: str) -> None:
    properties = struct_pb2.Struct()
    properties.update({"a": {SIGNATURE_KEY: signature, "text": "canary"}})
    (value,) = plain(properties).values()
    assert isinstance(value, Special)
    assert not is_json(value)
    assert repr(value) == "a value that is not JSON"


def test_integers_are_exact_and_no_floats() -> None:
    most = MAX_EXACT_INTEGER
    values = {"a": most, "b": -most, "c": 0, "d": 1.5, "e": -0.0, "f": 1e300}
    received = plain(struct(values))
    assert received == values
    assert [type(received[name]) for name in values] == [int, int, int, float, int, int]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_number_that_is_no_json_comes_back_as_it_is(number: float) -> None:
    properties = struct_pb2.Struct()
    properties.update({"a": number})
    assert str(plain(properties)["a"]) == str(number)


@pytest.mark.parametrize("shape", ["list", "dict"])
def test_deep_values_come_back(shape: str) -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH):
        value = [value] if shape == "list" else {"a": value}
    assert plain(struct({"a": value}, {"a"})) == {"a": value}


def test_empty_values_come_back() -> None:
    values: dict[str, Any] = {"a": {}, "b": [], "c": "", "d": None, "e": {"f": {}, "g": [[]]}}
    assert plain(struct(values)) == values
    assert plain(struct(values, values)) == values


def test_value_without_a_kind_is_none() -> None:
    properties = struct_pb2.Struct()
    properties.fields["a"].SetInParent()
    assert plain(properties) == {"a": None}


def test_null_and_unknown_are_not_marked_as_secret() -> None:
    assert struct({"a": None, "b": UNKNOWN}, {"a", "b"}) == struct({"a": None, "b": UNKNOWN})


@pytest.mark.parametrize("value", [object(), {1}, b"x", Special(), [object()], {"a": b"x"}])
def test_other_values_are_rejected_and_not_shown(value: Any) -> None:
    with pytest.raises(TypeError) as raised:
        struct({"a": value})
    assert str(raised.value) in {"object", "set", "bytes", "Special"}


@pytest.mark.parametrize("value", ["\ud800", 10**400, {1: "x"}])
def test_value_that_protobuf_cannot_hold_is_rejected(value: Any) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)):
        struct({"a": value})


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for name in sorted(value) for leaf in _leaves(value[name])]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _type(value: Any) -> type:
    return int if isinstance(value, float) and value.is_integer() else type(value)
