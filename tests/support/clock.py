"""A clock that stands still until a test sets it or sleeps."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Final

START: Final = datetime(2026, 11, 23, 4, 5, 6, tzinfo=timezone.utc)


class Clock:
    """A clock whose `sleep()` returns at once and moves it forward. Threads may share it.

    Attributes:
        seconds: Seconds since `START`; may be set.
        sleeps: The seconds of each sleep so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the time in seconds, as `time.monotonic()` does."""
        return self.seconds

    def now(self) -> datetime:
        """Return the time in UTC."""
        return START + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        """Move the clock forward, and keep the seconds."""
        with self._lock:
            self.sleeps.append(seconds)
            self.seconds += seconds
