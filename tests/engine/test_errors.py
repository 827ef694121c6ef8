"""What a person sees when something is wrong: one line that can be acted on, and no traceback."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pulumi_stack import PulumiError, Stack
from upstash_emulator import Emulator, Fault

from .conftest import write_program

if TYPE_CHECKING:
    from .conftest import StackFactory

PROGRAM = """
RedisPasswordRotation("cache", database_id={id!r}, triggers={triggers!r})
"""
NO_ACCOUNT: dict[str, str | None] = {"UPSTASH_EMAIL": None, "UPSTASH_API_KEY": None}


def failure_of(stack: Stack, command: str) -> str:
    """Return the error lines of a command that has to fail, each once."""
    with pytest.raises(PulumiError) as raised:
        getattr(stack, command)()
    text = str(raised.value)
    assert "Traceback" not in text
    assert ".py" not in text
    _, _, diagnostics = text.partition("Diagnostics:")
    lines = [line.strip() for line in diagnostics.splitlines() if "error: " in line]
    ours = [line for line in lines if not re.match(r"error: (update|preview) failed$", line)]
    return "\n".join(dict.fromkeys(ours))


CHECKED = (
    "error: pulumi-python:dynamic/upstash:RedisPasswordRotation resource 'cache' has a problem: "
)


def test_missing_credentials_show_in_the_preview_with_both_ways_to_set_them(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(PROGRAM.format(id=database.id, triggers={}), environment=NO_ACCOUNT)
    assert failure_of(stack, "preview") == (
        f"{CHECKED}no Upstash credentials: set both on this stack with `pulumi config set "
        "upstash:email you@example.com` and `pulumi config set --secret upstash:apiKey`, or both "
        "in the environment as UPSTASH_EMAIL and UPSTASH_API_KEY"
    )
    stack.set_config("upstash:email", upstash_emulator.email)
    assert failure_of(stack, "up").startswith(
        f"{CHECKED}config upstash:apiKey is missing although config upstash:email is set"
    )
    stack.set_config("upstash:apiKey", upstash_emulator.api_key, secret=True)
    stack.up()
    assert database.resets == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "database_id='a/b'",
            "has a problem: database_id must be the id of an Upstash Redis database, such as "
            "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)",
        ),
        (
            "database_id='x', triggers=['x']",
            "has a problem: triggers must be a map from names to JSON values (numbers finite, "
            'integers at most 2^53), such as {"release": "2026-11"}',
        ),
    ],
)
def test_bad_arguments_show_in_the_preview(
    new_stack: StackFactory, arguments: str, expected: str
) -> None:
    stack = new_stack(f"RedisPasswordRotation('cache', {arguments})\n")
    assert expected in failure_of(stack, "preview")


def test_a_bad_argument_of_an_existing_rotation_is_one_line_too(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    text = "r = RedisPasswordRotation('cache', database_id={!r}{})\n{}"
    stack = new_stack(text.format(database.id, "", ""))
    stack.up()
    exports = "pulumi.export('next', r.next_rotation_at)\n"
    for argument in (", rotation_schedule='never'", ", rotation_days='7'"):
        write_program(stack.project, text.format(database.id, argument, exports))
        for command in ("preview", "up"):
            problem = failure_of(stack, command)
            assert problem.startswith(CHECKED + argument.strip(", ").partition("=")[0] + " must be")
    assert database.resets == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            Fault.status(403),
            "does not permit it with this API key (403); the password has not changed",
        ),
        (
            Fault.status(500),
            "failed (500); reading it back shows that the password has not changed",
        ),
    ],
)
def test_a_failed_reset_is_one_line_for_create_and_for_update(
    upstash_emulator: Emulator, new_stack: StackFactory, fault: Fault, expected: str
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(PROGRAM.format(id=database.id, triggers={}))
    line = (
        f"error: cannot reset the password of Redis database '{database.id}': "
        f"{upstash_emulator.url} {expected}"
    )
    upstash_emulator.fault(fault, operation="reset", times=None)
    assert failure_of(stack, "up") == line
    upstash_emulator.clear()
    stack.up()
    write_program(stack.project, PROGRAM.format(id=database.id, triggers={"a": "b"}))
    upstash_emulator.fault(fault, operation="reset", times=None)
    assert failure_of(stack, "up") == line


def test_what_takes_long_is_told_on_the_resources_row(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(PROGRAM.format(id=database.id, triggers={}))
    upstash_emulator.fault(Fault.status(429, retry_after=2), operation="reset")
    upstash_emulator.fault(Fault.closed(applied=True), operation="reset")
    upstash_emulator.fault(Fault.slow_propagation(3), operation="reset")
    database.credential_protection = True
    text = stack.up()
    _, _, told = text.partition("(cache):")
    what = f"cannot reset the password of Redis database '{database.id}': {upstash_emulator.url}"
    assert f"{what} is still limiting requests (429): try again later; trying again in " in told
    lost = "closed the connection before it had answered"
    assert f"{what} {lost}: the password is read back to see whether it has changed" in told
    assert "waiting up to 10 s for the database to accept the new credential" in told
    assert "warning" not in told
    assert database.resets == 2


def test_details_are_shown_on_demand(upstash_emulator: Emulator, new_stack: StackFactory) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(PROGRAM.format(id=database.id, triggers={}))
    stack.environment["UPSTASH_ROTATION_DEBUG"] = "1"
    text = stack.up()
    reset = f"POST /v2/redis/reset-password/{database.id}: 200 in "
    assert f"pulumi_upstash_rotation.transport: {reset}" in text
    assert "pulumi_upstash_rotation.verification: Redis accepts the new password" in text
    assert database.password not in text
    assert upstash_emulator.api_key not in text


def test_an_unknown_database_is_one_line(new_stack: StackFactory) -> None:
    stack = new_stack(PROGRAM.format(id="no-such-database", triggers={}))
    assert "knows no such database in this account (404); nothing has changed" in (
        failure_of(stack, "up")
    )


def test_an_id_that_is_unknown_until_the_update_can_be_previewed(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    one, two = upstash_emulator.databases[:2]
    three = upstash_emulator.add_database()
    stack = new_stack(
        f"first = RedisPasswordRotation('first', database_id={one.id!r})\n"
        f"second = RedisPasswordRotation('second', database_id={two.id!r},\n"
        "    triggers={'after': first.rotated_at, 'deep': [first.password]})\n"
        f"later = first.password.apply(lambda _: {three.id!r})\n"
        "third = RedisPasswordRotation('third', database_id=later)\n"
    )
    assert "+ 4 to create" in stack.preview()
    stack.up()
    assert (one.resets, two.resets, three.resets) == (1, 1, 1)
    assert stack.outputs() == {}
    stored = stack.stored_text()
    assert one.password not in stored
    assert two.password not in stored
