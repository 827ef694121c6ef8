"""Texts from a state, as they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.frontends.cli.text import printable, without


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cache", "cache"),
        ("Zürich 東京", "Zürich 東京"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("two\nlines\r", "two\\u000alines\\u000d"),
        ("\x9b31m", "\\u009b31m"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_become_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


def test_chosen_characters_become_escapes() -> None:
    assert without("`|", "a|b`c") == "a\\u007cb\\u0060c"
