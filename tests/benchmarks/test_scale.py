"""The benchmark of scale fails if a database was not reset as often as declared."""

from __future__ import annotations

import pytest

from .scale import check_resets


@pytest.mark.parametrize("expected", [0, 1])
def test_expected_number_of_resets_passes(expected: int) -> None:
    check_resets([expected] * 3, expected)


def test_databases_with_another_number_of_resets_are_counted() -> None:
    with pytest.raises(SystemExit) as raised:
        check_resets([1, 0, 2, 2], 1)
    assert str(raised.value) == (
        "resets of each database: 1 expected, but 0 at 1 of them, 2 at 2 of them"
    )
