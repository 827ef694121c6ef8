"""How many requests may be under way at once: one limit for the whole process.

A 429 is about the account, not about one call. So it halves what is allowed, and holds up everybody
for as long as the API asks; each answer that is not a 429 allows a little more again (additive
increase, multiplicative decrease, as TCP does).
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
class Ticket:
    """A call's place in the queue, kept when it has to be made again.

    Attributes:
        number: Smaller ones come first.
        began_at: When the call was first let through, by the throttle's clock; None before.
        sent_at: When it was last let through.
    """

    number: int
    began_at: float | None = field(default=None, compare=False)
    sent_at: float = field(default=0.0, compare=False)
    called: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)


class Throttle:
    """Lets requests through, oldest call first; safe to share between threads.

    Args:
        most: How many may be under way at once.
        clock: The time in seconds, from any start.
        sleep: Waits, in seconds.
    """

    def __init__(
        self, most: int, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Allow all of them."""
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._allowed = float(most)
        self._under_way = 0
        self._queue: list[Ticket] = []
        self._tickets = 0
        self._halved_at = self._resume_at = clock()

    def ticket(self) -> Ticket:
        """Return a place at the end of the queue."""
        with self._lock:
            self._tickets += 1
            return Ticket(self._tickets)

    @contextmanager
    def turn(self, ticket: Ticket) -> Iterator[None]:
        """Wait for a ticket's turn, and be under way for as long as the context lasts."""
        with self._lock:
            heapq.heappush(self._queue, ticket)
            self._admit()
        ticket.called.wait()
        ticket.called.clear()
        try:
            while (pause := self._resume_at - self._clock()) > 0:
                self._sleep(pause)
            ticket.sent_at = self._clock()
            if ticket.began_at is None:
                ticket.began_at = ticket.sent_at
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._allowed = min(self._most, self._allowed + 1 / self._allowed)
                self._admit()

    def slow_down(self, ticket: Ticket, seconds: float) -> None:
        """Heed a 429: hold everybody up, and allow half as many from now on.

        Args:
            ticket: Of the call that was limited.
            seconds: How long to hold up.
        """
        now = self._clock()
        with self._lock:
            self._resume_at = max(self._resume_at, now + seconds)
            # Requests that were under way together are limited together: that is one reason.
            if ticket.sent_at >= self._halved_at:
                self._allowed = max(1.0, self._allowed / 2)
                self._halved_at = now

    def _admit(self) -> None:
        while self._queue and self._under_way < int(self._allowed):
            self._under_way += 1
            heapq.heappop(self._queue).called.set()
