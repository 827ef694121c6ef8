"""Records of rotations in the state: the last one, and a pending one."""

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
    """The credential has reached the age in `rotation_days`."""
    SCHEDULE = "schedule"
    """A time in `rotation_schedule` has passed."""
    ADOPTED = "adopted"
    """The resource took over the current credential without a rotation."""
    EXTERNAL = "external"
    """A user changed the credential outside Pulumi."""
    OTHER = "other"
    """A state names a cause that this version does not know."""


_TRIGGER_PREFIX: Final = "trigger: "


@dataclass(frozen=True)
class Reason:
    """A cause with its detail.

    Attributes:
        cause: The cause.
        detail: Name of the trigger, or None if all triggers are still unknown. For `OTHER`, the
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
        """Return the reason in a state's text. Any version of this package may have written it."""
        if text.startswith(_TRIGGER_PREFIX):
            return cls(Cause.TRIGGER, text.removeprefix(_TRIGGER_PREFIX))
        return _WITHOUT_DETAIL.get(text) or cls(Cause.OTHER, text)


_WITHOUT_DETAIL: Final = {str(reason): reason for reason in map(Reason, Cause)}


@dataclass(frozen=True)
class RotationRecord:
    """The last rotation.

    Attributes:
        rotated_at: Time of the response to the reset, in UTC. For a change outside Pulumi, the time
            of its detection. None if it is not known, as after an adoption.
        adopted_at: Time of the adoption, in UTC, until the first rotation. The credential is older.
        count: Number of rotations by this resource.
        reason: Reason of the rotation. None if it is not known.
        triggers: The triggers at that rotation.
        verification: Result of the verification. None if it is not known.
    """

    rotated_at: datetime | None = None
    count: int = 0
    reason: Reason | None = None
    triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    verification: Verification | None = None
    adopted_at: datetime | None = None

    @property
    def counts_from(self) -> datetime | None:
        """The time from which age and schedule count."""
        return self.rotated_at or self.adopted_at


@dataclass(frozen=True)
class PendingRotation:
    """A rotation whose new credential is not known. It is newer than the last known one.

    Attributes:
        reason: Reason of the rotation.
        triggers: The triggers at that rotation.
        applied: Whether the API has certainly applied the reset.
        after_late_read: Whether the read just before the reset was late, or did not show what an
            applied reset had made. Then no later read proves whether the reset was applied, because
            what it returns may be older.
    """

    reason: Reason
    triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    applied: bool = False
    after_late_read: bool = False
