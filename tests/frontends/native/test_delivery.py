"""What leaves the plugin at the end of a call, whatever goes wrong there."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.runtime import rpc

from pulumi_upstash_rotation.errors import PartialFailureError
from pulumi_upstash_rotation.frontends.engine import descriptors, failures
from pulumi_upstash_rotation.frontends.engine.outputs import MAX_BYTES
from pulumi_upstash_rotation.frontends.native import delivery, provider
from pulumi_upstash_rotation.frontends.native.names import to_camel
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.resources.seam import Resource

from ...support.account import never
from ...support.native import (
    DAYS,
    NEWS,
    SECRET,
    Engine,
    FailedCallError,
    clear,
    let_handler,
    secrets,
)
from ...support.payloads import DATABASE_ID

if TYPE_CHECKING:
    from collections.abc import Callable


# --- what leaves the plugin after a reset ---

MADE: dict[str, Any] = {
    "database_id": DATABASE_ID,
    "database_name": "cache",
    "password": "password-canary",
    "rest_token": "token-canary",
    "triggers": {"release": "2026-11"},
    "rotated_at": "2026-11-23T04:05:06Z",
    "rotation_count": 1,
    "extra_attributes": {"plan": "x"},
}
NATIVE = provider.__package__
STEPS = [
    "pulumi_upstash_rotation.frontends.engine.outputs.deliverable",
    "pulumi_upstash_rotation.frontends.engine.outputs.essential_only",
    f"{NATIVE}.wire.struct",
    f"{NATIVE}.delivery.next_rotation_at",
    f"{NATIVE}.delivery.to_camel",
    f"{NATIVE}.delivery.camel",
]
EXCEPTIONS = (MemoryError, RecursionError, SystemExit, KeyboardInterrupt, AttributeError, OSError)
BAD: dict[str, Any] = {
    "sentinel": rpc.UNKNOWN,
    "signature": {rpc._special_sig_key: "x"},
    "integer": 10**5000,
    "surrogate": "\ud800",
    "object": object(),
}


def returns(outputs: dict[str, Any]) -> Callable[..., Resource]:
    return lambda *_: Resource(DATABASE_ID, outputs)


def fails(outputs: dict[str, Any]) -> Callable[..., Resource]:
    def fail(*_: object) -> Resource:
        raise PartialFailureError("it broke", DATABASE_ID, outputs)

    return fail


ENDS = {"create": [returns, fails], "update": [returns, fails], "read": [returns]}
CALLS: dict[str, Callable[[Engine], Any]] = {
    "create": lambda engine: engine.create(DAYS).properties,
    "update": lambda engine: engine.update({}, DAYS).properties,
    "read": lambda engine: engine.read("id", {"schemaVersion": 1}, DAYS).properties,
}


@pytest.fixture(params=[(name, end) for name in CALLS for end in ENDS[name]])
def case(request: pytest.FixtureRequest) -> Any:
    """A call, and how its handler ends."""
    return request.param


@pytest.fixture
def end(case: Any) -> Any:
    """How the handler ends."""
    return case[1]


@pytest.fixture
def call(case: Any, engine: Engine) -> Callable[[], dict[str, Any]]:
    """A call that may have reset a password. It returns what the engine gets, or keeps."""

    def call() -> dict[str, Any]:
        try:
            properties = CALLS[case[0]](engine)
        except FailedCallError as error:
            properties = error.properties
        assert secrets(properties) == SECRET & {*properties.fields}
        return clear(properties)

    return call


def test_outputs_go_out_as_they_are(
    call: Any, end: Any, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, end(MADE))
    assert call() == {**to_camel(MADE), "nextRotationAt": "2026-12-03T04:05:06Z"}
    assert lines == []


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_outputs_that_pulumi_cannot_store_do_not_take_the_password_with_them(
    call: Any, end: Any, value: Any, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, end({**MADE, "database_name": value, "rotated_at": value}))
    outputs = call()
    assert outputs["password"] == MADE["password"]
    assert outputs["triggers"] == MADE["triggers"]
    assert not {"databaseName", "rotatedAt"} & outputs.keys()
    assert len(lines) == 1


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("times", [1, 2])
def test_password_goes_out_whatever_hits_the_plugin_after_the_reset(
    call: Any,
    end: Any,
    step: str,
    kind: type[BaseException],
    times: int,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = [kind("canary")] * times
    room, _, name = step.rpartition(".")
    works = getattr(sys.modules[room], name)

    def fail_first(*arguments: Any) -> Any:
        if left:
            raise left.pop()
        return works(*arguments)

    fail_first.__name__ = name

    def act(*_: object) -> Resource:
        monkeypatch.setattr(step, fail_first)
        made: Resource = end(MADE)()
        return made

    let_handler(monkeypatch, act)
    outputs = call()
    assert outputs.items() >= {"password": "password-canary", "restToken": "token-canary"}.items()
    assert "canary" not in "".join(lines)


def explode(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("name", "broken"),
    [("next_rotation", explode), ("deliver", explode), ("deliver", lambda *_: None)],
)
def test_password_goes_out_in_the_fewest_steps_if_nothing_else_works(
    call: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, returns(MADE))
    monkeypatch.setattr(delivery, name, broken)
    assert call()["password"] == MADE["password"]


@pytest.mark.parametrize(
    ("name", "broken"), [("next_rotation", explode), ("deliver", lambda *_: None)]
)
def test_failed_call_keeps_the_fewest_outputs_if_nothing_else_works(
    engine: Engine, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, fails({**MADE, "pending_rotation": "create"}))
    monkeypatch.setattr(delivery, name, broken)
    with pytest.raises(FailedCallError, match="it broke") as failed:
        engine.create(NEWS)
    kept = clear(failed.value.properties)
    assert failed.value.id == DATABASE_ID
    assert (kept["pendingRotation"], kept["password"]) == ("create", MADE["password"])


@pytest.mark.parametrize("name", ["for_programs", "Row.warning"])
def test_report_that_cannot_be_shown_loses_no_password(
    call: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, returns({**MADE, "database_name": object()}))
    monkeypatch.setattr(f"{NATIVE}.session.{name}", lambda *_: 1 / 0)
    assert call()["password"] == MADE["password"]


def test_descriptor_that_somebody_else_closed_loses_no_password(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = os.close

    def close_twice(descriptor: int) -> None:
        close(descriptor)
        close(descriptor)

    def act(*_: object) -> Resource:
        monkeypatch.setattr(descriptors.os, "close", close_twice)
        return Resource(DATABASE_ID, MADE)

    let_handler(monkeypatch, act)
    outputs = clear(engine.create(NEWS).properties)
    monkeypatch.undo()
    assert outputs["password"] == MADE["password"]


@pytest.mark.parametrize("size", [MAX_BYTES, 7 * MAX_BYTES])
def test_too_large_outputs_are_cut(
    call: Any, end: Any, size: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = {"a": "x" * size}
    let_handler(monkeypatch, end({**MADE, "triggers": large, "extra_attributes": large}))
    outputs = call()
    assert outputs.keys() == {*to_camel(MADE), "nextRotationAt"} - {"triggers", "extraAttributes"}
    assert len(lines) == 1


# --- what must work before a call may reset ---


@pytest.mark.parametrize("method", ["create", "update"])
def test_call_whose_end_cannot_work_fails_before_it_begins(
    method: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, never)

    def fail(*_: object) -> None:
        raise ImportError("canary")

    monkeypatch.setattr(failures, "rehearse", fail)
    expected = "^outputs cannot be sent to Pulumi \\(ImportError\\); nothing has changed"
    with pytest.raises(FailedCallError, match=expected):
        CALLS[method](engine)


@pytest.mark.parametrize("method", ["create", "update"])
def test_call_without_free_descriptors_fails_before_it_begins(
    method: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_handler(monkeypatch, never)

    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(descriptors.os, "open", refuse)
    with pytest.raises(FailedCallError, match="nothing has changed. Raise the limit .`ulimit -n"):
        CALLS[method](engine)


def test_calls_at_once_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(provider.NativeProvider(slots=descriptors.Slots(1)))
    lock = threading.Lock()

    def act(*_: object) -> Resource:
        assert lock.acquire(blocking=False)
        cancellation.sleep(0.01)
        lock.release()
        return Resource(DATABASE_ID, MADE)

    let_handler(monkeypatch, act)
    with ThreadPoolExecutor(8) as pool:
        for made in [pool.submit(engine.create, NEWS) for _ in range(8)]:
            assert made.result(60).id == DATABASE_ID
