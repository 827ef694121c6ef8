"""The program without code, spread over several stacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pulumi_stack import Stack
from pulumi_upstash_rotation import in_shard

from ..support.programs import ROOT
from ..support.stacks import TYPE, failure_of

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import Emulator


def rotations_of(stack: Stack) -> dict[str, str]:
    """Return the stack's rotations: id of the database to URN."""
    return {
        each["outputs"]["database_id"]: each["urn"]
        for each in stack.resources()
        if each["type"] == TYPE
    }


@pytest.mark.soak  # it moves databases between four stacks
def test_one_more_shard_moves_databases_without_a_reset(
    upstash_emulator: Emulator, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (project / name).write_text((ROOT / name).read_text())
    folder, environment = tmp_path / "stacks", upstash_emulator.environment
    fleet = {upstash_emulator.add_database(f"fleet-{number}").id for number in range(8)}
    resets = {each.id: each for each in upstash_emulator.databases}

    def new_stack(name: str, **config: str) -> Stack:
        stack = Stack.create(project, folder, name, environment)
        for key, value in {"namePrefix": "fleet-", **config}.items():
            stack.set_config(key, value)
        return stack

    one = new_stack("one", shard="1/1", databaseIds='"a-single-id"')
    assert "set one of databaseIds and namePrefix in the stack's config" in failure_of(one, "up")
    one.on_stack("config", "rm", "namePrefix")
    assert "databaseIds must be a list of ids in the stack's config" in failure_of(one, "up")
    one.on_stack("config", "rm", "databaseIds")
    one.set_config("namePrefix", "fleet-")
    one.set_config("triggers.release", "2026-11", path=True)
    wrong = failure_of(one, "up")
    assert "shard needs rotateOnCreate: false and no rotateOnDelete in the stack's config" in wrong
    assert rotations_of(one) == {}
    one.set_config("rotateOnCreate", "false")
    one.up()
    assert rotations_of(one).keys() == fleet
    one.set_config("triggers.release", "2026-12", path=True)
    one.set_config("rotationDays", "30")
    one.up()
    assert {id_: resets[id_].resets for id_ in fleet} == dict.fromkeys(fleet, 1)
    stored = {each["urn"]: each["outputs"] for each in one.resources() if each["type"] == TYPE}

    # As docs/how-to/without-code.md describes it.
    two = new_stack("two", shard="2/2", rotateOnCreate="false", rotationDays="30")
    two.set_config("triggers.release", "2026-12", path=True)
    one.set_config("shard", "1/2")
    steps = json.loads(one.on_stack("preview", "--json"))["steps"]
    deleted = [each["urn"] for each in steps if each["op"] == "delete"]
    moving = {id_: urn for id_, urn in rotations_of(one).items() if in_shard(id_, "2/2")}
    assert 0 < len(moving) < len(fleet)
    assert {*deleted} == {*moving.values()}
    one.pulumi("state", "move", "--source", "one", "--dest", "two", "--yes", *deleted)
    for stack in (one, two):
        stack.preview("--expect-no-changes")
        stack.up()
    assert rotations_of(two).keys() == moving.keys()
    assert rotations_of(one).keys() == fleet - moving.keys()
    for each in two.resources():
        if each["type"] == TYPE:
            previous = stored[each["urn"].replace(":two::", ":one::")]
            assert each["outputs"]["rotated_at"] == previous["rotated_at"]
    assert {id_: resets[id_].resets for id_ in fleet} == dict.fromkeys(fleet, 1)
