"""One limit for an account: how many requests may be in flight at once.

A 429 concerns the account, not one call. So it halves the limit, and every waiter waits as long as
the Retry-After header requires. Each finished request raises the limit a little. This is additive
increase and multiplicative decrease, as in TCP.
"""

from __future__ import annotations

import heapq
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(order=True)
class Waiter:
    """A call's place in the queue. A retry keeps it.

    Attributes:
        number: Smaller ones come first.
        began_at: When the call was first admitted, by the limit's clock. None before that.
        sent_at: When it was last admitted.
    """

    number: int
    began_at: float | None = field(default=None, compare=False)
    sent_at: float = field(default=0.0, compare=False)
    admitted: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)


class RateLimit:
    """Admits requests, the oldest waiter first. Threads may share it.

    Args:
        most: Maximum number of requests in flight at once.
        clock: Returns seconds, from any start.
        sleep: Waits, in seconds.
    """

    def __init__(
        self, most: int, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Start with the highest limit."""
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._limit = float(most)
        self._in_flight = 0
        self._queue: list[Waiter] = []
        self._waiters = 0
        self._halved_at = self._resume_at = clock()

    def waiter(self) -> Waiter:
        """Return a place at the end of the queue."""
        with self._lock:
            self._waiters += 1
            return Waiter(self._waiters)

    @contextmanager
    def acquire(self, waiter: Waiter) -> Iterator[None]:
        """Wait until the waiter is admitted. It is in flight while the context lasts."""
        with self._lock:
            heapq.heappush(self._queue, waiter)
            self._admit()
        waiter.admitted.wait()
        waiter.admitted.clear()
        try:
            while (pause := self._resume_at - self._clock()) > 0:
                self._sleep(pause)
            waiter.sent_at = self._clock()
            if waiter.began_at is None:
                waiter.began_at = waiter.sent_at
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._limit = min(self._most, self._limit + 1 / self._limit)
                self._admit()

    def on_rate_limited(self, waiter: Waiter, seconds: float) -> None:
        """Make every waiter wait, and halve the limit.

        Args:
            waiter: The call that got the 429.
            seconds: How long to wait.
        """
        now = self._clock()
        with self._lock:
            self._resume_at = max(self._resume_at, now + seconds)
            # Requests in flight at the same time may all get a 429. They halve the limit only once.
            if waiter.sent_at >= self._halved_at:
                self._limit = max(1.0, self._limit / 2)
                self._halved_at = now

    def _admit(self) -> None:
        while self._queue and self._in_flight < int(self._limit):
            self._in_flight += 1
            heapq.heappop(self._queue).admitted.set()
