"""The credentials of a database, how they complete one another, and the URLs that hold them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.upstash.credentials import (
    CREDENTIAL_NAMES,
    Credentials,
    connection_urls,
    is_credential,
)

from ..support.payloads import CREDENTIALS, JSON, WITH_CREDENTIALS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
SOME = st.builds(Credentials, *[st.none() | TEXT.filter(is_credential)] * 3)


def test_names_are_those_of_the_api() -> None:
    assert tuple(CREDENTIALS) == CREDENTIAL_NAMES


def test_credentials_are_found_among_other_values() -> None:
    assert Credentials.of(WITH_CREDENTIALS) == Credentials(**CREDENTIALS)


@pytest.mark.parametrize("value", [None, "", 7, True, ["x"], {"x": 1}])
def test_value_that_is_not_a_text_counts_as_absent(value: object) -> None:
    found = Credentials.of({"password": value, "rest_token": "token"})
    assert found == Credentials(rest_token="token")


@pytest.mark.parametrize(
    "value",
    [
        "********",
        "abcd***********",
        "\u2022" * 8,
        "xxxxxxxx",
        "<hidden>",
        "[REDACTED]",
        "null",
        "N/A",
        "(hidden)",
        "----------",
        "\u2588" * 6,
        "Credential Protection is enabled",
        "protected",
        "x" * 5000,
    ],
)
def test_text_that_only_stands_for_a_credential_counts_as_absent(value: str) -> None:
    assert Credentials.of({"password": value}) == Credentials()


@given(SOME)
def test_known_credentials_are_read_back(credentials: Credentials) -> None:
    assert Credentials.of(credentials.known()) == credentials
    assert bool(credentials) == bool(credentials.known())


@given(SOME, SOME)
def test_completed_credentials_keep_their_own(mine: Credentials, other: Credentials) -> None:
    completed = mine.completed_by(other).known()
    assert completed == {**other.known(), **mine.known()}


@given(st.dictionaries(st.sampled_from(CREDENTIAL_NAMES) | st.text(), JSON))
def test_credentials_of_any_values_are_texts(values: dict[str, Any]) -> None:
    for name, text in Credentials.of(values).known().items():
        assert values[name] == text != ""


def test_no_credential_is_in_a_repr() -> None:
    assert "canary" not in repr(Credentials(**CREDENTIALS))


HOST = "beloved-stallion-58500.upstash.io"
PASSWORD = "default:pw%2Fcanary%2B1"


@pytest.mark.parametrize(
    ("changes", "redis_url", "rest_url"),
    [
        ({}, f"rediss://{PASSWORD}@{HOST}:6379", f"https://{HOST}"),
        (
            {"endpoint": "x.upstash.io", "port": 30000},
            f"rediss://{PASSWORD}@x.upstash.io:30000",
            "https://x.upstash.io",
        ),
        ({"tls": False}, f"redis://{PASSWORD}@{HOST}:6379", f"https://{HOST}"),
        ({"tls": None}, f"rediss://{PASSWORD}@{HOST}:6379", f"https://{HOST}"),
        (
            {"endpoint": "127.0.0.1:8443", "port": 7000},
            f"rediss://{PASSWORD}@127.0.0.1:7000",
            "https://127.0.0.1:8443",
        ),
        (
            {"endpoint": "[::1.2.3.4]:8443", "port": 7000},
            f"rediss://{PASSWORD}@[::1.2.3.4]:7000",
            "https://[::1.2.3.4]:8443",
        ),
        ({"port": None}, None, f"https://{HOST}"),
        ({"port": 0}, None, f"https://{HOST}"),
        ({"password": None}, None, f"https://{HOST}"),
        ({"endpoint": None}, None, None),
        ({"endpoint": ""}, None, None),
        ({"endpoint": "[::1.x"}, None, "https://[::1.x"),
    ],
)
def test_url_is_complete_or_absent(
    changes: dict[str, Any], redis_url: str | None, rest_url: str | None
) -> None:
    parts = {
        "endpoint": "beloved-stallion-58500",
        "port": 6379,
        "tls": True,
        "password": CREDENTIALS["password"],
        **changes,
    }
    expected = {"redis_url": redis_url, "rest_url": rest_url}
    assert connection_urls(**parts) == {name: url for name, url in expected.items() if url}


@given(TEXT)
def test_any_password_survives_the_url(password: str) -> None:
    url = connection_urls("x", 1, tls=True, password=password)["redis_url"]
    parts = urlsplit(url)
    assert (parts.username, parts.hostname, parts.port) == ("default", "x.upstash.io", 1)
    assert unquote(parts.password or "") == password
