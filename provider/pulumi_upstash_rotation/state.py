"""What the stack's state remembers of a rotation, read back from the resource's outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

CREDENTIALS: Final = ("password", "rest_token", "read_only_rest_token")
"""What a reset revokes and makes anew, by the API's names."""

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Verification:
    """What a database itself said about its credentials.

    Attributes:
        verified: It accepted the new one and refused the old one, where that is known.
        sentence: What it said, or why it was not asked; no secret in it.
    """

    verified: bool
    sentence: str


@dataclass(frozen=True)
class State:
    """What is remembered of the last rotation.

    Attributes:
        database_id: The database that was rotated.
        triggers: The triggers as they were then.
        rotated_at: When, in UTC; None where that is not known.
        rotation_count: How often this resource has reset the password.
        rotation_cause: Why it was last reset; see `rotation.Rotation`.
        verification: What the database said of it; None where that is not known.
        rotate_on_delete: What a deletion is to do, as it was last declared.
        credentials: The credentials that are known, by name.
        unsettled: Cause of a rotation that may have happened since, its outcome unknown; None where
            all is known.
        unsettled_triggers: The triggers as they were at that one.
        inputs_lag: A refresh has found that a failed update did rotate: the engine still holds the
            inputs from before it, and so finds no changed input where `triggers` differ.
    """

    database_id: str
    triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    rotated_at: datetime | None = None
    rotation_count: int = 0
    rotation_cause: str | None = None
    verification: Verification | None = None
    rotate_on_delete: bool = False
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    unsettled: str | None = None
    unsettled_triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    inputs_lag: bool = False


def parse_state(outputs: Mapping[str, Any]) -> State:
    """Return what a resource's outputs say, those of older versions of this package included.

    What is of another type than this package writes, after an edit by hand, counts as absent.
    """

    def text(name: str) -> str | None:
        value = outputs.get(name)
        return value if isinstance(value, str) and value else None

    def values(name: str) -> Mapping[str, Any]:
        value = outputs.get(name)
        return value if isinstance(value, Mapping) else {}

    said = text("verification")
    return State(
        database_id=text("database_id") or "",
        triggers=values("triggers"),
        rotated_at=parse_time(outputs.get("rotated_at")),
        rotation_count=_count(outputs),
        rotation_cause=text("rotation_cause"),
        verification=Verification(outputs.get("verified") is True, said) if said else None,
        rotate_on_delete=outputs.get("rotate_on_delete") is True,
        unsettled=text("unsettled_rotation"),
        unsettled_triggers=values("unsettled_triggers"),
        inputs_lag=outputs.get("inputs_lag") is True,
        credentials={name: value for name in CREDENTIALS if (value := text(name))},
    )


def _count(outputs: Mapping[str, Any]) -> int:
    count = outputs.get("rotation_count")
    if isinstance(count, int | float) and math.isfinite(count):
        return int(count)
    # An older state has no count; that there is a state means that there was a reset.
    return 1 if "rotated_at" in outputs else 0


def format_time(moment: datetime) -> str:
    """Return a moment in UTC as RFC 3339, in whole seconds."""
    return moment.strftime(_TIME_FORMAT)


def parse_time(text: object) -> datetime | None:
    """Return the moment that `format_time()` has written; None for anything else."""
    try:
        return datetime.strptime(str(text), _TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
