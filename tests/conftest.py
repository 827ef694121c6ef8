"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let programs that tests start be interrupted, even if a shell runs the tests in background.

    There SIGINT is ignored, and every program inherits that: the engine, which ends its language
    host by SIGINT, would then wait for five seconds at the end of every command.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
