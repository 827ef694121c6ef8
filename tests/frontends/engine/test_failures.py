"""How a call fails: one line, and a state to keep where there is one."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from google.protobuf import struct_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.proto import provider_pb2

from pulumi_upstash_rotation.errors import (
    InvalidInputError,
    PartialFailureError,
    RotationError,
    ServerError,
)
from pulumi_upstash_rotation.frontends.engine.failures import (
    Failure,
    encoded_status,
    failure_of,
    init_failed,
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RotationError("it broke"), "it broke"),
        (InvalidInputError("triggers", "must be a map"), "triggers must be a map"),
        (ServerError("it failed (500)", "nothing has changed", status=500), None),
    ],
)
def test_failure_of_our_error_is_its_line(error: RotationError, line: str | None) -> None:
    assert failure_of(error, "diff") == Failure(line or "it failed (500); nothing has changed")


def test_failure_of_a_partial_failure_keeps_id_and_outputs() -> None:
    failure = failure_of(PartialFailureError("it broke", "the-id", {"kept": "canary"}), "create")
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
        "output of UPSTASH_ROTATION_DEBUG=1"
    )


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
    encoded = AnyMessage.FromString(init_failed("it broke", "the-id", outputs))
    detail = provider_pb2.ErrorResourceInitFailed()
    assert encoded.Unpack(detail)
    expected = struct_pb2.Struct()
    expected.update(outputs)
    assert (detail.id, list(detail.reasons)) == ("the-id", ["it broke"])
    assert detail.properties == expected
