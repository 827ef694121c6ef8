"""A fleet: as many rotations at once as the engine asks for, in one process, each exactly once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator, Fault

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


def stack_of(fleet: Emulator, size: int, new_stack: StackFactory) -> Stack:
    ids = "[" + ", ".join(f'"{each.id}"' for each in fleet.databases[:size]) + "]"
    stack = new_stack(PROGRAM, environment={**fleet.environment, "IDS": ids})
    (stack.project / "release").write_text("1")
    return stack


def calls(fleet: Emulator) -> Counter[str]:
    return Counter(call.operation for call in fleet.calls)


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
