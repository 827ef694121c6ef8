"""Which credentials are due, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from pulumi_upstash_rotation.frontends.cli.credentials import Credential, Kind
from pulumi_upstash_rotation.frontends.cli.due import due_now
from pulumi_upstash_rotation.rotation.inputs import KnownRotation
from pulumi_upstash_rotation.rotation.record import RotationRecord

from ...support.clock import START

CACHE: Final = Credential(
    "shop",
    "dev",
    "cache",
    "urn",
    Kind.PASSWORD,
    record=RotationRecord(rotated_at=START - timedelta(days=10)),
)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, ()),
        ({"limits": KnownRotation(rotation_days=11)}, ()),
        ({"limits": KnownRotation(rotation_days=10)}, ("age",)),
        ({"limits": KnownRotation(rotation_schedule="0 3 1 * *")}, ()),
        ({"limits": KnownRotation(rotation_schedule="0 3 * * *")}, ("schedule",)),
        ({"pending": "trigger: release"}, ("pending (trigger: release)",)),
        (
            {"pending": "interrupted update", "limits": KnownRotation(rotation_days=1)},
            ("pending (interrupted update)", "age"),
        ),
        ({"record": RotationRecord(), "limits": KnownRotation(rotation_days=1)}, ()),
        (
            {
                "record": RotationRecord(adopted_at=START - timedelta(days=2)),
                "limits": KnownRotation(rotation_days=1),
            },
            ("age",),
        ),
    ],
)
def test_reasons_of_a_credential(changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    credential = replace(CACHE, **changes)
    assert [each.reasons for each in due_now([credential], START)] == [reasons] * bool(reasons)


def test_only_those_that_are_due_are_returned() -> None:
    credentials = [
        replace(CACHE, name="a", pending="age"),
        CACHE,
        replace(CACHE, name="b", limits=KnownRotation(rotation_days=1)),
    ]
    assert [each.credential.name for each in due_now(credentials, START)] == ["a", "b"]
