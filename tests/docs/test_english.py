"""Documents for contributors are in short sentences with the project's words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("CONTRIBUTING.md", "RELEASING.md", ".github/pull_request_template.md")
REPLACED = r"\b(unsettled|in doubt|steering|warden|astray|refusal|is told|find out)\b"


def sentences(text: str) -> list[str]:
    """The sentences outside of code, tables and headings."""
    text = re.sub(r"(?ms)<!--.*?-->|```.*?```|^ *[|#][^\n]*", "\n\n", text)
    blocks = re.split(r"\n\s*\n|\n\s*(?:-|\d+\.) ", text)
    return [part for block in blocks for part in re.split(r"(?<=[.:?])\s+", block.strip()) if part]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_sentence_is_short_and_plain(document: str) -> None:
    found = sentences((ROOT / document).read_text())
    assert found
    assert [each for each in found if len(each.split()) > 20] == []
    assert [each for each in found if re.search(REPLACED, each, re.IGNORECASE)] == []
