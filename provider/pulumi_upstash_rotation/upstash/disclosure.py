"""Whether a value shows a credential, as it is or in an encoding that a reader undoes at once."""

from __future__ import annotations

import base64
import codecs
import html
import re
import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

SHORTEST_PART: Final = 6
"""A shorter credential can be part of a text by chance. So it has to be the whole text."""
MAX_ESCAPES: Final = 3
"""Number of escapes around each other that are undone."""
MAX_GROWTH: Final = 3
"""How much longer an ASCII text can be without its escapes. One of 7 characters may stand for a
ligature of 18 letters."""
_ESCAPE: Final = re.compile(r"(?:\\x|\\u00|=)([0-9a-f]{2})", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"\b0x|[\W_]", re.IGNORECASE)


def disclosing(values: Mapping[str, object], credentials: Collection[str]) -> set[str]:
    """Return the names of the JSON values that show one of these credentials.

    A list counts as one text. Case, and characters between letters and digits, do not matter.
    """
    texts = {name: _text(value) for name, value in values.items()}
    found = {name for name, text in texts.items() if text in credentials}
    long_enough = [each for each in credentials if len(_joined(each)) >= SHORTEST_PART]
    if not long_enough:
        return found
    found |= {name for name, text in texts.items() if any(each in text for each in long_enough)}
    shortest = min(len(_joined(each)) for each in long_enough)
    # No encoding is shorter. Few values are so long, so most calls end before the slow part.
    plain = {
        name: _plain(text)
        for name, text in texts.items()
        if len(text) * MAX_GROWTH >= shortest or not text.isascii()
    }
    plain = {name: text for name, text in plain.items() if len(text) >= shortest}
    parts = _spellings(long_enough) if plain else []
    return found | {name for name, text in plain.items() if any(part in text for part in parts)}


def _spellings(credentials: Collection[str]) -> list[str]:
    """Return how a plain text may spell one of these credentials."""
    whole = [each.encode(code) for each in credentials for code in ("utf-8", "utf-16-le")]
    once = {form for each in whole for form in (*_texts(each), *_codes(each))}
    twice = {form for each in once for form in _texts(each.encode())}
    found = map(_joined, {*credentials, *once, *twice})
    return [each for each in found if len(each) >= SHORTEST_PART]


def _text(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(text: str) -> str:
    """Return the letters and digits of a text without its escapes, in lower case."""
    for _ in range(MAX_ESCAPES):
        text = html.unescape(unquote(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)))
    return _joined(unicodedata.normalize("NFKC", text))


def _joined(text: str) -> str:
    return _BETWEEN.sub("", text).casefold()


def _codes(secret: bytes) -> list[str]:
    """Return a secret as decimal and binary numbers."""
    return ["".join(map(str, secret)), "".join(f"{each:08b}" for each in secret)]


def _texts(secret: bytes) -> list[str]:
    """Return how other encodings spell a secret, wherever it stands in the encoded text."""
    text = secret.decode(errors="ignore")
    return [
        text[::-1],
        codecs.encode(text, "rot13"),
        quote(text, safe=""),
        secret.hex(),
        *(_inside(base64.b64encode, secret, before, 6) for before in range(3)),
        *(_inside(base64.b32encode, secret, before, 5) for before in range(5)),
    ]


def _inside(encode: Callable[[bytes], bytes], secret: bytes, before: int, bits: int) -> str:
    """Return what bytes before and after a secret leave of its encoding, at `bits` a character."""
    whole = encode(bytes(before) + secret).decode()
    end = 8 * (before + len(secret)) // bits
    return whole[-(-8 * before // bits) : end]
