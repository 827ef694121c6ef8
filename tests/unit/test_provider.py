"""The adapter to Pulumi: whatever a program or a state holds, it answers or says what is wrong."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc

from pulumi_upstash_rotation import engine_host
from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.inputs import Inputs
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from pulumi_upstash_rotation.resource import RedisPasswordRotation, _check_sendable

from .answers import CREDENTIALS, DATABASE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = {"UPSTASH_EMAIL": "a@b.c", "UPSTASH_API_KEY": "key-canary"}

anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    # What the engine sends for a value that is not known yet.
    | st.just(rpc.UNKNOWN),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
input_names = st.sampled_from([*vars(Inputs("")), "__provider", "other"])
outputs = [*CREDENTIALS, "database_id", "triggers", "rotated_at", "rotation_count"]
outputs += ["verified", "verification", "unsettled_rotation", "unsettled_triggers", "inputs_lag"]


@pytest.fixture(autouse=True)
def _account() -> Iterator[None]:
    with patch.dict(os.environ, ACCOUNT), patch.object(engine_host, "_show", lambda *_: None):
        yield


def new_provider(config: dict[str, Any] | None = None) -> RedisPasswordRotationProvider:
    provider = RedisPasswordRotationProvider()
    provider.configure(pulumi.dynamic.ConfigureRequest(pulumi.dynamic.Config(config or {}, "p")))
    return provider


@given(st.dictionaries(input_names, anything))
def test_check_says_what_is_wrong_with_anything(news: dict[str, Any]) -> None:
    result = new_provider().check({}, news)
    assert result.inputs == news
    for failure in result.failures:
        assert failure.property == ""
        assert " must be " in failure.reason
        assert "\n" not in failure.reason


@given(st.dictionaries(input_names, anything), st.dictionaries(st.sampled_from(outputs), anything))
def test_diff_answers_or_says_what_is_wrong(news: dict[str, Any], olds: dict[str, Any]) -> None:
    provider = new_provider()
    failures = provider.check({}, news).failures
    if failures:
        with pytest.raises(RotationError, match=" must be "):
            provider.diff("id", olds, news)
    else:
        assert provider.diff("id", olds, news).changes in {None, True, False}


@given(st.dictionaries(st.sampled_from(outputs), anything))
def test_an_update_that_is_not_due_keeps_a_state_of_any_kind(olds: dict[str, Any]) -> None:
    olds = {**olds, "database_id": DATABASE_ID, "unsettled_rotation": None}
    updated = new_provider().update("id", olds, {"database_id": DATABASE_ID}).outs
    assert updated.keys() >= olds.keys()


def test_what_a_foreign_error_says_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ValueError("password-canary")

    monkeypatch.setattr("pulumi_upstash_rotation.provider.parse_state", explode)
    with pytest.raises(RotationError) as raised:
        new_provider().diff("id", {}, {"database_id": DATABASE_ID})
    assert str(raised.value) == (
        "unexpected ValueError in diff: please report it, with what UPSTASH_ROTATION_DEBUG=1 shows"
    )


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, RecursionError, MemoryError])
def test_nothing_but_an_exception_of_ours_leaves_a_method(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise kind

    monkeypatch.setattr("pulumi_upstash_rotation.provider.parse_state", explode)
    with pytest.raises(RotationError, match=f"^unexpected {kind.__name__} in read: please"):
        new_provider().read("id", {})


def test_debug_shows_where_it_happened_and_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UPSTASH_ROTATION_DEBUG", "1")
    provider = new_provider({"upstash:email": "a@b.c", "upstash:apiKey": "key-canary"})

    def explode(outputs: dict[str, Any]) -> None:
        raise ValueError(outputs["password"])

    monkeypatch.setattr("pulumi_upstash_rotation.provider.parse_state", explode)
    with pytest.raises(RotationError):
        provider.read("id", {"password": "password-canary"})
    told = capsys.readouterr().err
    assert "pulumi_upstash_rotation.provider: unexpected ValueError at" in told
    assert "in explode" in told
    assert "canary" not in told


def test_what_becomes_known_later_can_be_declared() -> None:
    async def declare() -> None:
        later = pulumi.Output.from_input("x")
        for value in (later, {"a": [later]}, {"a": (1, None, {"b": later})}):
            _check_sendable({"database_id": later, "triggers": value}, "cache")

    asyncio.run(declare())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("triggers", {1: "x"}),
        ("triggers", {"a": b"secret-canary"}),
        ("triggers", {"a": [{"secret-canary"}]}),
        ("triggers", {"a": float("nan")}),
        ("triggers", {"a": 2**53 + 1}),
        ("triggers", {"a": "\ud800"}),
        ("triggers", {"\ud800": "a"}),
        ("rotation_days", 1j),
        ("database_id", b"secret-canary"),
        ("verify", object()),
    ],
)
def test_what_pulumi_cannot_send_is_one_line_that_names_the_argument(name: str, value: Any) -> None:
    arguments = {"database_id": DATABASE_ID, name: value}
    with pytest.raises(pulumi.RunError, match=f"^cache: {name} must be ") as raised:
        RedisPasswordRotation("cache", **arguments)
    assert "canary" not in str(raised.value)


def test_the_pickle_in_the_state_holds_nothing_of_the_account() -> None:
    assert "canary" not in serialize_provider(RedisPasswordRotationProvider())
    assert vars(RedisPasswordRotationProvider()) == {}
