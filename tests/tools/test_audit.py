"""What `make audit` makes of pip-audit's answers."""

from __future__ import annotations

import pytest

import audit

FINE = {"name": "fine", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "status", "last"),
    [
        ([], 0, "audit: the vulnerability database could not be reached; nothing was checked"),
        (
            [UNKNOWN],
            0,
            "audit: the vulnerability database could not be reached; nothing was checked",
        ),
        ([FINE, UNKNOWN], 0, "audit: 0 of 1 dependencies have a known vulnerability"),
        ([FINE, BAD], 1, "audit: 1 of 2 dependencies have a known vulnerability"),
    ],
)
def test_a_known_vulnerability_fails(
    dependencies: list[dict[str, object]],
    status: int,
    last: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audit.report(dependencies) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == last
    assert ("audit: bad 2: PYSEC-1, PYSEC-2" in lines) == bool(status)
