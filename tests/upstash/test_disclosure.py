"""A value that shows a credential is recognised in whatever a reader undoes at once."""

from __future__ import annotations

import base64
import codecs
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.upstash.disclosure import disclosing

from ..support.payloads import DOCUMENTED

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "AYagACQg/NzJlZDM0+Y2It_Zz09"
SECRETS = [PASSWORD, "read-only-9f86d081884c7d65"]
B = PASSWORD.encode()


def shows(value: object, credentials: list[str]) -> bool:
    return disclosing({"a": "x", "b": value}, credentials) == {"b"}


ENCODINGS: dict[str, Callable[[bytes], Any]] = {
    "as it is": bytes.decode,
    "in a URL": lambda text: f"rediss://default:{text.decode()}@host:6379",
    "other case": lambda text: text.decode().swapcase(),
    "with separators": lambda text: "-".join(text.decode()),
    "over several lines": lambda text: text.decode()[:9] + "\n" + text.decode()[9:],
    "in a list": lambda text: ["x", text.decode()],
    "in parts of a list": lambda text: [text.decode()[:9], text.decode()[9:]],
    "reversed": lambda text: text.decode()[::-1],
    "rot13": lambda text: codecs.encode(text.decode(), "rot13"),
    "full width": lambda text: "".join(chr(each + 0xFEE0) for each in text),
    "percent": lambda text: quote(text, safe=""),
    "percent for each": lambda text: "".join(f"%{each:02x}" for each in text),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "entities": lambda text: "".join(f"&#{each};" for each in text),
    "json escapes": lambda text: "".join(f"\\u{each:04x}" for each in text),
    "some escapes": lambda text: f"\\x{text[0]:02x}" + text[1:].decode(),
    "hex": bytes.hex,
    "hex in upper case": lambda text: text.hex().upper(),
    "hex with colons": lambda text: "a" + text.hex(":"),
    "hex literals": lambda text: " ".join(map(hex, text)),
    "decimal codes": lambda text: " ".join(map(str, text)),
    "bits": lambda text: " ".join(f"{each:08b}" for each in text),
    "base32": lambda text: base64.b32encode(text).decode(),
    "base64": lambda text: base64.b64encode(text).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text).decode().rstrip("="),
    "base64 of basic auth": lambda text: f"Basic {base64.b64encode(b'default:' + text).decode()}",
    "base64 after a word": lambda text: f"key{base64.b64encode(text).decode()}",
    "base64 of UTF-16": lambda text: base64.b64encode(text.decode().encode("utf-16")).decode(),
    "base64 of hex": lambda text: base64.b64encode(text.hex().encode()).decode(),
    "base64 reversed": lambda text: base64.b64encode(text).decode()[::-1],
    "percent in base64": lambda text: base64.b64encode(quote(text, safe="").encode()).decode(),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_credential_is_recognised_in_an_encoding(encode: Callable[[bytes], Any]) -> None:
    assert shows(encode(B), SECRETS)
    assert not shows(encode(b"QQQAAAAAAAAAAAAAAAAAAAAAAAA"), SECRETS)


@given(st.text(min_size=1), st.text(), st.text())
def test_any_credential_is_recognised_between_any_texts(secret: str, a: str, b: str) -> None:
    secret += "-canary"
    assert shows(a + secret + b, [secret])


@given(st.binary(), st.sampled_from(SECRETS))
def test_any_value_is_searched_without_an_error(value: bytes, secret: str) -> None:
    for text in (value.decode("latin-1"), value.decode(errors="replace")):
        assert not shows(text, [secret])


def test_documented_values_show_nothing() -> None:
    for value in DOCUMENTED.values():
        assert not shows(value, SECRETS)
        assert not shows(value, [])


def test_short_credential_is_only_recognised_as_the_whole_value() -> None:
    assert shows("us", ["us"])
    assert shows(6379, ["6379"])
    assert not shows("us-east-1", ["us"])
