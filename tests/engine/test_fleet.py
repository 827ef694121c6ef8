"""A fleet: as many rotations at once as the engine asks for, in one process, each exactly once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_stack import Stack

    from .conftest import StackFactory

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


def test_what_each_command_costs(fleet: Emulator, new_stack: StackFactory) -> None:
    fleet.answer = "with_credentials"
    stack = stack_of(fleet, 24, new_stack)
    fleet.latency_seconds = 0.3
    stack.preview()
    assert calls(fleet) == {}
    stack.up("--parallel", "24")
    assert calls(fleet) == {"get": 24, "reset": 24}
    # Every request that is under way at the same time has a connection of its own.
    assert 8 < fleet.connections <= 24
    fleet.clear()
    stack.up()
    stack.preview()
    assert calls(fleet) == {}
    (stack.project / "release").write_text("2")
    stack.up("--parallel", "24")
    assert calls(fleet) == {"reset": 24}
    assert 8 < fleet.connections <= 24
    fleet.clear()
    stack.refresh("--parallel", "24")  # begins with many calls at once
    assert calls(fleet) == {"get": 24}
    assert 8 < fleet.connections <= 24
    fleet.clear()
    stack.environment["UPSTASH_MAX_CONCURRENCY"] = "3"
    stack.refresh("--parallel", "24")
    assert calls(fleet) == {"get": 24}
    assert fleet.connections == 3
    fleet.clear()
    stack.destroy()
    assert calls(fleet) == {}


def test_256_databases_under_a_limited_api_all_rotate_and_none_twice(
    fleet: Emulator, new_stack: StackFactory
) -> None:
    fleet.answer = "with_credentials"
    stack = stack_of(fleet, 256, new_stack)
    stack.up("--parallel", "64")
    assert {each.resets for each in fleet.databases} == {1}
    fleet.requests_per_second = 25
    # A slow machine may never reach that: these are limited anyway.
    fleet.fault(Fault.status(429, retry_after=1), operation="reset", times=8)
    (stack.project / "release").write_text("2")
    stack.up("--parallel", "64")
    assert {each.resets for each in fleet.databases} == {2}
    assert sum(call.status == 429 for call in fleet.calls) >= 8
