"""Whether a credential changed: compares the previous one with the live one."""

from __future__ import annotations

from enum import Enum


class Reconciliation(Enum):
    """Result of the comparison."""

    SAME = "the live credential is the previous one"
    CHANGED = "the live credential is not the previous one"
    INDETERMINATE = "one of the two is not known"


def reconcile(previous: str | None, live: str | None) -> Reconciliation:
    """Compare the live credential with the previous one.

    Args:
        previous: The previous credential. None if it is not known.
        live: The live credential. None if the API does not return it.
    """
    if not previous or not live:
        return Reconciliation.INDETERMINATE
    return Reconciliation.SAME if live == previous else Reconciliation.CHANGED
