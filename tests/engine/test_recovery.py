"""A run that is killed, interrupted or disturbed: the README's commands mend the stack.

One run has rotations in every situation, so that one blow hits all of them.
"""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pulumi_stack import PulumiError, Stack
from upstash_emulator import Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.front_ends import DYNAMIC, NATIVE, through
from ..support.programs import ROOT
from ..support.runs import Ending, Run, wait_for
from ..support.stacks import CREDENTIALS, Rotations, delete_empty_attributes, diagnostics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..support.stacks import StackFactory

pytestmark = through(DYNAMIC, soak=NATIVE)

YES = ("--yes", "--skip-preview")
LATE = Fault.delay(2)
"""The request is carried out after the run has ended."""
SLOW_RESPONSE = Fault.delay(3, applied=True)
"""The run hears of the reset late, at best."""
NO_RESPONSE = Fault.delay(10, applied=True)
"""The run is killed before it hears of the reset, however busy the machine is."""


def documented(situation: str) -> Iterator[list[str]]:
    """Yield the arguments of the commands that the README names for a situation."""
    (row,) = re.findall(
        rf"^\|[^|]*{re.escape(situation)}[^|]*\|(.*)\|$",
        (ROOT / "README.md").read_text(),
        re.MULTILINE,
    )
    commands = re.findall(r"`pulumi ([^`]+)`", row)
    assert commands, row
    yield from map(shlex.split, commands)


def recover(stack: Stack, situation: str) -> None:
    """Run the documented commands, answering their questions with yes."""
    for command, *flags in documented(situation):
        skip = () if command == "cancel" else ("--skip-preview",)
        stack.on_stack(command, *flags, "--yes", *skip)


def recover_all(rotations: Rotations, situation: str) -> None:
    """Run the documented commands on the program as it is declared now."""
    rotations.write()
    recover(rotations.stack, situation)
    rotations.forget_outputs()


def assert_recovered(rotations: Rotations, **most_resets: int) -> None:
    """The live passwords are in the state, and nothing is left to do."""
    assert_live(rotations, *most_resets)
    for name, most in most_resets.items():
        assert rotations.database(name).resets <= most, name
    assert_nothing_left_to_do(rotations)


def end_when(reached: Callable[[], bool], run: Run, ending: Ending) -> None:
    assert run.wait_until(reached)
    time.sleep(0.3)  # what has connected also sends its request
    assert run.end(ending)
    run.wait()


def update_that_is_ended(rotations: Rotations, ending: Ending, *changed: str) -> None:
    """End an update when every reset is in flight: the late one and all that are applied."""
    slow = NO_RESPONSE if ending in ("engine", "provider", "both") else SLOW_RESPONSE
    for name in (*changed, "late"):
        rotations.declare(name, triggers={"a": 1}, rotate_on_delete=name == "update")
    rotations.up()
    rotations.emulator.clear()
    for name in (*changed, "late"):
        rotations.declare(name, triggers={"a": 2}, rotate_on_delete=name == "update")
    rotations.declare("first")
    applied = (*changed, "first")
    for name in applied:
        rotations.fault(name, slow, "reset")
    rotations.fault("late", LATE, "reset")

    def all_in_flight() -> bool:
        # Each request in flight has a connection of its own.
        return all(rotations.database(name).resets for name in applied) and (
            rotations.emulator.connections > len(applied)
        )

    rotations.write()
    end_when(all_in_flight, Run(rotations.stack, "up", *YES), ending)
    # A request that was sent is carried out, whatever became of the run.
    wait_for(lambda: rotations.database("late").resets > 0, 10)


def refresh_that_is_ended(rotations: Rotations, ending: Ending) -> None:
    rotations.emulator.clear()
    rotations.database("update").reset_in_console()
    rotations.emulator.fault(LATE, operation="get", times=None)
    run = Run(rotations.stack, "refresh", *YES)
    end_when(lambda: rotations.emulator.connections > 0, run, ending)
    rotations.emulator.clear()
    recover_all(rotations, "a killed run")
    names = [name for name in rotations.resets() if name != "hidden"]
    assert_recovered(rotations, **dict.fromkeys(names, 0))


def destroy_that_is_ended(rotations: Rotations, ending: Ending) -> None:
    database = rotations.database("update")
    last = database.password
    rotations.emulator.clear()
    rotations.fault("update", NO_RESPONSE, "reset")
    end_when(lambda: database.resets == 1, Run(rotations.stack, "destroy", *YES), ending)
    recover(rotations.stack, "a killed destroy")
    assert rotations.stack.resources() == []
    assert rotations.emulator.resets == 1
    assert database.password != last


@pytest.mark.parametrize(
    "ending",
    [
        "engine",
        pytest.param("provider", marks=pytest.mark.soak),
        pytest.param("both", marks=pytest.mark.soak),
    ],
)
def test_a_killed_run_recovers_with_the_documented_commands(
    rotations: Rotations, ending: Ending
) -> None:
    rotations.database("hidden").credential_protection = True
    update_that_is_ended(rotations, ending, "update", "reverted", "hidden")
    for name in ("reverted", "hidden"):
        rotations.declare(name, triggers={"a": 1})
    recover_all(rotations, "a killed run")
    # Nobody can know a password that the API hides.
    assert rotations.out("hidden")["password"] != rotations.database("hidden").password
    rotations.declare("hidden", triggers={"a": 3})
    recover_all(rotations, "the API hides the password")
    assert_recovered(rotations, update=2, late=2, first=2, reverted=1, hidden=2)
    if ending != "both":
        refresh_that_is_ended(rotations, ending)
        destroy_that_is_ended(rotations, ending)


@pytest.mark.parametrize(
    ("ending", "situation", "most_resets"),
    [
        # One Ctrl-C lets the calls finish and saves what they did.
        ("interrupt", "one Ctrl-C", 1),
        pytest.param("interrupt twice", "two Ctrl-C", 2, marks=pytest.mark.soak),
    ],
)
def test_an_interrupted_update_recovers_with_the_documented_commands(
    rotations: Rotations, ending: Ending, situation: str, most_resets: int
) -> None:
    update_that_is_ended(rotations, ending, "update")
    recover_all(rotations, situation)
    assert_recovered(rotations, update=most_resets, late=most_resets, first=most_resets)


@pytest.mark.soak
def test_a_failed_write_of_the_state_recovers_with_the_documented_commands(
    rotations: Rotations,
) -> None:
    database = rotations.declare("cache", triggers={"a": 1})
    rotations.up()
    rotations.emulator.clear()
    rotations.fault("cache", SLOW_RESPONSE, "reset")
    rotations.declare("cache", triggers={"a": 2})
    rotations.write()
    run = Run(rotations.stack, "up", *YES)
    assert run.wait_until(lambda: database.resets == 1)
    with run.paused():
        (stacks,) = (rotations.stack.folder / "state").rglob("stacks")
        away = stacks.rename(stacks.with_name("away"))
        stacks.write_text("no folder, so that nothing can be written into it, even by root")
    code, text = run.wait()
    assert code
    assert "failed to save snapshot" in text
    assert database.password not in text
    stacks.unlink()
    away.rename(stacks)
    recover_all(rotations, "a failed write of the state")
    assert_recovered(rotations, cache=2)


def test_a_kill_that_leaves_an_empty_attrs_file_recovers_as_documented(
    rotations: Rotations,
) -> None:
    rotations.declare("cache")
    rotations.up()
    stack = rotations.stack
    stack.state_file.with_name(f"{stack.state_file.name}.attrs").write_bytes(b"")
    symptom = "failed to load checkpoint: EOF"
    with pytest.raises(PulumiError, match=symptom):
        stack.up()
    assert symptom in (ROOT / "docs" / "how-to" / "recover.md").read_text()
    assert delete_empty_attributes(stack)
    assert_recovered(rotations, cache=1)


@pytest.mark.soak
def test_a_second_run_is_rejected_unless_it_breaks_the_lock_and_then_the_stack_recovers(
    rotations: Rotations,
) -> None:
    database = rotations.declare("cache", triggers={"a": 1})
    rotations.write()
    rotations.fault("cache", SLOW_RESPONSE, "reset")
    first = Run(rotations.stack, "up", *YES)
    assert first.wait_until(lambda: database.resets == 1)
    with first.paused(), pytest.raises(PulumiError, match="the stack is currently locked"):
        rotations.up()
    code, text = first.wait()
    assert code == 0, text
    assert_recovered(rotations, cache=1)

    rotations.emulator.clear()
    rotations.fault("cache", SLOW_RESPONSE, "reset")
    rotations.declare("cache", triggers={"a": 2})
    rotations.write()
    first = Run(rotations.stack, "up", *YES)
    assert first.wait_until(lambda: database.resets == 1)
    with first.paused():
        rotations.stack.on_stack("cancel", "--yes")
        rotations.up()
        assert database.resets == 2
    first.wait()
    recover_all(rotations, "two runs at once")
    assert_recovered(rotations, cache=2)


@pytest.mark.soak
def test_two_stacks_that_rotate_one_database_at_once_recover_one_after_the_other(
    rotations: Rotations, new_stack: StackFactory
) -> None:
    other = Rotations(
        new_stack(),
        rotations.emulator,
        databases=rotations.databases,
        front_end=rotations.front_end,
    )
    both = (rotations, other)
    for each in both:
        each.declare("cache", verify_timeout=1)
        each.write()
    runs = [Run(each.stack, "up", *YES) for each in both]
    for run in runs:
        code, text = run.wait()
        assert code == 0, text
    for each in both:
        recover_all(each, "two stacks")
        assert_recovered(each, cache=2)


def test_a_reset_outside_pulumi_during_an_update_is_adopted_at_once_or_by_a_refresh(
    rotations: Rotations,
) -> None:
    rotations.emulator.reset_response = "with_credentials"
    shown, read = "shown", "read"
    rotations.declare(shown, verify_timeout=1)
    rotations.fault(shown, SLOW_RESPONSE, "reset")
    # A reset that does not show the password is followed by a read, which shows the latest one.
    rotations.declare(read)
    slow = SLOW_RESPONSE.delay_after_seconds
    fault = replace(Fault.without(*CREDENTIALS), delay_after_seconds=slow)
    rotations.fault(read, fault, "reset")
    rotations.write()
    run = Run(rotations.stack, "up", *YES)
    for name in (shown, read):
        database = rotations.database(name)
        assert run.wait_until(lambda database=database: database.resets == 1)
        database.reset_in_console()
    code, text = run.wait()
    assert code == 0, text
    told = "\n".join(diagnostics_of(text, shown))
    assert ": Redis did not accept the new password within 1 s" in told
    assert "`pulumi refresh` stores the live one" in told
    assert_live(rotations, read)
    recover_all(rotations, "a reset outside Pulumi")
    assert_recovered(rotations, shown=2, read=2)
