"""How a call fails: one line, and a state to keep where there is one."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import Any

import pytest
from google.protobuf import struct_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    PartialFailureError,
    RequestNotSentError,
    RotationError,
    ServerError,
)
from pulumi_upstash_rotation.frontends.engine import failures, shadows
from pulumi_upstash_rotation.frontends.engine.failures import (
    Failure,
    encoded_status,
    failure_of,
    init_failed,
    rehearse,
    serialized,
)
from pulumi_upstash_rotation.frontends.engine.outputs import MAX_BYTES


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RotationError("it broke"), "it broke"),
        (InvalidInputError("triggers", "must be a map"), "triggers must be a map"),
        (ServerError("it failed (500)", "nothing has changed", status=500), None),
    ],
)
def test_failure_of_our_error_is_its_line(error: RotationError, line: str | None) -> None:
    assert failure_of(error, "read") == Failure(line or "it failed (500); nothing has changed")


@pytest.mark.parametrize("method", ["check", "diff", "create", "update", "read", "delete"])
def test_failure_of_one_resource_names_the_way_out_for_any_others(method: str) -> None:
    way_out = "broke. `pulumi up --continue-on-error` updates any other resources"
    updates = method in ("diff", "create", "update")
    for error in (
        RotationError("broke"),
        ServerError("broke", status=500),
        PartialFailureError("broke", "the-id", {}),
    ):
        assert failure_of(error, method).message == (way_out if updates else "broke")
    for error in (  # the other resources would fail too
        AuthenticationError("broke", status=401),
        ConfigurationError("broke"),
        InvalidInputError("triggers", "broke"),
        RequestNotSentError("broke", transient=True),
    ):
        expected = "triggers broke" if isinstance(error, InvalidInputError) else "broke"
        assert failure_of(error, method).message == expected


def test_failure_of_a_partial_failure_keeps_id_and_outputs() -> None:
    failure = failure_of(PartialFailureError("it broke", "the-id", {"kept": "canary"}), "read")
    assert failure == Failure("it broke", ("the-id", {"kept": "canary"}))
    assert "canary" not in repr(failure)


@pytest.mark.parametrize(
    "error",
    [ValueError("canary"), SystemExit("canary"), KeyboardInterrupt("canary"), MemoryError()],
)
def test_failure_of_a_foreign_error_names_its_type_and_nothing_of_its_text(
    error: BaseException,
) -> None:
    assert failure_of(error, "diff") == Failure(
        f"unexpected {type(error).__name__} in diff: please report it with the "
        "output of UPSTASH_ROTATION_DEBUG=1; nothing has changed"
    )


def test_failure_of_a_foreign_error_in_a_deletion_may_have_changed_the_password() -> None:
    assert failure_of(ValueError(), "delete").message.endswith("; the password may have changed")


def test_failure_of_a_foreign_error_names_the_file_that_hides_a_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shadows, "hidden", lambda: "queue.py hides the library queue. Rename it")
    assert failure_of(AttributeError("canary"), "diff") == Failure(
        "unexpected AttributeError in diff: queue.py hides the library queue. Rename it; "
        "nothing has changed"
    )


def test_text_that_grpc_could_not_send_is_cut_and_made_sendable() -> None:
    for error in (RotationError, lambda text: PartialFailureError(text, "the-id", {})):
        message = failure_of(error("\ud800" + "x" * 10_000_000), "read").message
        assert 1_000 < len(message.encode()) < 5_000
        assert message.endswith("x ...")


def test_failure_of_a_foreign_error_logs_where_it_happened_and_nothing_of_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def explode() -> None:
        raise ValueError(("pass" + "word") + "-canary")

    caplog.set_level(logging.DEBUG)
    try:
        explode()
    except ValueError as error:
        failure_of(error, "diff")
    assert "unexpected ValueError at" in caplog.text
    assert "in explode" in caplog.text
    assert "password-canary" not in caplog.text


@given(st.text(), st.lists(st.binary(max_size=300), max_size=3))
def test_encoded_status_is_what_googles_own_type_reads(message: str, values: list[bytes]) -> None:
    details = [AnyMessage(type_url="x", value=value) for value in values]
    encoded = encoded_status(message, [each.SerializeToString() for each in details])
    status = status_pb2.Status.FromString(encoded)
    assert (status.code, status.message, list(status.details)) == (2, message, details)


def test_init_failed_holds_what_the_engine_keeps() -> None:
    outputs: dict[str, Any] = {"kept": "value", "count": 3, "deep": {"a": [None, True]}}
    encoded = AnyMessage.FromString(init_failed("it broke", "the-id", serialized(outputs)))
    detail = provider_pb2.ErrorResourceInitFailed()
    assert encoded.Unpack(detail)
    expected = struct_pb2.Struct()
    expected.update(outputs)
    assert (detail.id, list(detail.reasons)) == ("the-id", ["it broke"])
    assert detail.properties == expected


def test_outputs_are_serialized_as_the_sdk_does_it() -> None:
    outputs = {"text": "x", "secret": rpc.wrap_rpc_secret(["a", {"b": 1.5}]), "none": None}
    expected = asyncio.run(rpc.serialize_properties(outputs, {}))
    assert serialized(outputs) == expected


@pytest.mark.parametrize(
    "value",
    [b"x", object(), {1: 1}, "\ud800", pytest.param(10**5000, id="5000 digits")],
)
def test_outputs_that_the_sdk_cannot_serialize_are_an_error(value: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011  the SDK's own, of several types
        serialized({"outputs": value}).SerializeToString()


def test_outputs_that_need_an_event_loop_are_an_error() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises((TypeError, RuntimeError)):
            serialized({"outputs": loop.create_future()})
    finally:
        loop.close()


NO_DESCRIPTORS = """
import resource
from pulumi.runtime import rpc
from pulumi_upstash_rotation.frontends.engine.failures import (
    encoded_status, init_failed, rehearse, serialized
)
rehearse(serialized)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
try:
    open("/dev/null")
    raise SystemExit("a descriptor was free")
except OSError:
    pass
kept = serialized({"kept": "value"})
status = encoded_status("it broke", [init_failed("it broke", "the-id", kept)])
assert b"value" in status
"""


def test_partial_failure_needs_no_descriptor_and_no_import_after_the_rehearsal() -> None:
    command = [sys.executable, "-c", NO_DESCRIPTORS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rehearsal_that_fails_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearse.cache_clear()

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(failures, "encoded_status", fail)
        for _ in range(2):
            with pytest.raises(MemoryError):
                rehearse(serialized)
    rehearse(serialized)


def test_partial_failure_that_would_break_the_connection_is_an_error() -> None:
    with pytest.raises(ValueError, match="too large"):
        init_failed("it broke", "the-id", serialized({"triggers": "x" * (2 * MAX_BYTES)}))
    assert init_failed("it broke", "the-id", serialized({"triggers": "x" * MAX_BYTES}))
