"""Whether a credential changed: compares the live one with the previous and the earlier ones.

A read can be late: for some time the API may return a credential from before a reset. So only a
credential that is none of the earlier ones is a new one.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_EARLIER: Final = 20
"""Number of earlier credentials that a state remembers, as fingerprints."""


class Reconciliation(Enum):
    """Result of the comparison."""

    SAME = "the live credential is the previous one"
    CHANGED = "the live credential is none of the known ones, so it is a new one"
    EARLIER = "the live credential is one from before the previous one, so the read was late"
    INDETERMINATE = "the live or the previous credential is not known"


def reconcile(
    previous: str | None, live: str | None, *, scope: str, earlier: Collection[str] = ()
) -> Reconciliation:
    """Compare the live credential with the previous one.

    Args:
        previous: The previous credential. None if it is not known.
        live: The live credential. None if the API does not return it.
        scope: The id that the fingerprints were made with.
        earlier: Fingerprints of credentials from before the previous one.
    """
    if not live:
        return Reconciliation.INDETERMINATE
    if live == previous:
        return Reconciliation.SAME
    if fingerprint(scope, live) in earlier:
        return Reconciliation.EARLIER
    return Reconciliation.CHANGED if previous else Reconciliation.INDETERMINATE


def fingerprint(scope: str, credential: str) -> str:
    """Return a text that changes with the credential and reveals nothing about it.

    Upstash's passwords are too long to be guessed. The scope keeps two databases apart.

    Args:
        scope: Id of the database.
        credential: The credential, in clear.
    """
    return hashlib.sha256(f"{scope} {credential}".encode()).hexdigest()[:16]


def remember(earlier: Iterable[str], *replaced: str) -> tuple[str, ...]:
    """Return the fingerprints of earlier credentials with those just replaced, the newest last."""
    kept = [each for each in earlier if each not in replaced]
    return tuple([*kept, *dict.fromkeys(replaced)][-MAX_EARLIER:])
