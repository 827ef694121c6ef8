"""What only the front end can spoil: outputs, descriptors, threads, and a provider without engine.

A call that has reset a password ends with the live password in the state, however little the
machine has left and whatever the API returned.

Only the dynamic front end has these. A native plugin does not import from the project's folder:

- a file that hides a library
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_stack import PulumiError, Stack
from upstash_emulator import Emulator, Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.front_ends import BOTH, DYNAMIC, NATIVE, through
from ..support.messages import MAY_HAVE_CHANGED
from ..support.programs import rotation
from ..support.runs import Run, wait_for
from ..support.stacks import CREDENTIALS, diagnostics_of, errors_of

if TYPE_CHECKING:
    from pathlib import Path

    from ..support.stacks import Rotations, StackFactory

both = through(DYNAMIC, soak=NATIVE)

SENTINELS = {
    "string": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "bool": "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "number": "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "array": "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "asset": "030794c1-ac77-496b-92df-f27374a8bd58",
    "archive": "e48ece36-62e2-4504-bad9-02848725956a",
    "object": "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}
"""What the engine takes for a value that is not known yet."""

SIGNATURE = "4dabf18193072939515e22adb298388d"


def also(**fields: Any) -> Fault:
    """Return a fault that adds fields to the response."""

    def reshape(response: Any) -> Any:
        text = json.dumps({**json.loads(response.body), **fields})
        return replace(response, body=text.encode())

    return Fault("also", reshape=reshape)


def nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = {"a": value}
    return value


ODD = {
    "signature": {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270"},
    "unknown_signature": {SIGNATURE: "no such signature"},
    "nesting": nested(400),
    "size": "x" * (7 << 20),
    "surrogate": "\ud800",
}


@both
def test_response_that_pulumi_cannot_store_does_not_lose_the_password(
    rotations: Rotations,
) -> None:
    for name, text in SENTINELS.items():
        rotations.databases[name] = rotations.emulator.add_database(text)
        rotations.declare(name)
    for name, value in ODD.items():
        rotations.declare(name)
        for operation in ("reset", "get"):
            rotations.fault(name, also(odd=value), operation, None)
    shown = rotations.up("--parallel", "12")
    line = "warning: Pulumi cannot store these outputs, so they are left out or cut: "
    told = rotations.front_end.text(f"{line}database_name")
    for name in SENTINELS:
        assert told in "\n".join(diagnostics_of(shown, name)), name
    assert_live(rotations, *SENTINELS, *ODD)
    assert_nothing_left_to_do(rotations)
    rotations.refresh()
    assert_nothing_left_to_do(rotations)
    assert set(rotations.resets().values()) == {1}


@both
def test_large_pending_rotation_does_not_take_other_resources_down(rotations: Rotations) -> None:
    names = [f"other{number}" for number in range(6)]
    for name in names:
        rotations.declare(name, triggers={"a": "x" * 50_000})
        rotations.fault(name, Fault.delay(2, applied=True), "reset")
    rotations.declare("lost", triggers={"a": "x" * 50_000})
    rotations.fault("lost", also(odd="x" * (5 << 20)), "get", 1)
    rotations.fault("lost", Fault.closed(applied=True), "reset", None)
    rotations.fault("lost", Fault.without(*CREDENTIALS), "get", None)
    shown = rotations.failing_up("--parallel", "8")
    assert MAY_HAVE_CHANGED in "\n".join(diagnostics_of(shown, "lost"))
    assert "error reading from server" not in shown
    assert_live(rotations, *names)
    rotations.emulator.clear()
    preview = rotations.preview()
    assert "is unknown. `pulumi up` will check" in "\n".join(diagnostics_of(preview, "lost"))
    rotations.up()
    assert_live(rotations, "lost", *names)
    assert_nothing_left_to_do(rotations)


@both
def test_triggers_that_no_state_could_hold_are_an_error_in_the_preview(
    rotations: Rotations,
) -> None:
    for triggers in ({"a": "x" * (1 << 20)}, {"a": [0] * 20_000}, nested(40)):
        rotations.declare("cache", triggers=triggers)
        rotations.write()
        assert "has a problem: triggers must be " in errors_of(rotations.stack, "preview")
    assert rotations.emulator.calls == []


# --- a machine that has little left ---

FLEET = """
import json, os
for number, id_ in enumerate(json.loads(os.environ["IDS"])):
    name = f"r{number}"
    pulumi.export(name, RedisPasswordRotation(name, database_id=id_).password)
"""


def limited(folder: Path, code: str) -> str:
    """Return a folder for PYTHONPATH in which each provider's process begins with some code."""
    folder = folder / "limits"
    folder.mkdir()
    indented = "\n".join(f"    {line}" for line in code.strip().splitlines())
    (folder / "sitecustomize.py").write_text(
        f"import sys\nline = ' '.join(sys.orig_argv)\n"
        f"if any(each in line for each in {[each.process for each in BOTH]!r}):\n{indented}\n"
    )
    return str(folder)


def fleet_of(emulator: Emulator, new_stack: StackFactory, limits: str) -> Stack:
    ids = json.dumps([each.id for each in emulator.databases])
    environment = {**emulator.environment, "IDS": ids, "PYTHONPATH": limits}
    return new_stack(FLEET, environment=environment)


def assert_all_saved(stack: Stack, emulator: Emulator) -> None:
    """Each database was reset once, and its password is in the state."""
    assert {each.resets for each in emulator.databases} == {1}
    saved = stack.outputs()
    assert [saved[f"r{number}"] for number in range(len(saved))] == [
        each.password for each in emulator.databases
    ]


def descriptors(limit: int) -> str:
    return f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))"


@both
@pytest.mark.parametrize(
    ("limit", "size", "redis_servers"),
    [
        pytest.param(72, 48, True, id="72"),
        pytest.param(256, 230, False, id="256", marks=pytest.mark.soak),  # the default of macOS
    ],
)
def test_few_descriptors_only_make_a_fleet_slower(
    limit: int, size: int, redis_servers: bool, new_stack: StackFactory, tmp_path: Path
) -> None:
    limits = limited(tmp_path, descriptors(limit))
    with Emulator(databases=size, redis_servers=redis_servers) as emulator:
        stack = fleet_of(emulator, new_stack, limits)
        stack.environment["UPSTASH_MAX_CONCURRENCY"] = "256"
        text = stack.up("--parallel", "256")
        assert "descriptor" not in text
        assert "error" not in text
        assert_all_saved(stack, emulator)
        stack.refresh("--parallel", "256")
        assert_all_saved(stack, emulator)


FEW_THREADS = """
import threading
start = threading.Thread.start
def start_or_refuse(thread):
    if threading.active_count() >= 9:
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = start_or_refuse
"""


@both
def test_too_few_threads_only_make_a_fleet_slower(new_stack: StackFactory, tmp_path: Path) -> None:
    with Emulator(databases=24, redis_servers=False) as emulator:
        stack = fleet_of(emulator, new_stack, limited(tmp_path, FEW_THREADS))
        stack.up("--parallel", "24")
        assert_all_saved(stack, emulator)
        stack.refresh("--parallel", "24")
        assert_all_saved(stack, emulator)


# --- files of the project ---


@both
def test_file_beside_the_program_that_no_request_needs_is_no_matter(rotations: Rotations) -> None:
    for name in ("redis", "hiredis", "xxhash", "cryptography"):
        file = rotations.stack.project / f"{name}.py"
        file.write_text("raise MemoryError('a file of the project')\n")
    rotations.declare("cache")
    rotations.up()
    assert_live(rotations, "cache")
    assert_nothing_left_to_do(rotations)


@pytest.mark.parametrize("name", ["requests", "pydantic", "urllib3", "tenacity", "certifi"])
@pytest.mark.parametrize("text", ["", "raise ValueError('a file of the project')\n"])
def test_file_that_hides_a_library_is_named_and_nothing_has_changed(
    name: str, text: str, upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(rotation("cache", database_id=database.id))
    file = stack.project / f"{name}.py"
    file.write_text(text)
    with pytest.raises(PulumiError) as raised:
        stack.up()
    shown = str(raised.value)
    assert "Traceback" not in shown
    message = f"error: {file} hides the library {name}. Rename it; nothing has changed"
    assert message in shown
    assert database.resets == 0
    file.unlink()
    stack.up()
    assert database.resets == 1


# --- a provider whose engine is gone ---


@both
def test_provider_ends_with_its_engine_in_the_middle_of_a_call(rotations: Rotations) -> None:
    database = rotations.declare("cache")
    rotations.fault("cache", Fault.delay(3), "get", None)
    rotations.write()
    run = Run(rotations.stack, "up", "--yes", "--skip-preview")
    assert run.wait_until(lambda: rotations.emulator.connections > 0)
    orphans = run.providers()
    assert orphans
    run.kill_engine()
    run.wait()
    assert wait_for(lambda: not any(each.is_running() for each in orphans), 30)
    time.sleep(4)  # until the delayed response would have led to a reset
    assert database.resets == 0
    assert "reset" not in rotations.calls("cache")


@both
def test_provider_of_an_engine_that_stands_still_goes_on(rotations: Rotations) -> None:
    database = rotations.declare("cache")
    rotations.fault("cache", Fault.delay(2), "get")
    rotations.write()
    run = Run(rotations.stack, "up", "--yes", "--skip-preview")
    assert run.wait_until(lambda: rotations.emulator.connections > 0)
    with run.paused():
        assert wait_for(lambda: database.resets == 1, 30)
        assert all(each.is_running() for each in run.providers())
    code, text = run.wait()
    assert code == 0, text
    rotations.forget_outputs()
    assert_live(rotations, "cache")
