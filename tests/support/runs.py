"""A pulumi command that runs in the background, to be killed or interrupted in the middle."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import psutil

from .front_ends import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pulumi_stack import Stack

Ending = Literal["engine", "provider", "both", "interrupt", "interrupt twice"]
"""What is killed with SIGKILL, or how often Ctrl-C is pressed."""

ORPHAN_SECONDS = 1.0
"""How long a provider may live on without its engine."""


class Run:
    """One pulumi command on a stack."""

    def __init__(
        self,
        stack: Stack,
        *command: str,
        through: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            stack: The stack.
            command: The command's name and arguments.
            through: A program and its arguments that replaces itself with the command.
            environment: Variables for this command alone.
        """
        self._output = (stack.folder / "run.log").open("w+b")
        pulumi = ["pulumi", *command, "--non-interactive", "--color=never", "--stack", stack.name]
        self._process = subprocess.Popen(
            [*through, *pulumi],
            cwd=stack.project,
            env={**stack.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, reached: Callable[[], bool], seconds: float = 60) -> bool:
        """Wait for a moment; say whether it came while the command was running."""
        deadline = time.monotonic() + seconds
        while self.running():
            if reached():
                return True
            assert time.monotonic() < deadline, "never came so far"
            time.sleep(0.01)
        return False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the engine stand still: nothing that a test does meanwhile can be too slow."""
        engine = psutil.Process(self._process.pid)
        engine.suspend()
        try:
            yield
        finally:
            engine.resume()

    def end(self, ending: Ending) -> bool:
        """Kill or interrupt the command, and let nothing of it run on; say if it was hit."""
        family = self._family()
        providers = self.providers()
        victims = {"engine": [self._process], "provider": providers}.get(ending, [])
        victims = [self._process, *providers] if ending == "both" else victims
        hit = self.running() and (bool(victims) or ending.startswith("interrupt"))
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        if ending.startswith("interrupt"):
            self._interrupt()
        if ending == "interrupt twice":
            time.sleep(0.3)
            self._interrupt()
        self._process.wait(120)
        self._bury(family)
        return hit

    def wait(self) -> tuple[int, str]:
        """Return the exit code and all that was printed.

        Raises:
            subprocess.TimeoutExpired: It did not end, and was killed.
        """
        try:
            code = self._process.wait(300)
        except subprocess.TimeoutExpired:
            self.end("both")
            raise
        self._output.seek(0)
        text = self._output.read().decode(errors="replace")
        self._output.close()
        return code, text

    def kill_engine(self) -> None:
        """Kill the engine alone, and leave everything else that runs."""
        self._process.kill()

    def interrupt(self) -> None:
        """Press Ctrl-C once."""
        self._interrupt()

    def providers(self) -> list[psutil.Process]:
        """Return the providers' processes."""
        return [each for each in self._family() if _is_provider(each)]

    def _family(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []

    def _interrupt(self) -> None:
        if self.running():
            self._process.send_signal(signal.SIGINT)

    @staticmethod
    def _bury(family: list[psutil.Process]) -> None:
        _, left = psutil.wait_procs(family, timeout=ORPHAN_SECONDS)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=10)


def wait_for(reached: Callable[[], bool], seconds: float) -> bool:
    """Wait for something that may come; say whether it came."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_provider(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return any(each.process in line for each in BOTH)
    return False
