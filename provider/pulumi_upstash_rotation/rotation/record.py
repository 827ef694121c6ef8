"""What the state remembers of a rotation: the last one, and one that may have happened since."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pulumi_upstash_rotation.values import Verification


class Cause(Enum):
    """Why a credential was last changed, or was adopted."""

    CREATE = "create"
    """The first rotation."""
    TRIGGER = "trigger"
    """A trigger has a new value."""
    AGE = "age"
    """It is as old as `rotation_days` allows."""
    SCHEDULE = "schedule"
    """A moment of `rotation_schedule` has passed."""
    ADOPTED = "adopted"
    """It was there before, and was taken over without a rotation."""
    EXTERNAL = "external"
    """It was changed outside Pulumi."""
    OTHER = "other"
    """A state names a cause that this version does not know."""


_TRIGGER_PREFIX: Final = "trigger: "


@dataclass(frozen=True)
class Reason:
    """A cause, and what belongs to it.

    Attributes:
        cause: Why.
        detail: For a trigger, its name; None where all triggers are still unknown. For `OTHER`, the
            text in the state.
    """

    cause: Cause
    detail: str | None = None

    def __str__(self) -> str:
        """Return the text that outputs and messages show."""
        if self.cause is Cause.TRIGGER:
            return "triggers" if self.detail is None else f"{_TRIGGER_PREFIX}{self.detail}"
        return self.detail or str(self.cause.value)

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Return the reason that `str()` wrote into a state, by whatever version."""
        if text.startswith(_TRIGGER_PREFIX):
            return cls(Cause.TRIGGER, text.removeprefix(_TRIGGER_PREFIX))
        return _WITHOUT_DETAIL.get(text) or cls(Cause.OTHER, text)


_WITHOUT_DETAIL: Final = {str(reason): reason for reason in map(Reason, Cause)}


@dataclass(frozen=True)
class RotationRecord:
    """The last rotation.

    Attributes:
        rotated_at: When, in UTC. For a credential that was changed outside Pulumi, when that was
            noticed. None where nothing is known.
        count: How often this resource has rotated.
        reason: Why it last rotated. None where nothing is known.
        triggers: The triggers as they were then.
        verification: Result of its verification. None where nothing is known.
    """

    rotated_at: datetime | None = None
    count: int = 0
    reason: Reason | None = None
    triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    verification: Verification | None = None


@dataclass(frozen=True)
class PendingRotation:
    """A rotation whose outcome is indeterminate: it may have happened after the last known one.

    Attributes:
        reason: Why it was tried.
        triggers: The triggers as they were then.
    """

    reason: Reason
    triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
