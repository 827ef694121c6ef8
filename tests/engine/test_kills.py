"""A run that is killed in the middle: the README's commands bring the live password back."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from upstash_emulator import EmulatedDatabase, Emulator, Fault

from .test_faults import assert_holds_the_live_password, database, declare, stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_stack import Stack

__all__ = ["database", "stack"]  # fixtures


def kill_during_up(stack: Stack, victim: str, reached: Callable[[], bool]) -> None:
    """Run `pulumi up`, kill -9 its engine or provider at a moment, and let nothing run on."""
    engine = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", stack.name],
        cwd=stack.project,
        env=stack.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not reached():
        assert engine.poll() is None, "ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    family = psutil.Process(engine.pid).children(recursive=True)
    if victim == "engine":
        engine.kill()
    else:
        providers = [each for each in family if "pulumi.dynamic" in " ".join(each.cmdline())]
        assert providers
        for provider in providers:
            provider.kill()
    engine.wait(60)
    # An orphaned provider finishes its call and then waits for ever.
    _, left = psutil.wait_procs(family, timeout=1)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)


@pytest.mark.parametrize("victim", ["engine", "provider"])
@pytest.mark.parametrize("applied", [False, True])
def test_a_killed_update_is_found_out_by_refresh_and_up(
    stack: Stack,
    database: EmulatedDatabase,
    upstash_emulator: Emulator,
    victim: str,
    applied: bool,
) -> None:
    declare(stack, database, a=1)
    stack.up()
    upstash_emulator.clear()
    upstash_emulator.fault(Fault.delay(3, applied=applied), operation="reset")
    arrived = (lambda: database.resets == 1) if applied else (lambda: _waits(upstash_emulator))
    declare(stack, database, a=2)
    kill_during_up(stack, victim, arrived)
    stack.on_stack("cancel", "--yes", check=False)
    stack.refresh()
    stack.up()
    assert_holds_the_live_password(stack, database, upstash_emulator)
    assert "2 unchanged" in stack.up()
    assert database.resets <= 2


@pytest.mark.parametrize("victim", ["engine", "provider"])
def test_a_killed_first_rotation_is_made_again(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator, victim: str
) -> None:
    upstash_emulator.fault(Fault.delay(3, applied=True), operation="reset")
    kill_during_up(stack, victim, lambda: database.resets == 1)
    stack.on_stack("cancel", "--yes", check=False)
    stack.refresh("--clear-pending-creates")
    stack.up()
    assert_holds_the_live_password(stack, database, upstash_emulator)
    assert database.resets == 2
    assert "pending" not in stack.up()


def _waits(emulator: Emulator) -> bool:
    """Whether a connection for the delayed reset has arrived."""
    return emulator.connections > 0
