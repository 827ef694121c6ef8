"""Whether a credential has changed: what a read shows beside what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.rotation.reconciliation import (
    MAX_EARLIER,
    Reconciliation,
    fingerprint,
    reconcile,
    remember,
)

EARLIER = (fingerprint("id", "older"), fingerprint("id", "oldest"))


@pytest.mark.parametrize(
    ("previous", "live", "expected"),
    [
        ("a", "a", Reconciliation.SAME),
        ("a", "b", Reconciliation.CHANGED),
        ("a", "A", Reconciliation.CHANGED),
        ("a", "older", Reconciliation.EARLIER),
        (None, "oldest", Reconciliation.EARLIER),
        ("a", None, Reconciliation.INDETERMINATE),
        ("a", "", Reconciliation.INDETERMINATE),
        (None, "a", Reconciliation.INDETERMINATE),
        ("", "a", Reconciliation.INDETERMINATE),
        (None, None, Reconciliation.INDETERMINATE),
        ("", "", Reconciliation.INDETERMINATE),
        (None, "", Reconciliation.INDETERMINATE),
    ],
)
def test_a_live_credential_is_compared_with_the_previous_and_the_earlier_ones(
    previous: str | None, live: str | None, expected: Reconciliation
) -> None:
    assert reconcile(previous, live, scope="id", earlier=EARLIER) is expected


def test_an_earlier_credential_of_another_database_is_a_new_one() -> None:
    found = reconcile("a", "older", scope="another", earlier=EARLIER)
    assert found is Reconciliation.CHANGED


@given(st.text(), st.text())
def test_a_fingerprint_changes_with_scope_and_credential_and_shows_neither(a: str, b: str) -> None:
    assert (fingerprint("id", f"x{a}") == fingerprint("id", f"x{b}")) == (a == b)
    assert fingerprint("id", a) != fingerprint("other", a)
    assert len(a) < 5 or a not in fingerprint("id", a)


@given(st.lists(st.text(min_size=1), unique=True, max_size=40), st.text())
def test_the_newest_earlier_credentials_are_remembered_once(earlier: list[str], new: str) -> None:
    kept = remember(earlier, new, new)
    assert kept[-1] == new
    assert len(set(kept)) == len(kept) <= MAX_EARLIER
    assert [each for each in earlier if each != new][-(MAX_EARLIER - 1) :] == list(kept[:-1])
    assert remember(kept) == kept
