"""A run that is killed, interrupted or disturbed: the README's commands mend the stack."""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING

import pytest

from pulumi_stack import PulumiError, Stack
from upstash_emulator import EmulatedDatabase, Emulator, Fault

from .conftest import ROOT, write_program
from .runs import Ending, Run
from .test_faults import PROGRAM, assert_holds_the_live_password, database, declare, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import StackFactory

__all__ = ["database", "stack"]  # fixtures

UP = ("up", "--yes", "--skip-preview")
SLOW = Fault.delay(1.5)
SLOW_ANSWER = Fault.delay(1.5, applied=True)


def documented(situation: str) -> Iterator[list[str]]:
    """Yield the arguments of the commands that the README tells for a situation."""
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


def assert_recovered(
    stack: Stack, database: EmulatedDatabase, emulator: Emulator, *, resets: int
) -> None:
    """The live password is in the state, nothing is pending, and nothing is left to do."""
    assert_holds_the_live_password(stack, database, emulator)
    assert database.resets <= resets
    made = database.resets
    again = stack.up()
    assert "2 unchanged" in again
    assert "pending" not in again
    assert database.resets == made


def end_when(run: Run, ending: Ending, emulator: Emulator, database: EmulatedDatabase) -> None:
    """End a run when its slow reset was applied, or has arrived where it is applied late."""
    connections = emulator.connections
    assert run.wait_until(lambda: database.resets > 0 or emulator.connections > connections)
    time.sleep(0.3)
    assert run.end(ending)
    run.wait()


@pytest.mark.parametrize(
    ("ending", "fault", "situation"),
    [
        ("engine", SLOW, "a killed run"),
        ("engine", SLOW_ANSWER, "a killed run"),
        ("provider", SLOW_ANSWER, "a killed run"),
        ("both", SLOW_ANSWER, "a killed run"),
        ("interrupt", SLOW_ANSWER, "one Ctrl-C"),
        ("interrupt twice", SLOW_ANSWER, "two Ctrl-C"),
    ],
)
def test_an_update_that_was_ended(
    stack: Stack,
    database: EmulatedDatabase,
    upstash_emulator: Emulator,
    ending: Ending,
    fault: Fault,
    situation: str,
) -> None:
    declare(stack, database, a=1)
    stack.up()
    upstash_emulator.clear()
    upstash_emulator.fault(fault, operation="reset")
    declare(stack, database, a=2)
    end_when(Run(stack, *UP), ending, upstash_emulator, database)
    time.sleep(1)  # what was under way is carried out all the same
    recover(stack, situation)
    # One Ctrl-C lets the call finish and saves it; else the same rotation is made once more.
    allowed = 1 if ending == "interrupt" else 2
    assert_recovered(stack, database, upstash_emulator, resets=allowed)


def test_an_update_that_was_ended_and_reverted(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    declare(stack, database, a=1)
    stack.up()
    upstash_emulator.clear()
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    declare(stack, database, a=2)
    end_when(Run(stack, *UP), "engine", upstash_emulator, database)
    declare(stack, database, a=1)
    recover(stack, "a killed run")
    assert_recovered(stack, database, upstash_emulator, resets=1)


@pytest.mark.parametrize(
    ("ending", "situation"),
    [
        ("engine", "a killed run"),
        ("provider", "a killed run"),
        ("interrupt", "one Ctrl-C"),
        ("interrupt twice", "two Ctrl-C"),
    ],
)
def test_a_first_rotation_that_was_ended(
    stack: Stack,
    database: EmulatedDatabase,
    upstash_emulator: Emulator,
    ending: Ending,
    situation: str,
) -> None:
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    run = Run(stack, *UP)
    assert run.wait_until(lambda: database.resets == 1)
    assert run.end(ending)
    run.wait()
    recover(stack, situation)
    allowed = 1 if ending == "interrupt" else 2
    assert_recovered(stack, database, upstash_emulator, resets=allowed)


@pytest.mark.parametrize("ending", ["engine", "provider"])
def test_a_refresh_that_was_killed(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator, ending: Ending
) -> None:
    stack.up()
    database.reset_in_console()
    upstash_emulator.clear()
    upstash_emulator.fault(SLOW, operation="get")
    run = Run(stack, "refresh", "--yes", "--skip-preview")
    end_when(run, ending, upstash_emulator, database)
    recover(stack, "a killed run")
    assert_recovered(stack, database, upstash_emulator, resets=0)


@pytest.mark.parametrize("ending", ["engine", "provider"])
def test_a_destroy_that_was_killed(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator, ending: Ending
) -> None:
    write_program(
        stack.project,
        PROGRAM.format(id=database.id, triggers={}).replace(
            "triggers", "rotate_on_delete=True, triggers"
        ),
    )
    stack.up()
    last = database.password
    upstash_emulator.clear()
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    run = Run(stack, "destroy", "--yes", "--skip-preview")
    assert run.wait_until(lambda: database.resets == 1)
    assert run.end(ending)
    run.wait()
    recover(stack, "a killed destroy")
    assert stack.resources() == []
    assert database.resets == 1
    assert database.password != last


def test_a_state_that_could_not_be_written(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    declare(stack, database, a=1)
    stack.up()
    upstash_emulator.clear()
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    declare(stack, database, a=2)
    run = Run(stack, *UP)
    assert run.wait_until(lambda: database.resets == 1)
    (stacks,) = (stack.folder / "state").rglob("stacks")
    away = stacks.rename(stacks.with_name("away"))
    stacks.write_text("no folder, so that nothing can be written into it, even by root")
    code, text = run.wait()
    assert code
    assert "failed to save snapshot" in text
    assert database.password not in text
    stacks.unlink()
    away.rename(stacks)
    recover(stack, "could not be written")
    assert_recovered(stack, database, upstash_emulator, resets=2)


def test_a_second_run_on_the_same_stack_waits_for_its_turn(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    upstash_emulator.fault(Fault.delay(4), operation="reset")
    first = Run(stack, *UP)
    assert first.wait_until(lambda: upstash_emulator.connections > 0)
    with pytest.raises(PulumiError, match="the stack is currently locked"):
        stack.up()
    code, text = first.wait()
    assert code == 0, text
    assert_recovered(stack, database, upstash_emulator, resets=1)


def test_a_second_run_that_broke_the_lock_of_the_first(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    declare(stack, database, a=1)
    stack.up()
    upstash_emulator.clear()
    upstash_emulator.fault(Fault.delay(4, applied=True), operation="reset")
    declare(stack, database, a=2)
    first = Run(stack, *UP)
    assert first.wait_until(lambda: database.resets == 1)
    stack.on_stack("cancel", "--yes")
    stack.up()
    assert database.resets == 2
    first.wait()
    recover(stack, "two runs at once")
    assert_recovered(stack, database, upstash_emulator, resets=2)


def test_two_stacks_that_rotate_one_database_at_once(
    new_stack: StackFactory, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    both = [new_stack(PROGRAM.format(id=database.id, triggers={})) for _ in range(2)]
    runs = [Run(each, *UP) for each in both]
    for run in runs:
        code, text = run.wait()
        assert code == 0, text
    for each in both:
        recover(each, "two stacks")
        assert_recovered(each, database, upstash_emulator, resets=2)


def test_a_person_who_resets_before_the_new_password_is_read_back(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    run = Run(stack, *UP)
    assert run.wait_until(lambda: database.resets == 1)
    database.reset_in_console()
    code, text = run.wait()
    assert code == 0, text
    assert_recovered(stack, database, upstash_emulator, resets=2)


def test_a_person_who_resets_after_the_new_password_was_told(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    upstash_emulator.answer = "with_credentials"
    write_program(
        stack.project,
        PROGRAM.format(id=database.id, triggers={}).replace(
            "triggers", "verify_timeout=1, triggers"
        ),
    )
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    run = Run(stack, *UP)
    assert run.wait_until(lambda: database.resets == 1)
    database.reset_in_console()
    code, text = run.wait()
    assert code == 0, text
    assert "warning: Redis did not accept the new password within 1 s" in text
    assert "`pulumi refresh` adopts that" in text
    recover(stack, "a reset outside Pulumi")
    assert_recovered(stack, database, upstash_emulator, resets=2)


def test_a_killed_update_of_a_database_that_hides_its_password(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    database.credential_protection = True
    declare(stack, database, a=1)
    stack.up()
    upstash_emulator.clear()
    upstash_emulator.fault(SLOW_ANSWER, operation="reset")
    declare(stack, database, a=2)
    end_when(Run(stack, *UP), "engine", upstash_emulator, database)
    declare(stack, database, a=1)
    recover(stack, "a killed run")
    assert stack.outputs()["password"] != database.password  # nobody can know
    declare(stack, database, a=3)
    recover(stack, "the API hides the password")
    assert_recovered(stack, database, upstash_emulator, resets=2)
