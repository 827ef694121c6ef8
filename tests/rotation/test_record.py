"""The texts of a reason, which outputs show and the state keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.rotation.record import (
    Cause,
    PendingRotation,
    Reason,
    RotationRecord,
)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason(Cause.CREATE), "create"),
        (Reason(Cause.TRIGGER, "release"), "trigger: release"),
        (Reason(Cause.TRIGGER), "triggers"),
        (Reason(Cause.AGE), "age"),
        (Reason(Cause.SCHEDULE), "schedule"),
        (Reason(Cause.ADOPTED), "adopted"),
        (Reason(Cause.EXTERNAL), "external"),
    ],
)
def test_reason_has_the_text_that_states_hold(reason: Reason, text: str) -> None:
    """Stacks hold these texts, so they never change."""
    assert str(reason) == text
    assert Reason.parse(text) == reason


@given(st.text())
def test_reason_of_any_trigger_is_read_back(name: str) -> None:
    reason = Reason(Cause.TRIGGER, name)
    assert Reason.parse(str(reason)) == reason


@pytest.mark.parametrize("text", ["Create", "trigger", "trigger:x", "TRIGGER", "leak: x"])
def test_reason_of_any_other_text_keeps_the_text(text: str) -> None:
    """A newer version may have written it."""
    reason = Reason.parse(text)
    assert reason == Reason(Cause.OTHER, text)
    assert str(reason) == text


def test_record_of_nothing_knows_nothing() -> None:
    record = RotationRecord()
    assert (record.rotated_at, record.count, record.reason) == (None, 0, None)
    assert (record.triggers, record.verification) == ({}, None)


def test_triggers_are_not_in_a_repr() -> None:
    canary = {"a": "canary"}
    pending = PendingRotation(Reason(Cause.CREATE), canary)
    assert "canary" not in repr(RotationRecord(triggers=canary)) + repr(pending)
