"""A pool of threads for a machine that may refuse to start one more."""

from __future__ import annotations

import contextlib
import queue
from concurrent.futures import ThreadPoolExecutor


class PatientPool(ThreadPoolExecutor):
    """A pool in which a call waits for a free thread if no more threads can start.

    Limits of processes and of memory bound the threads of a process ("can't start new thread").
    Python's own pool raises at such a limit, although it has queued the call. The server then loses
    the call.
    """

    @classmethod
    def started(cls, calls: int) -> PatientPool:
        """Return a pool in which one thread runs already.

        Args:
            calls: Maximum number of threads.

        Raises:
            RuntimeError: No thread can start.
        """
        pool = cls(calls)
        pool.submit(int).result()
        return pool

    def take_over(self, pool: ThreadPoolExecutor) -> None:
        """Serve the calls that wait in another pool. That one then only ends what it has begun."""
        waiting = pool._work_queue  # noqa: SLF001  no public way to reach them
        with contextlib.suppress(queue.Empty):
            while True:
                self._work_queue.put(waiting.get_nowait())
                self._adjust_thread_count()

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except (RuntimeError, MemoryError):
            if not self._threads:
                raise
