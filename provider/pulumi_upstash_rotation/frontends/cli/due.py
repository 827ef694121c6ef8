"""Which credentials need a `pulumi up` now, as far as their states show."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pulumi_upstash_rotation.rotation.decision import decide

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .credentials import Credential


class Due(NamedTuple):
    """A credential that is due, and why."""

    credential: Credential
    reasons: tuple[str, ...]


def due_now(credentials: Iterable[Credential], now: datetime) -> list[Due]:
    """Return the credentials that age or schedule makes due, and those with something pending.

    A state cannot show a trigger that the program has changed since the last update.
    """
    found = ((each, tuple(_reasons(each, now))) for each in credentials)
    return [Due(each, reasons) for each, reasons in found if reasons]


def _reasons(credential: Credential, now: datetime) -> list[str]:
    reasons = [f"pending ({credential.pending})"] if credential.pending else []
    decision = decide(credential.limits, credential.record, now=now)
    return [*reasons, str(decision.reason)] if decision.rotate else reasons
