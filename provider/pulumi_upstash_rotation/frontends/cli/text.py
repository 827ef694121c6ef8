"""Texts from a state, made safe to show. Anybody may have chosen a name in it."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return a text with an escape for each control character, such as `\u001b`.

    So it cannot move a cursor, change a colour or hide a part of a line.
    """
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def without(characters: str, text: str) -> str:
    r"""Return a text with an escape for each of these characters, such as `\u007c`."""
    return "".join(_escape(each) if each in characters else each for each in text)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"
