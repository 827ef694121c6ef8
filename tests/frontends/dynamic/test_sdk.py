"""The SDK's private parts: used where they are as expected, and let alone where they are not."""

from __future__ import annotations

import sys
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from pulumi.output import Unknown
from pulumi.runtime import rpc

from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.frontends.engine.failures import Failure

# --- the provider's process ---


@pytest.mark.parametrize("calls", [1, 64])
def test_pool_of_the_sdk_is_replaced_once(calls: int) -> None:
    server = SimpleNamespace(_state=SimpleNamespace(thread_pool=ThreadPoolExecutor(4)))
    assert sdk.serve_at_once(calls)
    pool = server._state.thread_pool
    assert pool._max_workers == calls
    assert sdk.serve_at_once(8)
    assert server._state.thread_pool is pool


def test_pool_of_the_sdk_stays_if_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    pool = ThreadPoolExecutor(4)
    server = SimpleNamespace(_state=SimpleNamespace(thread_pool=pool))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert not sdk.serve_at_once(64)
    assert server._state.thread_pool is pool


def test_calls_that_came_before_the_pool_was_widened_are_served_at_once_too() -> None:
    server = SimpleNamespace(_state=SimpleNamespace(thread_pool=ThreadPoolExecutor(4)))
    widened = threading.Event()

    def call(together: threading.Barrier) -> None:
        widened.wait(30)
        together.wait(30)  # until all are being served

    def calls(number: int) -> list[Future[None]]:
        together = threading.Barrier(number)
        return [server._state.thread_pool.submit(call, together) for _ in range(number)]

    first = calls(16)
    assert sdk.serve_at_once(64)
    widened.set()
    for each in (*first, *calls(40)):
        each.result(60)


@pytest.mark.parametrize(
    "server",
    [
        None,
        object(),
        SimpleNamespace(_state=None),
        SimpleNamespace(_state=SimpleNamespace(thread_pool=object())),
        SimpleNamespace(_state=SimpleNamespace(thread_pool=SimpleNamespace(_max_workers="4"))),
    ],
)
def test_pool_of_another_host_stays_as_it_is(server: Any) -> None:
    assert not sdk.serve_at_once(64)
    assert server is None or server


FAILURE = Failure("it broke", ("the-id", {"kept": "value"}))


class Call:
    """Takes what a gRPC call says at its end."""

    metadata: Any = None

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata


def served_by_the_sdk(act: str, **variables: Any) -> Any:
    """Return what an expression is worth in a frame like that of the SDK's servicer."""
    names = ", ".join(variables)
    code = f"def serve({names}):\n    return {act}\n"
    frame: dict[str, Any] = {
        "DynamicResourceProviderServicer": object,
        "sdk": sdk,
        "failure": FAILURE,
    }
    exec(code, frame)
    return frame["serve"](**variables)


def test_urn_of_a_call_is_the_requests() -> None:
    request = SimpleNamespace(urn="the-urn")
    assert served_by_the_sdk("sdk.urn_of_call()", request=request) == "the-urn"


@pytest.mark.parametrize("urn", [None, "", 7])
def test_urn_of_a_request_without_one_is_none(urn: Any) -> None:
    request = SimpleNamespace(urn=urn)
    assert served_by_the_sdk("sdk.urn_of_call()", request=request) is None
    assert served_by_the_sdk("sdk.urn_of_call()", request=object()) is None


def test_urn_outside_of_a_call_is_none() -> None:
    request = SimpleNamespace(urn="another's")  # a frame that is not the SDK's
    assert sdk.urn_of_call() is None
    assert request.urn


@pytest.mark.parametrize("variable", ["props", "news"])
def test_partial_failure_of_a_call_has_id_outputs_and_provider(variable: str) -> None:
    call = Call()
    properties = {variable: {"__provider": "the-pickle"}}
    served_by_the_sdk("sdk.fail_call(failure)", context=call, **properties)
    ((name, encoded),) = call.metadata
    assert name == "grpc-status-details-bin"
    kept = (b"it broke", b"the-id", b"kept", b"value", b"the-pickle", b"ErrorResourceInitFailed")
    for part in kept:
        assert part in encoded


@pytest.mark.parametrize("props", [None, {}, "other"])
def test_partial_failure_without_a_provider_is_still_one_line(props: Any) -> None:
    call = Call()
    served_by_the_sdk("sdk.fail_call(failure)", context=call, props=props)
    ((_, encoded),) = call.metadata
    assert b"it broke" in encoded
    assert b"the-id" not in encoded


def test_failure_without_a_state_is_one_line() -> None:
    call = Call()
    act = "sdk.fail_call(type(failure)(failure.message))"
    served_by_the_sdk(act, context=call, props={"__provider": "the-pickle"})
    ((_, encoded),) = call.metadata
    assert b"it broke" in encoded
    assert b"the-pickle" not in encoded


@pytest.mark.parametrize("context", [None, object()])
def test_failure_in_another_host_changes_nothing(context: Any) -> None:
    served_by_the_sdk("sdk.fail_call(failure)", context=context, props={"__provider": "x"})
    sdk.fail_call(FAILURE)


@pytest.mark.parametrize("refused", ["large", "call"])
def test_partial_failure_that_cannot_be_sent_is_an_error(refused: str) -> None:
    class Refusing(Call):
        def set_trailing_metadata(self, metadata: Any) -> None:
            raise ValueError(metadata)

    outputs = {"triggers": "x" * (7 << 20 if refused == "large" else 1)}
    call = Call() if refused == "large" else Refusing()
    with pytest.raises(ValueError):  # noqa: PT011  the text does not matter
        served_by_the_sdk(
            "sdk.fail_call(failure)",
            context=call,
            props={"__provider": "the-pickle"},
            failure=Failure("it broke", ("the-id", outputs)),
        )
    assert call.metadata is None


def failed(error: Exception) -> str:
    """Return what the SDK's module would show of an error."""
    try:
        raise error  # noqa: TRY301  as a provider method
    except Exception:  # noqa: BLE001  as the SDK
        text: str = sys.modules["__main__"].traceback.format_exc()
        return text


def test_errors_of_this_package_are_one_line_without_grpc_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = SimpleNamespace(DynamicResourceProviderServicer=object, traceback=traceback)
    monkeypatch.setitem(sys.modules, "__main__", host)
    for _ in range(2):
        sdk.show_errors_as_lines()
        assert failed(RotationError("it broke")) == "it broke"
        assert failed(ValueError("another's")).startswith("Traceback (most recent call last)")
    assert host.traceback.print_exc is traceback.print_exc


@pytest.mark.parametrize(
    "host",
    [
        SimpleNamespace(traceback=traceback),
        SimpleNamespace(DynamicResourceProviderServicer=object),
        SimpleNamespace(DynamicResourceProviderServicer=object, traceback="another"),
    ],
)
def test_module_of_another_host_stays_as_it_is(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = vars(host).copy()
    monkeypatch.setitem(sys.modules, "__main__", host)
    sdk.show_errors_as_lines()
    assert vars(host) == before


def test_unknown_values_are_the_wires_and_the_sdks() -> None:
    assert sdk.is_unknown(rpc.UNKNOWN)
    assert sdk.is_unknown(Unknown())
    for value in (None, "", "x", {}, [rpc.UNKNOWN]):
        assert not sdk.is_unknown(value)


def test_outputs_to_be_encrypted_are_marked_and_the_others_are_not() -> None:
    marked = sdk.encrypted({"password": "x", "port": 1}, ["password", "absent"])
    assert marked == {"password": rpc.wrap_rpc_secret("x"), "port": 1}
    assert rpc.is_rpc_secret(marked["password"])


# --- a program's process ---


def test_output_that_is_not_waited_for_is_untracked_where_the_sdk_can() -> None:
    untracked: list[object] = []

    class Old:
        """As an output of an older SDK, which has every attribute."""

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    class Tracked:
        def _untrack(self) -> None:
            untracked.append(self)

    tracked = Tracked()
    for value in (tracked, Old(), object(), None):
        sdk.do_not_wait_for(value)
    assert untracked == [tracked]


def test_running_program_is_the_root_resource_but_with_mocks_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Mocks(pulumi.runtime.Mocks):
        def new_resource(self, args: Any) -> Any:
            return args.name, args.inputs

        def call(self, _args: Any) -> Any:
            return {}

    root = object()
    monkeypatch.setattr(pulumi.runtime, "get_root_resource", lambda: root)
    monitors: list[Any] = [None, pulumi.runtime.mocks.MockMonitor(Mocks())]
    monkeypatch.setattr(sdk.settings, "get_monitor", lambda: monitors[0])
    assert sdk.running_program() is root
    monitors.pop(0)
    assert sdk.running_program() is None
