"""Nothing secret is shown or stored in clear: planted values are looked for everywhere."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import pytest

from upstash_emulator import Emulator, Fault

from .conftest import write_program
from .runs import Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulumi_stack import Stack

    from .conftest import StackFactory

API_KEY = "api-key-canary-d41d8cd98f"
TRIGGER = "trigger-canary-e99a18c428"

PROGRAM = """
rotation = RedisPasswordRotation(
    "cache",
    database_id={id!r},
    triggers={{"who": pulumi.Output.secret({trigger!r}), "release": {release!r}}},
    verify_timeout=1,
)
for name, value in (rotation.attributes | rotation.credentials).items():
    pulumi.export(name, value)
"""
TO_STDERR = ("--logtostderr", "--logflow", "-v=8")


class Canaries:
    """Every secret that there ever was, and the places where none of them may be."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._known = {API_KEY, TRIGGER}

    def all(self) -> set[str]:
        """Return them, with those that the databases have by now."""
        for database in self._emulator.databases:
            for secret in (database.password, database.rest_token, database.read_only_rest_token):
                self._known |= {secret, quote(secret, safe="")}
        return self._known

    def assert_absent(self, text: str, place: str) -> None:
        found = [secret for secret in self.all() if secret in text]
        assert not found, f"{place} shows {found}"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(databases=2, api_key=API_KEY, answer="with_credentials") as emulator:
        yield emulator


@pytest.fixture
def canaries(emulator: Emulator) -> Canaries:
    canaries = Canaries(emulator)
    canaries.all()
    return canaries


@pytest.fixture
def stack(emulator: Emulator, new_stack: StackFactory) -> Stack:
    stack = new_stack("", environment={**emulator.environment, "UPSTASH_API_KEY": None})
    stack.environment["UPSTASH_EMAIL"] = None
    stack.set_config("upstash:email", emulator.email)
    stack.set_config("upstash:apiKey", API_KEY, secret=True)
    declare(stack, emulator, 1)
    return stack


def declare(stack: Stack, emulator: Emulator, release: int) -> None:
    text = PROGRAM.format(id=emulator.databases[0].id, trigger=TRIGGER, release=release)
    write_program(stack.project, text)


def commands(stack: Stack, canaries: Canaries, *lines: str) -> None:
    """Run commands; nothing that they print may be secret."""
    for line in lines:
        yes = ("--yes", "--skip-preview") if line.split()[0] in {"up", "refresh", "destroy"} else ()
        canaries.assert_absent(stack.on_stack(*line.split(), *yes, check=False), line)


def assert_nothing_is_stored_in_clear(stack: Stack, canaries: Canaries) -> None:
    """The state, its backups and history; the program itself holds the trigger."""
    text = stack.stored_text()
    canaries.assert_absent(text, "the state")
    assert re.search(r'"ciphertext"|v1:', text), "nothing is encrypted there at all"


def test_successful_runs_show_nothing(
    stack: Stack,
    emulator: Emulator,
    canaries: Canaries,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    stack.environment["UPSTASH_ROTATION_DEBUG"] = "1"
    logged = " ".join(TO_STDERR)
    commands(stack, canaries, "preview --diff", "preview --json", f"up {logged}")
    assert emulator.databases[0].resets == 1
    declare(stack, emulator, 2)
    commands(stack, canaries, "preview --diff --show-sames", "up --diff --json")
    assert emulator.databases[0].resets == 2
    emulator.databases[0].reset_in_console()
    commands(stack, canaries, "refresh --diff", f"refresh {logged}", "up", "stack", "stack output")
    commands(
        stack, canaries, "stack export", "stack history --json", "config", "stack output --json"
    )
    assert_nothing_is_stored_in_clear(stack, canaries)
    commands(stack, canaries, f"destroy {logged}")
    canaries.assert_absent(caplog.text, "the emulator's log")


ERRORS = [
    *(Fault.status(status) for status in (400, 401, 403, 404, 500)),
    Fault.status(302, body="<html>", content_type="text/html"),
    Fault.closed(applied=True),
    Fault.cut_off(),
    Fault.garbage(),
    Fault.body(None),
    Fault.without("database_id"),
]


def test_failing_runs_show_nothing(stack: Stack, emulator: Emulator, canaries: Canaries) -> None:
    stack.environment["UPSTASH_ROTATION_DEBUG"] = "1"
    emulator.databases[0].credential_protection = True
    for release, fault in enumerate(ERRORS):
        emulator.fault(fault, operation="reset", times=3)
        declare(stack, emulator, release)
        commands(stack, canaries, " ".join(("up", *TO_STDERR)))
    assert_nothing_is_stored_in_clear(stack, canaries)
    emulator.clear()
    commands(stack, canaries, "up")
    emulator.databases[0].take_offline()
    declare(stack, emulator, -1)
    commands(stack, canaries, "up")
    stack.set_config("upstash:apiKey", f"{API_KEY} {API_KEY}", secret=True)
    commands(stack, canaries, "preview")
    stack.set_config("upstash:apiUrl", f"https://me:{API_KEY}@upstash.invalid")
    commands(stack, canaries, "preview")


def test_no_process_has_a_secret_in_its_arguments(
    stack: Stack, emulator: Emulator, canaries: Canaries
) -> None:
    emulator.fault(Fault.delay(1, applied=True), operation="reset")
    run = Run(stack, "up", "--yes", "--skip-preview")
    assert run.wait_until(lambda: emulator.databases[0].resets == 1)
    processes = psutil.Process().children(recursive=True)
    arguments = [" ".join(each.cmdline()) for each in processes]
    assert any("pulumi.dynamic" in each for each in arguments)
    for each in arguments:
        canaries.assert_absent(each, "a command line")
    code, text = run.wait()
    assert code == 0, text
    canaries.assert_absent(text, "up")


def test_a_traceback_of_the_program_shows_nothing(
    stack: Stack, emulator: Emulator, canaries: Canaries
) -> None:
    write_program(
        stack.project,
        PROGRAM.format(id=emulator.databases[0].id, trigger=TRIGGER, release=1)
        + "print(rotation, vars(rotation), rotation.credentials)\n"
        + "rotation.password.apply(lambda _: 1 / 0)\n",
    )
    text = stack.up(check=False)
    assert "ZeroDivisionError" in text
    # The program's own text, which a traceback may quote, holds no more than a person wrote there.
    canaries.assert_absent(text.replace(TRIGGER, ""), "a traceback")


@pytest.mark.parametrize("way", ["-v=9", "PULUMI_DEBUG_GRPC"])
def test_what_the_engine_itself_reveals_is_as_documented(
    stack: Stack, emulator: Emulator, tmp_path: Path, way: str
) -> None:
    if way == "-v=9":
        text = stack.up("--logtostderr", "--logflow", way)
    else:
        stack.environment[way] = str(tmp_path / "grpc.json")
        stack.up()
        text = (tmp_path / "grpc.json").read_text()
    assert emulator.databases[0].password in text
