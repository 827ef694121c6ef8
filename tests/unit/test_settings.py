"""Where credentials come from, and the one line for each way they can be wrong."""

from __future__ import annotations

import pytest

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.settings import DEFAULT_API_URL, Settings, resolve_settings

CONFIG = {"upstash:email": "a@b.c", "upstash:apiKey": "config-key"}
ENVIRON = {"UPSTASH_EMAIL": "e@f.g", "UPSTASH_API_KEY": "environment-key"}


def test_the_stacks_config_comes_first() -> None:
    assert resolve_settings(CONFIG, ENVIRON) == Settings("a@b.c", "config-key", DEFAULT_API_URL)


def test_the_environment_comes_second() -> None:
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
def test_the_apis_address_can_be_set(
    config: dict[str, str], environ: dict[str, str], url: str
) -> None:
    assert resolve_settings({**CONFIG, **config}, environ).api_url == url


def test_white_space_around_a_copied_value_is_dropped() -> None:
    settings = resolve_settings({}, {"UPSTASH_EMAIL": "a@b.c\n", "UPSTASH_API_KEY": " key\n"})
    assert settings == Settings("a@b.c", "key")


HOW = (
    "set both on this stack with `pulumi config set upstash:email you@example.com` and "
    "`pulumi config set --secret upstash:apiKey`, or both in the environment as UPSTASH_EMAIL and "
    "UPSTASH_API_KEY"
)


@pytest.mark.parametrize(
    ("config", "environ", "text"),
    [
        ({}, {}, f"no Upstash credentials: {HOW}"),
        (
            {"upstash:email": "a@b.c"},
            ENVIRON,
            "config upstash:apiKey is missing although config upstash:email is set; they are never "
            f"taken from two places: {HOW}",
        ),
        (
            {"upstash:apiKey": "key"},
            ENVIRON,
            "config upstash:email is missing although config upstash:apiKey is set; they are never "
            f"taken from two places: {HOW}",
        ),
        (
            {},
            {"UPSTASH_API_KEY": "key"},
            "environment variable UPSTASH_EMAIL is missing although UPSTASH_API_KEY is set; they "
            f"are never taken from two places: {HOW}",
        ),
        (
            {**CONFIG, "upstash:email": "nobody"},
            {},
            "config upstash:email must be an e-mail address, the account's",
        ),
        (
            {**CONFIG, "upstash:apiKey": "two words"},
            {},
            "config upstash:apiKey must be one word without white space, as issued",
        ),
        (
            {**CONFIG, "upstash:apiKey": "two\nlines"},
            {},
            "config upstash:apiKey must be one word without white space, as issued",
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
        (
            {**CONFIG, "upstash:apiUrl": "http://api.upstash.com"},
            {},
            "config upstash:apiUrl must use https: plain http, which would show the API key to the "
            "network, is allowed to this machine only (localhost, 127.0.0.1, [::1])",
        ),
        (
            {**CONFIG, "upstash:apiUrl": "http://127.0.0.1.evil.test"},
            {},
            "config upstash:apiUrl must use https: plain http, which would show the API key to the "
            "network, is allowed to this machine only (localhost, 127.0.0.1, [::1])",
        ),
        (
            {**CONFIG, "upstash:apiUrl": "https://user:pass@x.test"},
            {},
            f"config upstash:apiUrl must not hold credentials; {HOW}",
        ),
    ],
)
def test_each_mistake_has_one_line(
    config: dict[str, str], environ: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve_settings(config, environ)
    assert str(raised.value) == text
    assert "\n" not in text


def test_the_api_key_is_not_in_the_repr() -> None:
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
def test_how_many_requests_there_may_be_can_be_set(
    config: dict[str, object], environ: dict[str, str], expected: int
) -> None:
    assert resolve_settings({**CONFIG, **config}, environ).max_concurrency == expected


@pytest.mark.parametrize("value", ["0", "257", "-1", "1.5", "many", "٣", True])
def test_a_bad_number_of_requests_is_one_line(value: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve_settings({**CONFIG, "upstash:maxConcurrency": value}, {})
    assert str(raised.value) == (
        "config upstash:maxConcurrency must be how many requests there may be at once, from 1 to "
        "256"
    )
