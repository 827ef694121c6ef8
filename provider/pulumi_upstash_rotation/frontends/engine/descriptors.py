"""File descriptors: how many calls this process can serve at once.

A call that finds no descriptor after its reset loses the new password. The SDK opens an event loop
even after the provider method has returned.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "win32":
    import resource

PER_CALL: Final = 11
"""Maximum number of descriptors that one call holds at once."""

_FOR_THE_SDK: Final = 3
"""Descriptors of the event loop that the SDK opens after a call, to send the outputs."""

RESERVE: Final = 24
"""Descriptors for all calls together: files that are being imported, the connection to the engine,
and the event loops of the calls that the SDK's own threads serve."""

_ASSUMED_OPEN: Final = 64
_HIGHEST_LIMITS: Final = (1 << 16, 10_240, 4_096, 1_024)
"""Limits to try if the hard limit is infinite or, on macOS, not allowed."""


def raise_limit() -> int | None:
    """Raise this process's soft limit of descriptors to the hard one.

    Returns:
        The limit. None if there is none.
    """
    if sys.platform == "win32":
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    for limit in (min(hard, highest) for highest in _HIGHEST_LIMITS):
        if soft == resource.RLIM_INFINITY or soft >= limit:
            break
        with contextlib.suppress(OSError, ValueError):
            kept = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, kept))
            return limit
    return None if soft == resource.RLIM_INFINITY else soft


def calls_at_once(limit: int | None, most: int) -> int:
    """Return how many calls a limit of descriptors allows, at least 1.

    Args:
        limit: The limit. None if there is none.
        most: Maximum number.
    """
    if limit is None:
        return most
    return max(1, min(most, (limit - _open_now() - RESERVE) // PER_CALL))


@contextlib.contextmanager
def reserved() -> Iterator[None]:
    """Check that one call finds its descriptors, and hold those of the SDK until its end.

    Raises:
        ConfigurationError: There are too few.
    """
    held: list[int] = []
    try:
        try:
            while len(held) < PER_CALL:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            raise ConfigurationError(
                "too few file descriptors are free, so the call was not started; nothing has "
                "changed. Raise the limit (`ulimit -n 1024`), then run the command again"
            ) from None
        while len(held) > _FOR_THE_SDK:
            os.close(held.pop())
        yield
    finally:
        for each in held:
            with contextlib.suppress(OSError):  # it would lose the outputs of a call that has reset
                os.close(each)


class Slots:
    """Bounds the calls that run at once."""

    def __init__(self, number: int) -> None:
        """Allow a number of calls."""
        self._free = threading.BoundedSemaphore(number)

    def limit_to(self, number: int) -> None:
        """Allow another number of calls. No call may be running."""
        self._free = threading.BoundedSemaphore(number)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Wait until a call may run, and run it."""
        with self._free:
            yield


def _open_now() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return sum(1 for _ in Path(folder).iterdir())
    return _ASSUMED_OPEN
