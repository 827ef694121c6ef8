"""Whether a credential has changed: every pair of looks at it."""

from __future__ import annotations

import pytest

from pulumi_upstash_rotation.rotation.reconciliation import Reconciliation, reconcile


@pytest.mark.parametrize(
    ("previous", "live", "expected"),
    [
        ("a", "a", Reconciliation.SAME),
        ("a", "b", Reconciliation.CHANGED),
        ("a", "A", Reconciliation.CHANGED),
        ("a", None, Reconciliation.INDETERMINATE),
        ("a", "", Reconciliation.INDETERMINATE),
        (None, "a", Reconciliation.INDETERMINATE),
        ("", "a", Reconciliation.INDETERMINATE),
        (None, None, Reconciliation.INDETERMINATE),
        ("", "", Reconciliation.INDETERMINATE),
        (None, "", Reconciliation.INDETERMINATE),
    ],
)
def test_reconciliation_of_two_credentials_is_same_changed_or_indeterminate(
    previous: str | None, live: str | None, expected: Reconciliation
) -> None:
    assert reconcile(previous, live) is expected
