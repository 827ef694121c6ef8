"""Waits that end when the user cancels the run.

A front end calls a handler inside `ends_waits()`. All waits of that call then end with a
`CancelledError` as soon as the event is set. No new reset starts either. Reads still work, because
they may return a password that the call has just reset.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEVER: Final = threading.Event()
_CANCELLED: Final[ContextVar[threading.Event]] = ContextVar("cancelled", default=_NEVER)


@contextmanager
def ends_waits(cancelled: threading.Event) -> Iterator[None]:
    """Let an event end the waits of this thread while the context lasts."""
    token = _CANCELLED.set(cancelled)
    try:
        yield
    finally:
        _CANCELLED.reset(token)


def sleep(seconds: float) -> None:
    """Wait.

    Args:
        seconds: Length of the wait.

    Raises:
        CancelledError: The user has cancelled the run.
    """
    if _CANCELLED.get().wait(max(0.0, seconds)):
        raise CancelledError


def check() -> None:
    """Check that the run goes on.

    Raises:
        CancelledError: The user has cancelled the run.
    """
    sleep(0)
