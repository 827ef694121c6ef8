"""Whatever fails after a reset, the state gets the new credentials or the pending rotation."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_upstash_rotation.errors import AuthenticationError, PartialFailureError
from pulumi_upstash_rotation.resources.seam import Resource
from pulumi_upstash_rotation.resources.secured import MAY_HAVE_CHANGED, Kept, secured

from ..support.account import RecordingReporter

PENDING = Resource("id", {"pending_rotation": "create"})
APPLIED = Resource("id", {"pending_rotation": "create", "pending_applied": True})
DONE = Resource("id", {"password": "canary"})
ERRORS: list[BaseException] = [
    MemoryError("canary"),
    RecursionError(),
    RuntimeError("can't start new thread"),
    KeyboardInterrupt(),
    SystemExit(1),
    OSError(24, "too many open files"),
]


@pytest.mark.parametrize("error", [*ERRORS, AuthenticationError("no", status=401)])
def test_error_before_a_reset_is_raised_as_it_is(error: BaseException) -> None:
    def call(kept: Kept) -> Resource:
        kept.pending(PENDING, APPLIED)
        kept.nothing()
        raise error

    with pytest.raises(type(error)) as raised:
        secured(RecordingReporter(), call)
    assert raised.value is error


@pytest.mark.parametrize("error", ERRORS)
def test_any_error_after_a_reset_carries_the_pending_rotation(error: BaseException) -> None:
    def call(kept: Kept) -> Resource:
        kept.pending(PENDING, APPLIED)
        raise error

    with pytest.raises(PartialFailureError) as raised:
        secured(RecordingReporter(), call)
    assert (raised.value.id, raised.value.outputs) == ("id", PENDING.outputs)
    assert str(raised.value) == f"unexpected {type(error).__name__}; {MAY_HAVE_CHANGED}"


def test_any_error_after_an_applied_reset_carries_that_it_was_applied() -> None:
    def call(kept: Kept) -> Resource:
        kept.pending(PENDING, APPLIED)
        kept.complete(DONE)
        kept.applied()  # the credentials were those of a late read
        raise MemoryError

    with pytest.raises(PartialFailureError) as raised:
        secured(RecordingReporter(), call)
    assert raised.value.outputs == APPLIED.outputs


@pytest.mark.parametrize("applied", [True, False])
def test_any_error_after_a_rejected_read_carries_what_is_certain(applied: bool) -> None:
    def call(kept: Kept) -> Resource:
        kept.pending(PENDING, APPLIED)
        if applied:
            kept.applied()
        kept.complete(DONE)
        kept.incomplete()
        assert kept.certain is applied
        raise MemoryError

    with pytest.raises(PartialFailureError) as raised:
        secured(RecordingReporter(), call)
    assert raised.value.outputs == (APPLIED if applied else PENDING).outputs


def test_error_of_this_package_keeps_its_text() -> None:
    def call(kept: Kept) -> Resource:
        kept.pending(PENDING, APPLIED)
        raise AuthenticationError("the reason", status=401)

    with pytest.raises(PartialFailureError, match="^the reason$"):
        secured(RecordingReporter(), call)


class _BrokenReporter(RecordingReporter):
    def warning(self, message: str) -> None:
        raise MemoryError(message)


@pytest.mark.parametrize("reporter", [RecordingReporter(), _BrokenReporter()])
@pytest.mark.parametrize("error", [*ERRORS, AuthenticationError("no", status=401)])
def test_any_error_once_the_credentials_are_known_returns_them(
    error: BaseException, reporter: Any
) -> None:
    def call(kept: Kept) -> Resource:
        kept.pending(PENDING, APPLIED)
        kept.complete(DONE)
        raise error

    assert secured(reporter, call) is DONE
    assert "canary" not in str(reporter.lines)
