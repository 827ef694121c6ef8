"""The dynamic front end: whatever a program or a state holds, it responds or fails in one line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc

from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.frontends.engine import log
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import CHECKS
from pulumi_upstash_rotation.resources.seam import Diff
from pulumi_upstash_rotation.upstash import account

from ...support.payloads import CREDENTIALS, DATABASE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = {"UPSTASH_EMAIL": "a@b.c", "UPSTASH_API_KEY": "key-canary"}
HANDLER = "pulumi_upstash_rotation.resources.redis_password_rotation.handler"

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
input_names = st.sampled_from([*CHECKS, "__provider", "other"])
outputs = [*CREDENTIALS, "database_id", "triggers", "rotated_at", "rotation_count"]
outputs += ["verified", "verification", "pending_rotation", "pending_triggers"]
outputs += ["unsettled_rotation", "unsettled_triggers", "inputs_lag", "engine_inputs_stale"]


@pytest.fixture(autouse=True)
def _account() -> Iterator[None]:
    with (
        patch.dict(os.environ, ACCOUNT),
        patch.object(log, "show", lambda *_: None),
        # Where warnings are errors, what a thread loads in the background can stay half loaded.
        patch.object(account, "_prepare_to_verify", lambda: lambda: None),
    ):
        yield


def new_provider(config: dict[str, Any] | None = None) -> RedisPasswordRotationProvider:
    provider = RedisPasswordRotationProvider()
    provider.configure(pulumi.dynamic.ConfigureRequest(pulumi.dynamic.Config(config or {}, "p")))
    return provider


def explode_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"{HANDLER}.parse_state", explode)


@given(st.dictionaries(input_names, anything))
def test_check_of_anything_returns_it_with_one_line_for_each_problem(news: dict[str, Any]) -> None:
    result = new_provider().check({}, news)
    assert result.inputs == news
    for failure in result.failures:
        assert failure.property == ""
        assert " must be " in failure.reason
        assert "\n" not in failure.reason


@pytest.mark.parametrize(
    ("environ", "config", "text"),
    [
        ({}, {}, "no Upstash credentials"),
        ({"UPSTASH_EMAIL": "a@b.c"}, {}, "UPSTASH_API_KEY"),
        ({}, {"upstash:email": "a@b.c"}, "upstash:apiKey"),
        (ACCOUNT, {"upstash:apiUrl": "x"}, "upstash:apiUrl"),
    ],
)
def test_check_reports_bad_settings_beside_bad_arguments(
    environ: dict[str, str], config: dict[str, str], text: str
) -> None:
    with patch.dict(os.environ, environ, clear=True):
        result = new_provider(config).check({}, {"database_id": DATABASE_ID, "verify": 1})
    flag, settings = (failure.reason for failure in result.failures)
    assert flag == "verify must be True or False"
    assert text in settings
    assert "canary" not in settings


@given(st.dictionaries(input_names, anything), st.dictionaries(st.sampled_from(outputs), anything))
def test_diff_of_anything_responds_or_names_the_problem(
    news: dict[str, Any], olds: dict[str, Any]
) -> None:
    provider = new_provider()
    failures = provider.check({}, news).failures
    if failures:
        with pytest.raises(RotationError, match=" must be "):
            provider.diff("id", olds, news)
    else:
        assert provider.diff("id", olds, news).changes in {None, True, False}


@pytest.mark.parametrize(
    ("diff", "changes", "replaces"),
    [
        (Diff(changes=False), False, None),
        (Diff(changes=True), None, None),  # the engine finds the changed input, and shows it
        (Diff(changes=True, by_input=False), True, None),
        (Diff(changes=True, replaces=("a", "b")), None, ["a", "b"]),
    ],
)
def test_diff_is_what_the_engine_must_know(
    diff: Diff, changes: bool | None, replaces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{HANDLER}.RedisPasswordRotationHandler.diff", lambda *_: diff)
    result = new_provider().diff("id", {}, {"database_id": DATABASE_ID})
    assert (result.changes, result.replaces) == (changes, replaces)


@given(st.dictionaries(st.sampled_from(outputs), anything))
def test_update_that_is_not_due_keeps_a_state_of_any_kind(olds: dict[str, Any]) -> None:
    resolved = {"unsettled_rotation": None, "pending_rotation": None}
    olds = {**olds, "database_id": DATABASE_ID, **resolved}
    updated = new_provider().update("id", olds, {"database_id": DATABASE_ID}).outs
    renamed = {"unsettled_rotation", "unsettled_triggers", "inputs_lag", "engine_inputs_stale"}
    assert updated.keys() >= olds.keys() - renamed


def test_text_of_a_foreign_error_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    explode_with(ValueError("password-canary"), monkeypatch)
    with pytest.raises(RotationError) as raised:
        new_provider().diff("id", {}, {"database_id": DATABASE_ID})
    assert str(raised.value) == (
        "unexpected ValueError in diff: please report it with the output of "
        "UPSTASH_ROTATION_DEBUG=1"
    )


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, RecursionError, MemoryError])
def test_foreign_error_of_any_kind_leaves_a_method_as_ours(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything but an `Exception` would hang the engine."""
    explode_with(kind(), monkeypatch)
    with pytest.raises(RotationError, match=f"^unexpected {kind.__name__} in read: please"):
        new_provider().read("id", {})


def test_debug_shows_where_it_happened_and_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UPSTASH_ROTATION_DEBUG", "1")
    provider = new_provider({"upstash:email": "a@b.c", "upstash:apiKey": "key-canary"})

    def explode(outputs: dict[str, Any]) -> None:
        raise ValueError(outputs["password"])

    monkeypatch.setattr(f"{HANDLER}.parse_state", explode)
    with pytest.raises(RotationError):
        provider.read("id", {"password": "password-canary"})
    shown = capsys.readouterr().err
    assert "pulumi_upstash_rotation.frontends.engine.failures: unexpected ValueError at" in shown
    assert "in explode" in shown
    assert "canary" not in shown


@pytest.mark.parametrize("value", ["", "0"])
def test_debug_that_is_switched_off_shows_nothing(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setenv("UPSTASH_ROTATION_DEBUG", value)
    monkeypatch.setattr(log, "show_details", lambda: shown.append("details"))
    new_provider()
    assert shown == []


def test_configure_keeps_no_config_of_other_packages() -> None:
    provider = new_provider({"upstash:email": "a@b.c", "other:secret": "canary"})
    assert "canary" not in repr(vars(provider))


def test_lines_go_to_the_row_of_the_current_call(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, str, str | None]] = []
    monkeypatch.setattr(log, "show", lambda *line: shown.append(line))
    monkeypatch.setattr(sdk, "urn_of_call", lambda: "the-urn")
    olds = {"database_id": DATABASE_ID, "schema_version": 1}
    new_provider().diff("id", olds, {"database_id": DATABASE_ID, "triggers": {"a": 1}})
    assert shown == [("info", "the password is due for a reset: trigger: a", "the-urn")]


def test_pickle_in_the_state_holds_nothing_of_the_account() -> None:
    assert "canary" not in serialize_provider(RedisPasswordRotationProvider())
    assert vars(RedisPasswordRotationProvider()) == {}
