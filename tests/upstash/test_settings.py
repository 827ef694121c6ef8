"""Where credentials come from, and the one line for each mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.upstash.settings import (
    CONFIG_KEYS,
    DEFAULT_API_URL,
    Settings,
    resolve_settings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = {"upstash:email": "a@b.c", "upstash:apiKey": "config-key"}
ENVIRON = {"UPSTASH_EMAIL": "e@f.g", "UPSTASH_API_KEY": "environment-key"}


def test_config_of_the_stack_counts_before_the_environment() -> None:
    assert resolve_settings(CONFIG, ENVIRON) == Settings("a@b.c", "config-key", DEFAULT_API_URL)


def test_environment_counts_where_the_config_is_empty() -> None:
    config = {"upstash:email": None, "upstash:apiKey": ""}
    assert resolve_settings(config, ENVIRON) == Settings("e@f.g", "environment-key")


@pytest.mark.parametrize(
    ("config", "environ", "url"),
    [
        (
            {"upstash:apiUrl": "https://x.test/"},
            {"UPSTASH_API_URL": "https://y.test"},
            "https://x.test",
        ),
        ({}, {"UPSTASH_API_URL": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({}, {"UPSTASH_API_URL": "http://[::1]:8080/prefix/"}, "http://[::1]:8080/prefix"),
        ({}, {"UPSTASH_API_URL": "http://localhost"}, "http://localhost"),
        ({}, {"UPSTASH_API_URL": " "}, DEFAULT_API_URL),
    ],
)
def test_address_of_the_api_can_be_set(
    config: dict[str, str], environ: dict[str, str], url: str
) -> None:
    assert resolve_settings({**CONFIG, **config}, environ).api_url == url


def test_white_space_around_a_copied_value_is_dropped() -> None:
    settings = resolve_settings({}, {"UPSTASH_EMAIL": "a@b.c\n", "UPSTASH_API_KEY": " key\n"})
    assert settings == Settings("a@b.c", "key")


HOW = (
    "set both on this stack with `pulumi config set upstash:email you@example.com` and "
    "`pulumi config set --secret upstash:apiKey`. Or set UPSTASH_EMAIL and UPSTASH_API_KEY in the "
    "environment"
)


@pytest.mark.parametrize(
    ("config", "environ", "text"),
    [
        ({}, {}, f"no Upstash credentials (e-mail and API key): {HOW}"),
        (
            {"upstash:email": "a@b.c"},
            ENVIRON,
            "config upstash:apiKey is missing although config upstash:email is set. Both must "
            f"come from one place: {HOW}",
        ),
        (
            {"upstash:apiKey": "key"},
            ENVIRON,
            "config upstash:email is missing although config upstash:apiKey is set. Both must "
            f"come from one place: {HOW}",
        ),
        (
            {},
            {"UPSTASH_API_KEY": "key"},
            "environment variable UPSTASH_EMAIL is missing although UPSTASH_API_KEY is set. Both "
            f"must come from one place: {HOW}",
        ),
        (
            {**CONFIG, "upstash:email": "nobody"},
            {},
            "config upstash:email must be the account's e-mail address",
        ),
        (
            {**CONFIG, "upstash:apiKey": "two words"},
            {},
            "config upstash:apiKey contains spaces or invalid characters; copy the key again",
        ),
        (
            {**CONFIG, "upstash:apiKey": "two\nlines"},
            {},
            "config upstash:apiKey contains spaces or invalid characters; copy the key again",
        ),
        (
            {**CONFIG, "upstash:apiKey": "schlüssel"},
            {},
            "config upstash:apiKey contains spaces or invalid characters; copy the key again",
        ),
        (
            {},
            {**ENVIRON, "UPSTASH_EMAIL": "a b@c.d"},
            "environment variable UPSTASH_EMAIL must be the account's e-mail address",
        ),
        (
            {**CONFIG, "upstash:apiUrl": "api.upstash.com"},
            {},
            "config upstash:apiUrl must be a URL such as https://api.upstash.com",
        ),
        (
            CONFIG,
            {"UPSTASH_API_URL": "https://x:bad"},
            "environment variable UPSTASH_API_URL must be a URL such as https://api.upstash.com",
        ),
        (
            {**CONFIG, "upstash:apiUrl": "ftp://x"},
            {},
            "config upstash:apiUrl must be a URL such as https://api.upstash.com",
        ),
        *(
            (
                {**CONFIG, "upstash:apiUrl": f"https://{host}"},
                {},
                "config upstash:apiUrl must be a URL such as https://api.upstash.com",
            )
            for host in (
                "a..b",
                "*.test",
                "x" * 70,
                "\u00fc\u2603.test",
                "vm\t:1",
                "vm:1/a b",
                "-a.b",
                "a" * 300,
            )
        ),
        (
            {**CONFIG, "upstash:apiUrl": "http://api.upstash.com"},
            {},
            "config upstash:apiUrl must use https. Plain http would show the API key to the "
            "network. It is allowed only to this machine (localhost, 127.0.0.1, [::1])",
        ),
        (
            {**CONFIG, "upstash:apiUrl": "http://127.0.0.1.evil.test"},
            {},
            "config upstash:apiUrl must use https. Plain http would show the API key to the "
            "network. It is allowed only to this machine (localhost, 127.0.0.1, [::1])",
        ),
        (
            {**CONFIG, "upstash:apiUrl": "https://user:pass@x.test"},
            {},
            (
                "config upstash:apiUrl must not hold credentials. Set the e-mail and the API key "
                "separately"
            ),
        ),
    ],
)
def test_mistake_is_a_configuration_error_of_one_line(
    config: dict[str, str], environ: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve_settings(config, environ)
    assert str(raised.value) == text
    assert "\n" not in text


def test_api_key_is_not_in_the_repr() -> None:
    assert "config-key" not in repr(resolve_settings(CONFIG, {}))


@pytest.mark.parametrize(
    ("config", "environ", "expected"),
    [
        ({}, {}, 64),
        ({"upstash:maxConcurrency": "8"}, {"UPSTASH_MAX_CONCURRENCY": "9"}, 8),
        ({"upstash:maxConcurrency": 256}, {}, 256),
        ({}, {"UPSTASH_MAX_CONCURRENCY": "1"}, 1),
    ],
)
def test_most_requests_in_flight_can_be_set(
    config: dict[str, object], environ: dict[str, str], expected: int
) -> None:
    assert resolve_settings({**CONFIG, **config}, environ).max_concurrency == expected


@pytest.mark.parametrize(
    ("config", "environ", "expected"),
    [
        ({}, {}, 600),
        ({"upstash:rateLimitWait": "60"}, {"UPSTASH_RATE_LIMIT_WAIT": "70"}, 60),
        ({"upstash:rateLimitWait": 3600}, {}, 3600),
        ({}, {"UPSTASH_RATE_LIMIT_WAIT": "0"}, 0),
    ],
)
def test_wait_for_the_rate_limit_can_be_set(
    config: dict[str, object], environ: dict[str, str], expected: int
) -> None:
    assert resolve_settings({**CONFIG, **config}, environ).rate_limit_wait == expected


@pytest.mark.parametrize("value", ["3601", "-1", "1.5", "long", "٣", True, "9" * 5000])
def test_wait_out_of_range_is_a_configuration_error(value: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve_settings({**CONFIG, "upstash:rateLimitWait": value}, {})
    assert str(raised.value) == (
        "config upstash:rateLimitWait must be a whole number of seconds, from 0 to 3600"
    )


@pytest.mark.parametrize("value", ["0", "257", "-1", "1.5", "many", "٣", True, "9" * 5000])
def test_number_of_requests_out_of_range_is_a_configuration_error(value: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve_settings({**CONFIG, "upstash:maxConcurrency": value}, {})
    assert str(raised.value) == (
        "config upstash:maxConcurrency must be a whole number of requests in flight, from 1 to 256"
    )


def test_config_keys_are_those_that_are_read() -> None:
    read: set[str] = set()

    class Recording(dict[str, str]):
        def get(self, key: str, default: object = None) -> object:
            read.add(key)
            return super().get(key, default)

    resolve_settings(Recording(CONFIG), {})
    assert read == set(CONFIG_KEYS)


def line_of(config: Mapping[str, object]) -> str:
    """Return what a user may see: an error's text, or the settings' repr."""
    try:
        return repr(resolve_settings(config, {}))
    except ConfigurationError as error:
        return str(error)


@given(st.text(), st.text())
def test_no_text_holds_the_api_key(before: str, after: str) -> None:
    line = line_of({**CONFIG, "upstash:apiKey": f"{before}canary{after}"})
    assert "canary" not in line
    assert "\n" not in line


@given(st.text())
def test_no_text_holds_the_credentials_of_a_url(password: str) -> None:
    line = line_of({**CONFIG, "upstash:apiUrl": f"https://user:canary{password}@x.test"})
    assert "canary" not in line
    assert line.startswith("config upstash:apiUrl must ")


def test_another_package_has_its_own_keys() -> None:
    config = {"other:email": "a@b.c", "other:apiKey": "key", "upstash:apiUrl": "no url"}
    assert resolve_settings(config, {}, "other") == Settings("a@b.c", "key")
    assert resolve_settings(CONFIG, ENVIRON, "other") == Settings("e@f.g", "environment-key")


@pytest.mark.parametrize("key", ["apiUrl", "maxConcurrency", "rateLimitWait"])
def test_problem_of_another_package_names_its_own_key(key: str) -> None:
    config = {"other:email": "a@b.c", "other:apiKey": "key", f"other:{key}": "canary"}
    with pytest.raises(ConfigurationError, match=f"^config other:{key} must be") as raised:
        resolve_settings(config, {}, "other")
    assert "canary" not in str(raised.value)
