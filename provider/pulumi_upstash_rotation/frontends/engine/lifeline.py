"""The end of this process together with the engine that started it.

The engine ends a provider when a run ends. If the engine is killed, the provider lives on. It could
then reset a password after the refresh that was to recover the stack. The engine is not the parent:
a shell stands between them. So this module watches the engine's own address.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.1
"""Pause before another connection. The engine closes one that sends nothing after two minutes."""
REFUSALS: Final = 3
"""Refused connections in succession that prove the engine's end. A system may refuse one while the
engine is busy."""


def end_with_engine(address: str, end: Callable[[], object] = lambda: os._exit(1)) -> bool:
    """End this process as soon as the engine is gone, also in the middle of a call.

    One idle connection shows the engine's end at once. An engine that is slow or suspended keeps it
    open. If the connection ends, refused new ones are the proof that nobody listens any more.

    Args:
        address: The engine's address, `HOST:PORT`.
        end: Ends the process.

    Returns:
        Whether the engine is watched. False if the address leads nowhere, or no thread can start.
    """
    try:
        connection = _connect(address)
    except (OSError, ValueError, OverflowError):
        return False
    watch = threading.Thread(target=_watch, args=(address, connection, end), daemon=True)
    try:
        watch.start()
    except RuntimeError:
        connection.close()
        return False
    return True


def _connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS)
    connection.settimeout(None)
    return connection


def _watch(address: str, connection: socket.socket, end: Callable[[], object]) -> None:
    refused = 0
    while refused < REFUSALS:
        with connection, contextlib.suppress(OSError):
            while connection.recv(1 << 10):
                pass  # a greeting of HTTP/2
        time.sleep(PAUSE_SECONDS)
        try:
            connection = _connect(address)
            refused = 0
        except ConnectionRefusedError:
            refused += 1
        except OSError:  # for example, it did not accept in time
            pass
    end()
