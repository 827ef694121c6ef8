"""The header that says who sends a request."""

from __future__ import annotations

import pytest
import requests

from pulumi_upstash_rotation.http.authentication import Bearer, basic


def header(auth: requests.auth.AuthBase) -> object:
    request = requests.Request("GET", "http://127.0.0.1", auth=auth).prepare()
    return request.headers["Authorization"]


@pytest.mark.parametrize(
    ("token", "sent"),
    [("gwAAAA-1", b"Bearer gwAAAA-1"), ("é", b"Bearer \xc3\xa9"), ("\ud800", b"Bearer ?")],
)
def test_bearer_token_is_sent_as_utf_8(token: str, sent: bytes) -> None:
    """requests would take Latin-1 for a text."""
    assert header(Bearer(token)) == sent


def test_bearer_hides_its_token() -> None:
    assert "canary" not in repr(Bearer("canary"))


def test_user_and_password_are_sent_as_utf_8() -> None:
    assert header(basic("é", "ü")) == "Basic w6k6w7w="
