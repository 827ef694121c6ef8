"""Nothing secret is shown or stored in clear: planted values are looked for everywhere.

Only the dynamic front end runs what is about the engine or a program, not about the provider:

- a traceback of a program
- an engine that logs everything, its own log, a policy pack, other settings, a trace
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import pytest

from upstash_emulator import Emulator, Fault

from ..support.front_ends import DYNAMIC, NATIVE, through
from ..support.policy_pack import write_pack
from ..support.programs import Code
from ..support.runs import Run
from ..support.stacks import Rotations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..support.front_ends import FrontEnd
    from ..support.stacks import StackFactory

both = through(DYNAMIC, soak=NATIVE)

API_KEY = "api-key-canary-d41d8cd98f"
TRIGGER = "trigger-canary-e99a18c428"
TO_STDERR = ("--logtostderr", "--logflow", "-v=8")
LOGGED = " ".join(TO_STDERR)


class Canaries:
    """Every secret that there ever was, and the places where none of them may be."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._known = {API_KEY, TRIGGER}

    def all(self) -> set[str]:
        """Return them, with those that the databases have by now."""
        for database in self._emulator.databases:
            for secret in (database.password, database.rest_token, database.read_only_rest_token):
                assert len(secret) > 16
                self._known |= {secret, quote(secret, safe="")}
        return self._known

    def assert_absent(self, text: str, place: str) -> None:
        found = [secret for secret in self.all() if secret in text]
        assert not found, f"{place} shows {found}"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(databases=0, api_key=API_KEY, reset_response="with_credentials") as emulator:
        yield emulator


@pytest.fixture
def rotations(emulator: Emulator, new_stack: StackFactory, front_end: FrontEnd) -> Rotations:
    """One rotation, `cache`, of an account whose API key is in the stack's config."""
    stack = new_stack(
        environment={**emulator.environment, "UPSTASH_API_KEY": None, "UPSTASH_EMAIL": None}
    )
    stack.set_config(f"{front_end.config}:email", emulator.email)
    stack.set_config(f"{front_end.config}:apiKey", API_KEY, secret=True)
    rotations = Rotations(stack, emulator, front_end=front_end)
    declare(rotations, "cache", 1)
    return rotations


@pytest.fixture
def canaries(rotations: Rotations) -> Canaries:
    canaries = Canaries(rotations.emulator)
    canaries.all()
    return canaries


def declare(rotations: Rotations, name: str, release: int) -> None:
    triggers = f"{{'who': pulumi.Output.secret({TRIGGER!r}), 'release': {release!r}}}"
    rotations.declare(name, triggers=Code(triggers), verify_timeout=1)
    rotations.write()


def commands(rotations: Rotations, canaries: Canaries, *lines: str) -> list[str]:
    """Run commands and return what they print; nothing of it may be secret."""
    printed = []
    for line in lines:
        yes = ("--yes", "--skip-preview") if line.split()[0] in {"up", "refresh", "destroy"} else ()
        printed.append(rotations.stack.on_stack(*line.split(), *yes, check=False))
        canaries.assert_absent(printed[-1], line)
    return printed


def assert_nothing_is_stored_in_clear(rotations: Rotations, canaries: Canaries) -> None:
    """The state, its backups and history; the program itself holds the trigger."""
    text = rotations.stack.stored_text()
    canaries.assert_absent(text, "the state")
    assert re.search(r'"ciphertext"|v1:', text), "nothing is encrypted there at all"


@both
def test_a_run_that_succeeds_shows_and_stores_no_secret(
    rotations: Rotations, canaries: Canaries, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rotations.stack.environment["UPSTASH_ROTATION_DEBUG"] = "1"
    cache = rotations.database("cache")
    commands(rotations, canaries, "preview --diff", f"up --diff {LOGGED}")
    assert cache.resets == 1
    declare(rotations, "cache", 2)
    # The documented response has no credentials: they are read.
    rotations.emulator.reset_response = "documented"
    commands(rotations, canaries, "preview --json --show-sames", "up --json")
    assert cache.resets == 2
    cache.reset_in_console()
    commands(rotations, canaries, f"refresh --diff {LOGGED}", "up --diff --show-sames --debug")
    commands(rotations, canaries, "stack", "stack output", "stack output --json", "config")
    commands(rotations, canaries, "stack export", "stack history --json")
    assert_nothing_is_stored_in_clear(rotations, canaries)
    commands(rotations, canaries, f"destroy --diff {LOGGED}")
    assert_nothing_is_stored_in_clear(rotations, canaries)
    canaries.assert_absent(caplog.text, "the emulator's log")


ERRORS = {
    **{f"status_{status}": Fault.status(status) for status in (400, 401, 403, 404, 500)},
    "redirect": Fault.status(302, body="<html>", content_type="text/html"),
    "closed": Fault.closed(applied=True),
    "cut_off": Fault.cut_off(),
    "garbage": Fault.garbage(),
    "null": Fault.body(None),
    "no_id": Fault.without("database_id"),
}


@both
def test_a_run_that_fails_shows_and_stores_no_secret(
    rotations: Rotations, canaries: Canaries
) -> None:
    rotations.stack.environment["UPSTASH_ROTATION_DEBUG"] = "1"
    for name in ERRORS:
        declare(rotations, name, 1)
        rotations.database(name).credential_protection = True
    (first,) = commands(rotations, canaries, "up")
    assert "error" not in first
    for name, fault in ERRORS.items():
        declare(rotations, name, 2)
        rotations.fault(name, fault, "reset", 3)
    (failed,) = commands(rotations, canaries, f"up --continue-on-error {LOGGED}")
    hit = {call.database_id for call in rotations.emulator.calls if call.fault != "none"}
    assert hit == {rotations.database(name).id for name in ERRORS}
    assert "error: update failed" in failed
    assert_nothing_is_stored_in_clear(rotations, canaries)
    rotations.emulator.clear()
    rotations.database("cache").take_offline()
    declare(rotations, "cache", -1)
    (unreachable,) = commands(rotations, canaries, "up")
    assert ": not verified: " in unreachable
    config = rotations.front_end.config
    rotations.stack.set_config(f"{config}:apiKey", f"{API_KEY} {API_KEY}", secret=True)
    commands(rotations, canaries, "preview")
    rotations.stack.set_config(f"{config}:apiUrl", f"https://me:{API_KEY}@upstash.invalid")
    commands(rotations, canaries, "preview")


@both
def test_a_process_that_rotates_has_no_secret_in_its_arguments(
    rotations: Rotations, canaries: Canaries
) -> None:
    rotations.fault("cache", Fault.delay(2, applied=True), "reset")
    run = Run(rotations.stack, "up", "--yes", "--skip-preview")
    assert run.wait_until(lambda: rotations.database("cache").resets == 1)
    with run.paused():
        processes = psutil.Process().children(recursive=True)
        arguments = [" ".join(each.cmdline()) for each in processes]
    assert any(rotations.front_end.process in each for each in arguments)
    for each in arguments:
        canaries.assert_absent(each, "a command line")
    code, text = run.wait()
    assert code == 0, text
    canaries.assert_absent(text, "up")


def test_a_program_that_fails_shows_no_secret_in_its_traceback(
    rotations: Rotations, canaries: Canaries
) -> None:
    rotations.tail = (
        "print(cache, vars(cache), cache.credentials)\ncache.password.apply(lambda _: 1 / 0)\n"
    )
    rotations.write()
    text = rotations.stack.up(check=False)
    assert "ZeroDivisionError" in text
    # The program's own text, which a traceback may quote, holds no more than a user wrote there.
    canaries.assert_absent(text.replace(TRIGGER, ""), "a traceback")


@pytest.mark.soak
def test_an_engine_that_logs_everything_reveals_the_password_as_documented(
    rotations: Rotations, tmp_path: Path
) -> None:
    log = tmp_path / "grpc.json"
    rotations.stack.environment["PULUMI_DEBUG_GRPC"] = str(log)
    text = rotations.up("--logtostderr", "--logflow", "-v=9")
    cache = rotations.database("cache")
    assert cache.password in text
    assert cache.password in log.read_text()
    cache.credential_protection = True
    rotations.fault("cache", Fault.closed(applied=True), "reset", 3)
    declare(rotations, "cache", 2)
    rotations.stack.environment |= {"GRPC_VERBOSITY": "DEBUG", "GRPC_TRACE": "all"}
    stored = cache.password
    assert stored in rotations.stack.up(check=False)


def test_the_engines_own_log_is_encrypted_and_reveals_secrets_as_documented(
    rotations: Rotations, canaries: Canaries
) -> None:
    rotations.up()
    log = max((rotations.stack.folder / "home" / "logs").glob("*+dev-*.log"))
    canaries.assert_absent(log.read_bytes().decode(errors="replace"), log.name)
    assert rotations.database("cache").password in rotations.stack.pulumi(
        "logs", "decrypt", str(log)
    )
    rotations.stack.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
    canaries.assert_absent(rotations.stack.pulumi("logs", "decrypt", str(log), check=False), "it")


def test_a_policy_pack_receives_secrets_as_documented_and_the_engine_shows_none(
    rotations: Rotations, canaries: Canaries, tmp_path: Path
) -> None:
    pack = tmp_path / "pack"
    rotations.stack.environment |= write_pack(pack)
    commands(rotations, canaries, f"up --policy-pack={pack}")
    received = (pack / "received").read_text()
    assert rotations.database("cache").password in received
    assert API_KEY in received


SILENT: dict[str, tuple[str, dict[str, str]]] = {
    "plan": ("preview --save-plan=FILE", {"PULUMI_EXPERIMENTAL": "true"}),
    "profiling": ("up --profiling=FILE", {}),
    "commands": ("up", {"PULUMI_DEBUG_COMMANDS": "true"}),
    "promises": ("up", {"PULUMI_DEBUG_PROMISE_LEAKS": "true"}),
    "grpc": ("up", {"GRPC_VERBOSITY": "DEBUG", "GRPC_TRACE": "all"}),
}


@pytest.mark.soak
def test_settings_that_reveal_nothing_as_documented(
    rotations: Rotations, canaries: Canaries, tmp_path: Path
) -> None:
    rotations.up()
    written = tmp_path / "written"
    written.mkdir()
    for number, (line, environment) in enumerate(SILENT.values(), 2):
        declare(rotations, "cache", number)
        rotations.stack.environment.update(environment)
        commands(rotations, canaries, line.replace("FILE", str(written / str(number))))
    files = [path for path in written.iterdir() if path.is_file()]
    assert {path.name[0] for path in files} == {"2", "3"}
    for path in files:
        canaries.assert_absent(path.read_bytes().decode(errors="replace"), path.name)


@pytest.mark.parametrize("option", ["--tracing=file:", "--otel-traces=file://"])
def test_a_trace_reveals_secrets_as_documented(
    rotations: Rotations, canaries: Canaries, tmp_path: Path, option: str
) -> None:
    trace = tmp_path / "trace"
    rotations.up(f"{option}{trace}")
    found = [secret for secret in canaries.all() if secret.encode() in trace.read_bytes()]
    assert found
