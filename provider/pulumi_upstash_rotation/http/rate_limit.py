"""One limit for an account: how many requests may be in flight at once.

A 429 concerns the account, not one call. So it halves the limit, and every call waits as long as
the Retry-After header requires. Each attempt that ends otherwise raises the limit a little. This is
additive increase and multiplicative decrease, as in TCP.
"""

from __future__ import annotations

import heapq
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT_WAIT_SECONDS: Final = 600.0
"""How long a call waits for a rate limit in total, unless the user sets another time."""
LONGEST_WAIT_SECONDS: Final = 20.0
"""The limit calls `waiting` at least this often while a call waits."""


@dataclass(order=True)
class Waiter:
    """A call's place in the queue. A retry keeps it.

    Attributes:
        number: Smaller ones come first.
        limited_at: When the first 429 came that this call has to wait for, to itself or to another
            call of the account, by the limit's clock. None before that.
        sent_at: When the call was last admitted.
    """

    number: int
    limited_at: float | None = field(default=None, compare=False)
    sent_at: float = field(default=0.0, compare=False)
    rate_limited: bool = field(default=False, compare=False)
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
        self._calls: dict[int, Waiter] = {}
        self._numbers = 0
        self._halved_at = self._resume_at = clock()

    @contextmanager
    def waiter(self) -> Iterator[Waiter]:
        """Give a call a place at the end of the queue. It ends with the context."""
        with self._lock:
            self._numbers += 1
            now = self._clock()
            limited_at = now if now < self._resume_at else None
            waiter = self._calls[self._numbers] = Waiter(self._numbers, limited_at)
        try:
            yield waiter
        finally:
            with self._lock:
                del self._calls[waiter.number]

    @contextmanager
    def acquire(
        self, waiter: Waiter, waiting: Callable[[float], object] = lambda _pause: None
    ) -> Iterator[None]:
        """Wait until the waiter is admitted. It is in flight while the context lasts.

        Args:
            waiter: The call's place.
            waiting: Called before each wait, and at least each `LONGEST_WAIT_SECONDS` during it,
                with the seconds until the account's pause ends. Zero means that other calls are in
                flight. An exception of it ends the wait, and leaves here.
        """
        try:
            self._enter(waiter, waiting)
            waiter.sent_at = self._clock()
            yield
        finally:
            with self._lock:
                if waiter.admitted.is_set() and not waiter.rate_limited:
                    self._limit = min(self._most, self._limit + 1 / self._limit)
                waiter.rate_limited = False
                self._leave(waiter)

    def on_rate_limited(self, waiter: Waiter, seconds: float) -> None:
        """Make every call wait, and halve the limit.

        Call it while the waiter is still in flight. Otherwise the next call is admitted before.

        Args:
            waiter: The call that got the 429.
            seconds: How long to wait.
        """
        now = self._clock()
        with self._lock:
            waiter.rate_limited = True
            self._resume_at = max(self._resume_at, now + seconds)
            for call in self._calls.values():
                if call.limited_at is None:
                    call.limited_at = now
            # Requests in flight at the same time may all get a 429. They halve the limit only once.
            if waiter.sent_at >= self._halved_at:
                self._limit = max(1.0, self._limit / 2)
                self._halved_at = now

    def _enter(self, waiter: Waiter, waiting: Callable[[float], object]) -> None:
        while True:
            while (pause := self._resume_at - self._clock()) > 0:
                waiting(pause)
                self._sleep(min(pause, LONGEST_WAIT_SECONDS))
            with self._lock:
                heapq.heappush(self._queue, waiter)
                self._admit()
            while not waiter.admitted.is_set():
                waiting(0.0)
                waiter.admitted.wait(LONGEST_WAIT_SECONDS)
            if self._clock() >= self._resume_at:
                return
            # A 429 came meanwhile. A call that waits for its end must not hold a place in flight.
            with self._lock:
                self._leave(waiter)

    def _leave(self, waiter: Waiter) -> None:
        if waiter.admitted.is_set():
            waiter.admitted.clear()
            self._in_flight -= 1
        elif waiter in self._queue:
            self._queue.remove(waiter)
            heapq.heapify(self._queue)
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._in_flight < int(self._limit):
            self._in_flight += 1
            heapq.heappop(self._queue).admitted.set()
