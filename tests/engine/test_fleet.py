"""A fleet: as many rotations at once as the engine asks for, in one process, each exactly once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import EmulatedDatabase, Emulator, Fault

from ..support.stacks import diagnostics_of, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_stack import Stack

    from ..support.stacks import StackFactory

PROGRAM = """
import json, os
from pathlib import Path
release = Path("release").read_text()
for number, id_ in enumerate(json.loads(os.environ["IDS"])):
    triggers = {"release": release}
    RedisPasswordRotation(f"r{number}", database_id=id_, triggers=triggers, verify=False)
"""


@pytest.fixture
def fleet() -> Iterator[Emulator]:
    with Emulator(databases=256, redis_servers=False) as emulator:
        yield emulator


def stack_of(fleet: Emulator, size: int, new_stack: StackFactory, program: str = PROGRAM) -> Stack:
    ids = "[" + ", ".join(f'"{each.id}"' for each in fleet.databases[:size]) + "]"
    stack = new_stack(program, environment={**fleet.environment, "IDS": ids})
    (stack.project / "release").write_text("1")
    return stack


def calls(fleet: Emulator) -> Counter[str]:
    return Counter(call.operation for call in fleet.calls)


@pytest.mark.soak  # nine commands on 24 databases
def test_a_command_makes_no_call_that_it_does_not_need(
    fleet: Emulator, new_stack: StackFactory
) -> None:
    fleet.reset_response = "with_credentials"
    stack = stack_of(fleet, 24, new_stack)
    # Long enough for calls to overlap, however busy the machine is.
    fleet.latency_seconds = 1.5
    stack.preview()
    assert calls(fleet) == {}
    stack.up("--parallel", "24")
    assert calls(fleet) == {"get": 24, "reset": 24}
    # Every request in flight has a connection of its own.
    assert 8 < fleet.connections <= 24
    fleet.clear()
    stack.up()
    stack.preview()
    assert calls(fleet) == {}
    (stack.project / "release").write_text("2")
    stack.up("--parallel", "24")
    assert calls(fleet) == {"get": 24, "reset": 24}
    assert 8 < fleet.connections <= 24
    fleet.clear()
    stack.refresh("--parallel", "24")  # begins with many calls at once
    assert calls(fleet) == {"get": 24}
    assert 8 < fleet.connections <= 24
    fleet.clear()
    fleet.latency_seconds = 0.3
    stack.environment["UPSTASH_MAX_CONCURRENCY"] = "3"
    stack.refresh("--parallel", "24")
    assert calls(fleet) == {"get": 24}
    assert fleet.connections == 3
    fleet.clear()
    stack.destroy()
    assert calls(fleet) == {}


@pytest.mark.parametrize("size", [24, pytest.param(256, marks=pytest.mark.soak)])
def test_a_fleet_under_a_rate_limit_rotates_each_database_once(
    fleet: Emulator, new_stack: StackFactory, size: int
) -> None:
    fleet.reset_response = "with_credentials"
    stack = stack_of(fleet, size, new_stack)
    stack.up("--parallel", "64")
    assert {each.resets for each in fleet.databases[:size]} == {1}
    fleet.requests_per_second = 25
    # A slow machine may never reach that: these are limited anyway.
    fleet.fault(Fault.status(429, retry_after=1), operation="reset", times=8)
    (stack.project / "release").write_text("2")
    stack.up("--parallel", "64")
    assert {each.resets for each in fleet.databases[:size]} == {2}
    assert sum(call.status == 429 for call in fleet.calls) >= 8


CONSUMERS = """
import json, os
from pathlib import Path
from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult

class Files(ResourceProvider):
    def create(self, props):
        Path(props["path"]).write_text(props["password"])
        return CreateResult(props["path"], props)

    def update(self, id_, olds, news):
        Path(news["path"]).write_text(news["password"])
        return UpdateResult(news)

class Consumer(Resource):
    def __init__(self, name, path, password):
        super().__init__(Files(), name, {"path": path, "password": password})

release = Path("release").read_text()
for number, id_ in enumerate(json.loads(os.environ["IDS"])):
    rotation = RedisPasswordRotation(
        f"r{number}", database_id=id_, triggers={"release": release}, verify=False
    )
    Consumer(f"c{number}", str(Path(f"{id_}.password").absolute()), rotation.password)
"""


@pytest.mark.soak
def test_one_suspended_database_does_not_keep_new_passwords_from_the_others_consumers(
    fleet: Emulator, new_stack: StackFactory
) -> None:
    databases = fleet.databases[:12]
    bad = databases[5]
    stack = stack_of(fleet, 12, new_stack, CONSUMERS)

    def release(number: int) -> None:
        (stack.project / "release").write_text(str(number))

    def served() -> list[EmulatedDatabase]:
        """Return the databases whose consumer holds the live password."""
        files = {each: stack.project / f"{each.id}.password" for each in databases}
        return [each for each, file in files.items() if file.read_text() == each.password]

    def resets() -> list[int]:
        return [each.resets for each in databases]

    def errors(*command: str) -> list[str]:
        shown = failure_of(stack, *command)
        return [line for line in diagnostics_of(shown, "r5") if "error: " in line]

    stack.up()
    assert served() == databases
    problem = f"Redis database {bad.name!r} ({bad.id}) is suspended and cannot be reset"
    way_out = "`pulumi up --continue-on-error` updates any other resources"

    release(2)
    bad.suspend()
    (error,) = errors("up", "--continue-on-error")
    assert problem in error
    assert "nothing has changed" in error
    assert error.count(way_out) == 1
    assert resets() == [1 if each is bad else 2 for each in databases]
    assert served() == databases

    stack.refresh()
    release(3)
    for command in ("preview", "up"):
        (error,) = errors(command)
        assert problem in error
        assert way_out in error
    assert bad.resets == 1

    bad.resume()
    stack.refresh()
    stack.up()
    assert resets() == [2 if each is bad else 3 for each in databases]
    assert served() == databases
