"""No fault loses a password: what breaks, and what the stack holds in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulumi_stack import PulumiError, Stack
from upstash_emulator import EmulatedDatabase, Emulator, Fault

from .conftest import write_program
from .test_errors import failure_of
from .test_rotation import accepts

if TYPE_CHECKING:
    from .conftest import StackFactory

PROGRAM = """
rotation = RedisPasswordRotation("cache", database_id={id!r}, triggers={triggers!r})
for name in ("password", "rotation_count", "rotation_cause"):
    pulumi.export(name, getattr(rotation, name))
"""

LOST = [
    Fault.closed(applied=True),
    Fault.status(500, applied=True),
    Fault.status(502, applied=True, body="<html>bad gateway</html>", content_type="text/html"),
    Fault.cut_off(),
    Fault.garbage(),
    Fault.garbage(b""),
    Fault.body(None),
    Fault.body({}),
    Fault.without("database_id"),
]
NOT_MADE = [Fault.closed(), Fault.status(500), Fault.status(503)]


def declare(stack: Stack, database: EmulatedDatabase, **triggers: object) -> None:
    write_program(stack.project, PROGRAM.format(id=database.id, triggers=triggers))


@pytest.fixture
def database(upstash_emulator: Emulator) -> EmulatedDatabase:
    return upstash_emulator.databases[0]


@pytest.fixture
def stack(new_stack: StackFactory, database: EmulatedDatabase) -> Stack:
    stack = new_stack("")
    declare(stack, database)
    return stack


def assert_holds_the_live_password(
    stack: Stack, database: EmulatedDatabase, emulator: Emulator
) -> None:
    password = stack.outputs()["password"]
    assert password == database.password
    assert accepts(database, password, emulator)


def test_a_lost_answer_is_read_back_and_makes_no_second_reset(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    for number, fault in enumerate(LOST, start=1):
        upstash_emulator.fault(fault, operation="reset")
        declare(stack, database, number=number)
        stack.up()
        assert database.resets == number, fault
        assert stack.outputs()["rotation_count"] == number
        assert_holds_the_live_password(stack, database, upstash_emulator)


def test_a_reset_that_did_not_take_place_is_made_again(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    for number, fault in enumerate(NOT_MADE, start=1):
        upstash_emulator.fault(fault, operation="reset")
        declare(stack, database, number=number)
        stack.up()
        assert database.resets == number, fault
        assert_holds_the_live_password(stack, database, upstash_emulator)


def test_a_lost_answer_of_a_protected_database_is_reset_once_more(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    database.credential_protection = True
    upstash_emulator.fault(Fault.closed(applied=True), operation="reset")
    stack.up()
    assert database.resets == 2
    assert_holds_the_live_password(stack, database, upstash_emulator)


MAY_HAVE = "the password may have changed: run `pulumi up` again, which finds out or resets it"


def assert_fails_with(text: str, stack: Stack) -> None:
    with pytest.raises(PulumiError) as raised:
        stack.up()
    assert text in str(raised.value)
    assert "Traceback" not in str(raised.value)


def lose_the_outcome(emulator: Emulator) -> None:
    """Let resets be applied and their answers lost, and no read tell the password."""
    emulator.fault(Fault.closed(applied=True), operation="reset", times=None)
    emulator.show_credentials_on_get = False


def recover(emulator: Emulator) -> None:
    emulator.clear()
    emulator.show_credentials_on_get = True


def test_an_unknown_first_rotation_is_remembered_and_settled(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    lose_the_outcome(upstash_emulator)
    before = database.password
    assert_fails_with(MAY_HAVE, stack)
    assert before not in stack.stored_text()
    assert database.password not in stack.stored_text()
    recover(upstash_emulator)
    stack.up()
    assert_holds_the_live_password(stack, database, upstash_emulator)
    outputs = stack.outputs()
    assert (outputs["rotation_cause"], outputs["rotation_count"]) == ("create", 1)
    assert "2 unchanged" in stack.up()


@pytest.mark.parametrize("reverted", [False, True])
@pytest.mark.parametrize("command", ["up", "refresh"])
def test_an_unknown_rotation_is_settled_by_the_next_run_even_if_the_program_was_reverted(
    stack: Stack,
    database: EmulatedDatabase,
    upstash_emulator: Emulator,
    reverted: bool,
    command: str,
) -> None:
    declare(stack, database, a=1)
    stack.up()
    before = database.password
    lose_the_outcome(upstash_emulator)
    declare(stack, database, a=2)
    assert_fails_with(MAY_HAVE, stack)
    assert before not in stack.stored_text()
    assert database.password not in stack.stored_text()
    recover(upstash_emulator)
    declare(stack, database, a=1 if reverted else 2)
    if command == "refresh":
        stack.refresh()
    else:
        assert "that is found out now" in stack.preview()
    stack.up()
    assert_holds_the_live_password(stack, database, upstash_emulator)
    assert stack.outputs()["rotation_cause"] == "trigger: a"
    # Program and database differ again where it was reverted, and that is a declared change.
    expected = 1 if reverted else 0
    assert database.resets == expected
    assert "2 unchanged" in stack.up()
    assert database.resets == expected


def test_an_unknown_rotation_that_cannot_be_read_is_made_again(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    declare(stack, database, a=1)
    stack.up()
    database.credential_protection = True
    lose_the_outcome(upstash_emulator)
    declare(stack, database, a=2)
    assert_fails_with(MAY_HAVE, stack)
    upstash_emulator.clear()
    declare(stack, database, a=1)
    stack.up()
    assert database.resets == 1
    assert_holds_the_live_password(stack, database, upstash_emulator)


def test_a_suspended_database_is_one_clear_line(stack: Stack, database: EmulatedDatabase) -> None:
    database.suspend()
    assert failure_of(stack, "up") == (
        f"error: Redis database '{database.id}' is suspended and can't be reset; nothing has "
        "changed: resume it in the Upstash console first"
    )
    assert database.resets == 0
    database.resume()
    stack.up()
    assert database.resets == 1


def test_a_failed_first_read_resets_nothing(
    stack: Stack, database: EmulatedDatabase, upstash_emulator: Emulator
) -> None:
    upstash_emulator.fault(Fault.status(403), operation="get")
    with pytest.raises(PulumiError, match=r"does not permit it .* nothing has changed"):
        stack.up()
    assert database.resets == 0
