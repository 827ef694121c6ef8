"""The dynamic front end: whatever a program or a state holds, it responds or fails in one line."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc

from pulumi_upstash_rotation.errors import PartialFailureError, RotationError
from pulumi_upstash_rotation.frontends.dynamic import adapter, sdk
from pulumi_upstash_rotation.frontends.engine import context, descriptors, failures, log
from pulumi_upstash_rotation.frontends.engine import outputs as engine_outputs
from pulumi_upstash_rotation.frontends.engine.failures import Failure, init_failed, serialized
from pulumi_upstash_rotation.frontends.engine.outputs import MAX_BYTES, deliverable
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import CHECKS
from pulumi_upstash_rotation.resources.seam import Diff, Resource, Run
from pulumi_upstash_rotation.upstash import account

from ...support.payloads import CREDENTIALS, DATABASE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

PREPARE_PROCESS: Any = adapter._prepare_process
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
        patch.object(context, "_RUN", Run()),
        patch.object(log, "show", lambda *_: None),
        # Where warnings are errors, what a thread loads in the background can stay half loaded.
        patch.object(account, "_prepare_to_verify", lambda: lambda: None),
        patch.object(adapter, "_prepare_process", lambda: None),
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
    # The engine has no values that it cannot store.
    olds = {**deliverable(olds, ()).outputs, "database_id": DATABASE_ID, **resolved}
    updated = new_provider().update("id", olds, {"database_id": DATABASE_ID}).outs
    renamed = {"unsettled_rotation", "unsettled_triggers", "inputs_lag", "engine_inputs_stale"}
    assert updated.keys() >= olds.keys() - renamed


def test_text_of_a_foreign_error_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    explode_with(ValueError("password-canary"), monkeypatch)
    with pytest.raises(RotationError) as raised:
        new_provider().diff("id", {}, {"database_id": DATABASE_ID})
    assert str(raised.value) == (
        "unexpected ValueError in diff: please report it with the output of "
        "UPSTASH_ROTATION_DEBUG=1; nothing has changed"
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
    line = f"the password of Redis database {DATABASE_ID!r} is due for a reset: trigger: a"
    assert shown == [("info", line, "the-urn")]


def test_pickle_in_the_state_holds_nothing_of_the_account() -> None:
    assert "canary" not in serialize_provider(RedisPasswordRotationProvider())
    assert vars(RedisPasswordRotationProvider()) == {}


# --- what leaves the provider after a reset ---

MADE: dict[str, Any] = {
    "database_id": DATABASE_ID,
    "database_name": "cache",
    "password": "password-canary",
    "rest_token": "token-canary",
    "triggers": {"release": "2026-11"},
    "rotation_count": 1,
    "extra_attributes": {"plan": "x"},
}
SECRETS = ("password", "rest_token", "triggers", "extra_attributes")
NAMES = {"database_id": DATABASE_ID}
BAD: dict[str, Any] = {
    "sentinel": rpc.UNKNOWN,
    "signature": {rpc._special_sig_key: "x"},
    "integer": 10**5000,
    "nesting": [[]],
    "surrogate": "\ud800",
    "object": object(),
}
for _ in range(400):
    BAD["nesting"] = [BAD["nesting"]]


def stored(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return outputs as the SDK sends them, in clear, after a look at what is secret."""
    sent = rpc.deserialize_properties(asyncio.run(rpc.serialize_properties(outputs, {})))
    assert {name for name, value in outputs.items() if rpc.is_rpc_secret(value)} == {
        name for name in SECRETS if name in outputs
    }
    return {name: rpc.unwrap_rpc_secret(value) for name, value in sent.items()}


Call = Callable[[RedisPasswordRotationProvider], Any]
CALLS: dict[str, Call] = {
    "create": lambda provider: provider.create({**NAMES}),
    "update": lambda provider: provider.update("id", {**NAMES}, {**NAMES}),
    "read": lambda provider: provider.read("id", {**NAMES}),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    """A call that may have reset a password."""
    return CALLS[request.param]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a user sees."""
    shown: list[str] = []
    monkeypatch.setattr(log, "show", lambda *line: shown.append(f"{line[0]}: {line[1]}"))
    return shown


def let_handler(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Replace what the handler does, and let the rest be as it is."""
    for method in ("create", "update", "read"):
        monkeypatch.setattr(f"{HANDLER}.RedisPasswordRotationHandler.{method}", act)


def let_handler_return(
    monkeypatch: pytest.MonkeyPatch, and_then: Callable[[], None] = lambda: None, **outputs: Any
) -> None:
    def act(*_: object) -> Resource:
        and_then()
        return Resource(DATABASE_ID, {**MADE, **outputs})

    let_handler(monkeypatch, act)


def let_handler_fail(monkeypatch: pytest.MonkeyPatch, **outputs: Any) -> None:
    def fail(*_: object) -> None:
        raise PartialFailureError("it broke", DATABASE_ID, {**MADE, **outputs})

    let_handler(monkeypatch, fail)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Failure]:
    """The failures that the SDK's gRPC call takes."""
    failures: list[Failure] = []

    def fail_call(failure: Failure) -> None:
        if failure.partial:
            id_, outputs = failure.partial
            init_failed(failure.message, id_, serialized(outputs))
        failures.append(failure)

    monkeypatch.setattr(sdk, "fail_call", fail_call)
    return failures


def test_outputs_go_out_as_they_are(
    call: Call, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler_return(monkeypatch)
    assert stored(call(new_provider()).outs) == MADE
    assert lines == []


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_outputs_that_pulumi_cannot_store_do_not_take_the_password_with_them(
    call: Call, value: Any, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler_return(monkeypatch, database_name=value, extra_attributes={"a": value, "b": 1})
    expected = {**MADE, "extra_attributes": {"b": 1}}
    del expected["database_name"]
    outputs = stored(call(new_provider()).outs)
    assert outputs.pop("database_name", []) == []
    assert outputs == expected
    assert lines == [
        "warning: Pulumi cannot store these outputs, so they are left out or cut: database_name, "
        "extra_attributes"
    ]


def test_partial_state_that_pulumi_cannot_store_keeps_the_rest(
    call: Call, lines: list[str], sent: list[Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler_fail(monkeypatch, database_name=rpc.UNKNOWN)
    with pytest.raises(RotationError, match="^it broke"):
        call(new_provider())
    (failure,) = sent
    assert failure.partial
    id_, outputs = failure.partial
    expected = {name: value for name, value in MADE.items() if name != "database_name"}
    assert (id_, stored({**outputs})) == (DATABASE_ID, expected)
    assert len(lines) == 1


@pytest.mark.parametrize("size", [MAX_BYTES, 7 * MAX_BYTES])
def test_too_large_partial_state_is_cut_and_never_sent(
    call: Call, size: int, lines: list[str], sent: list[Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler_fail(monkeypatch, triggers={"a": "x" * size}, extra_attributes={"a": "x" * size})
    with pytest.raises(RotationError, match="^it broke"):
        call(new_provider())
    (failure,) = sent
    assert failure.partial
    outputs = stored({**failure.partial[1]})
    assert outputs.keys() == MADE.keys() - {"triggers", "extra_attributes"}
    (line,) = lines
    assert line.endswith("left out or cut: extra_attributes, triggers")


EXCEPTIONS = (MemoryError, RecursionError, SystemExit, KeyboardInterrupt, AttributeError, OSError)


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize(
    "step",
    [
        f"{engine_outputs.__name__}.deliverable",
        f"{engine_outputs.__name__}.essential_only",
        f"{adapter.__name__}.serialized",
        f"{sdk.__name__}.encrypted",
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_password_goes_out_whatever_hits_the_provider_after_the_reset(
    call: Call,
    step: str,
    kind: type[BaseException],
    times: int,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room, _, name = step.rpartition(".")
    works = getattr(sys.modules[room], name)
    left = [kind("canary")] * times

    def fail_first(*arguments: Any) -> Any:
        if left:
            raise left.pop()
        return works(*arguments)

    fail_first.__name__ = name
    let_handler_return(monkeypatch, lambda: monkeypatch.setattr(step, fail_first))
    outputs = stored(call(new_provider()).outs)
    assert outputs.items() >= {name: MADE[name] for name in ("password", "rest_token")}.items()
    assert "canary" not in "".join(lines)


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_password_goes_out_even_if_the_proof_itself_never_works(
    call: Call, kind: type[BaseException], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise kind

    let_handler_return(monkeypatch, lambda: monkeypatch.setattr(adapter, "serialized", fail))
    assert stored(call(new_provider()).outs)["password"] == MADE["password"]
    assert lines == []


@pytest.mark.parametrize(
    "error", [PartialFailureError("it broke", "id", MADE), RotationError("it broke")]
)
def test_call_that_takes_no_failure_still_ends_as_one_line(
    call: Call, error: RotationError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    def refuse(_: Failure) -> None:
        raise ValueError("metadata refused: canary")

    let_handler(monkeypatch, fail)
    monkeypatch.setattr(sdk, "fail_call", refuse)
    with pytest.raises(RotationError, match="^it broke") as raised:
        call(new_provider())
    assert type(raised.value) is RotationError
    assert raised.value.__context__ is None


# --- what must work before a call may reset ---


def let_nothing_happen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    called: list[str] = []
    let_handler(monkeypatch, lambda *_: called.append("handler"))
    return called


@pytest.mark.parametrize("method", ["create", "update"])
def test_call_whose_end_cannot_work_fails_before_it_begins(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = let_nothing_happen(monkeypatch)

    def fail(*_: object) -> None:
        raise ImportError("canary")

    monkeypatch.setattr(failures, "rehearse", fail)
    expected = "^outputs cannot be sent to Pulumi \\(ImportError\\); nothing has changed$"
    with pytest.raises(RotationError, match=expected):
        CALLS[method](new_provider())
    assert called == []


@pytest.mark.parametrize("method", ["create", "update"])
def test_call_without_free_descriptors_fails_before_it_begins(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = let_nothing_happen(monkeypatch)

    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(descriptors.os, "open", refuse)
    with pytest.raises(RotationError, match="nothing has changed. Raise the limit .`ulimit -n"):
        CALLS[method](new_provider())
    assert called == []


@pytest.mark.parametrize("value", [[0] * 20_000, BAD["signature"]])
def test_check_rejects_triggers_that_no_state_could_hold(value: Any) -> None:
    arguments = {"database_id": DATABASE_ID, "triggers": {"a": value}}
    (problem,) = new_provider().check({}, arguments).failures
    assert problem.reason.startswith("triggers must be at most 256 KiB as Pulumi sends it")


def test_process_is_prepared_once_for_all_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[Any] = []
    monkeypatch.setattr(sys, "argv", ["provider", "-v=9", "the engine"])
    monkeypatch.setattr(adapter, "end_with_engine", lambda engine: prepared.append(engine) or True)
    monkeypatch.setattr(adapter, "share_run", prepared.append)
    monkeypatch.setattr(descriptors, "raise_limit", lambda: 72)
    monkeypatch.setattr(descriptors, "calls_at_once", lambda *given: prepared.append(given) or 3)
    monkeypatch.setattr(adapter._SLOTS, "limit_to", prepared.append)
    monkeypatch.setattr(sdk, "serve_at_once", prepared.append)
    prepare = functools.cache(PREPARE_PROCESS.__wrapped__)
    prepare()
    prepare()
    assert prepared == ["the engine", "the engine", (72, 256), 3, 3]
