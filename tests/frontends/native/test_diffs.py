"""Detailed diffs: each changed input under the path that Pulumi shows."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto.provider_pb2 import PropertyDiff

from pulumi_upstash_rotation.frontends.native.diffs import detailed_diff
from pulumi_upstash_rotation.values import UNKNOWN


def changes(
    olds: dict[str, Any], news: dict[str, Any], replacing: tuple[str, ...] = ()
) -> dict[str, str]:
    found = detailed_diff(olds, news, replacing)
    assert all(each.inputDiff for each in found.values())
    return {path: PropertyDiff.Kind.Name(each.kind) for path, each in found.items()}


@pytest.mark.parametrize(
    ("olds", "news", "expected"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"a": "UPDATE"}),
        ({"a": 1}, {"a": 2}, {"a": "UPDATE"}),
        ({}, {"a": 1}, {"a": "ADD"}),
        ({"a": 1}, {}, {"a": "DELETE"}),
        ({"a": None}, {}, {}),
        ({"a": 1}, {"a": None}, {"a": "DELETE"}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": "UPDATE"}),
        ({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, {"a.b": "UPDATE", "a.c": "ADD"}),
        ({"a": {"b": 1}}, {"a": {}}, {"a.b": "DELETE"}),
        ({"a": {"b": 1}}, {}, {"a": "DELETE"}),
        ({}, {"a": {"b": 1}}, {"a": "ADD"}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, {"a.b": "UPDATE"}),
        ({"a": 1}, {"a": UNKNOWN}, {"a": "UPDATE"}),
        ({"a": {"b": 1}}, {"a": {"b": UNKNOWN}}, {"a.b": "UPDATE"}),
        ({"a": {"b": 1}}, {"a": UNKNOWN}, {"a": "UPDATE"}),
    ],
)
def test_each_changed_input_has_a_path(
    olds: dict[str, Any], news: dict[str, Any], expected: dict[str, str]
) -> None:
    assert changes(olds, news) == expected


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("release", "a.release"),
        ("_x1", "a._x1"),
        ("a.b", 'a["a.b"]'),
        ("with space", 'a["with space"]'),
        ('q"uote', 'a["q\\"uote"]'),
        ("", 'a[""]'),
        ("0", 'a["0"]'),
        ("ü", 'a["ü"]'),
        ("back\\slash", "a"),
        ("end\\", "a"),
    ],
)
def test_key_of_a_map_is_quoted_if_it_is_no_name(key: str, path: str) -> None:
    assert changes({"a": {key: 1}}, {"a": {key: 2}}) == {path: "UPDATE"}


def test_key_without_a_path_changes_the_whole_map() -> None:
    """The engine fails on `a["end\\"]`, whatever has happened to the key."""
    assert changes({"a": {"end\\": 1}}, {"a": {}}) == {"a": "UPDATE"}
    assert changes({"a": {}}, {"a": {"end\\": 1}}) == {"a": "UPDATE"}
    assert changes({"a": {"end\\": 1}}, {"a": {"end\\": 1}}) == {}


def test_replacing_input_replaces() -> None:
    olds, news = {"id": "a", "b": 1}, {"id": "b", "b": 2}
    assert changes(olds, news, ("id",)) == {"id": "UPDATE_REPLACE", "b": "UPDATE"}
    assert changes({}, news, ("id",)) == {"id": "ADD_REPLACE", "b": "ADD"}


def test_replacing_input_that_the_state_lacks_still_replaces() -> None:
    assert changes({"id": "b"}, {"id": "b"}, ("id",)) == {"id": "UPDATE_REPLACE"}
