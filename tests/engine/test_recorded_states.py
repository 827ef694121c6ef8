"""States that earlier versions have written go on working, those with a pending rotation included.

`states/` holds what `pulumi stack export` has printed then, without the paths of the machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from upstash_emulator import Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.stacks import TYPE, changed

if TYPE_CHECKING:
    from ..support.stacks import Rotations

STATES = Path(__file__).parent / "states"
DATABASE_ID = "96ad0856-03b1-4ee7-9666-e81abd0349e1"
"""Of all recorded states; each case gets a database of its own."""

COMPLETE = {
    "first_outputs": "2026-11-first-outputs",
    "before_the_house": "2026-11-before-the-house",
    "extra": "2026-11-extra-attributes-in-clear",
}
PENDING = {
    "lost": "2026-11-pending-rotation",
    "lost_reverted": "2026-11-pending-rotation",
    "lost_hidden": "2026-11-pending-rotation",
    "lost_first": "2026-11-pending-first-rotation",
}
UNDOCUMENTED = {"undocumented": "undocumented-canary", "private_key": "private-canary"}
"""Attributes of the database `extra`. An earlier version stored the first one in clear."""

CASES = COMPLETE | PENDING
RELEASES = dict.fromkeys(CASES, "2026-11") | {"lost": "2026-12", "lost_hidden": "2026-12"}
"""What the program declares; the recorded update failed on the way from 2026-11 to 2026-12."""

RESETS = dict.fromkeys(CASES, 0) | {
    "lost_reverted": 1,  # the reset happened, and the program asks for another one
    "lost_hidden": 1,  # nobody knows the live password
    "lost_first": 1,  # same
}


def test_every_recorded_state_is_a_case() -> None:
    assert set(CASES.values()) == {path.stem for path in STATES.glob("*.json")}


def deployment(rotations: Rotations) -> dict[str, Any]:
    """Return the recorded states as one deployment, each with a database of its own."""
    merged: dict[str, Any] = {}
    for name, file in CASES.items():
        text = (STATES / f"{file}.json").read_text()
        text = text.replace(DATABASE_ID, rotations.database(name).id)
        state = json.loads(text.replace(f"{TYPE}::cache", f"{TYPE}::{name}"))
        stack, provider, rotation = state["deployment"]["resources"]
        merged = merged or state | {
            "deployment": state["deployment"] | {"resources": [stack, provider]}
        }
        _, default, *_ = merged["deployment"]["resources"]
        rotation["provider"] = f"{default['urn']}::{default['id']}"
        merged["deployment"]["resources"].append(rotation)
    return merged


@pytest.fixture
def recorded(rotations: Rotations) -> Rotations:
    """A stack with all recorded states; one database hides its password."""
    for name in CASES:
        rotations.declare(name, triggers={"release": RELEASES[name]})
    rotations.database("lost_hidden").credential_protection = True
    rotations.fault("extra", Fault.merge(UNDOCUMENTED), "get", times=None)
    file = rotations.stack.folder / "recorded.json"
    file.write_text(json.dumps(deployment(rotations)))
    rotations.stack.on_stack("stack", "import", "--file", str(file))
    file.unlink()
    assert UNDOCUMENTED["undocumented"] in rotations.stack.state_file.read_text()
    return rotations


def assert_no_undocumented_value_in_clear(rotations: Rotations, shown: str) -> None:
    """Neither in the state nor in what a command shows."""
    text = rotations.stack.state_file.read_text() + shown
    assert not [value for value in UNDOCUMENTED.values() if value in text]


def assert_reconciled(rotations: Rotations) -> None:
    """What was pending is known, and no reset was made that was not needed."""
    assert rotations.resets() == RESETS
    assert_live(rotations, *PENDING)
    assert {rotations.out(name)["rotation_cause"] for name in PENDING} == {"trigger: release"}
    assert rotations.out("lost")["rotation_count"] == 2
    assert rotations.out("lost_reverted")["rotation_count"] == 3
    assert rotations.out("lost_first")["rotation_count"] == 1


def test_an_update_of_a_recorded_state_reconciles_and_makes_no_surplus_reset(
    recorded: Rotations,
) -> None:
    shown = recorded.up()
    assert changed(shown).keys() == set(PENDING)
    assert_no_undocumented_value_in_clear(recorded, shown)
    assert_reconciled(recorded)
    older = {name: recorded.out(name)["rotated_at"] for name in COMPLETE}

    # The databases of today have other passwords than those of the recording.
    recorded.refresh()
    assert_nothing_left_to_do(recorded)
    assert recorded.out("extra")["extra_attributes"] == UNDOCUMENTED
    assert_live(recorded, *CASES)
    for name in COMPLETE:
        assert recorded.out(name)["rotation_cause"] == "external"
        assert recorded.out(name)["rotated_at"] > older[name]

    for name in CASES:
        recorded.declare(name, triggers={"release": "2027-01"})
    recorded.up()
    assert recorded.resets() == {name: resets + 1 for name, resets in RESETS.items()}
    assert {recorded.out(name)["rotation_count"] for name in COMPLETE} == {2}
    assert_live(recorded, *CASES)
    recorded.destroy()
    assert recorded.resets() == {name: resets + 1 for name, resets in RESETS.items()}


def test_a_refresh_of_a_recorded_state_reconciles_and_the_next_update_does_the_rest(
    recorded: Rotations,
) -> None:
    shown = recorded.refresh()
    assert recorded.emulator.resets == 0
    assert_no_undocumented_value_in_clear(recorded, shown)
    recorded.up()
    assert_reconciled(recorded)
    assert_nothing_left_to_do(recorded)
    assert_live(recorded, *CASES)
    assert {recorded.out(name)["rotation_cause"] for name in COMPLETE} == {"external"}


def test_a_destroy_of_a_recorded_state_resets_nothing(recorded: Rotations) -> None:
    recorded.destroy()
    assert recorded.stack.resources() == []
    assert recorded.emulator.resets == 0
