"""Work in a thread of its own, because some waits have no time limit.

`threading.Thread.start()` is one of them. It waits for a sign of the new thread, which may have
died because memory ran out.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def start(work: Callable[[], object]) -> Callable[[float], bool]:
    """Call a function in a thread that does not keep the process alive.

    Args:
        work: The function. Its result and its exceptions are dropped.

    Returns:
        A function that waits for the end, at most for some seconds. It returns whether it has come.

    Raises:
        RuntimeError: No thread can start.
        MemoryError: There is no memory for a thread.
    """
    ended = threading.Event()

    def run() -> None:
        with contextlib.suppress(BaseException):
            work()
        ended.set()

    _thread.start_new_thread(run, ())
    return ended.wait
