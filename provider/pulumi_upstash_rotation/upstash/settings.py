"""Settings: the Upstash account's credentials and the API's URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.http.urls import base_url_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_API_URL: Final = "https://api.upstash.com"
CONFIG_KEYS: Final = (
    "upstash:email",
    "upstash:apiKey",
    "upstash:apiUrl",
    "upstash:maxConcurrency",
    "upstash:rateLimitWait",
)
DEFAULT_MAX_CONCURRENCY: Final = 64
MOST_MAX_CONCURRENCY: Final = 256
DEFAULT_RATE_LIMIT_WAIT: Final = 600
MOST_RATE_LIMIT_WAIT: Final = 3600
_MANY_DIGITS: Final = 20

_HOW_TO_SET = (
    "set both on this stack with `pulumi config set {0}:email you@example.com` and "
    "`pulumi config set --secret {0}:apiKey`. Or set UPSTASH_EMAIL and UPSTASH_API_KEY in the "
    "environment"
)


@dataclass(frozen=True)
class Settings:
    """An Upstash account and the URL of its Developer API.

    Attributes:
        email: The account's e-mail, the user name of the API.
        api_key: A Developer API key of that account. It must not be read-only.
        api_url: Base URL of the Developer API, without a trailing slash.
        max_concurrency: Maximum number of requests in flight at once, from 1 to 256.
        rate_limit_wait: Maximum time that a call waits for the API's rate limit in total, in
            seconds, from 0 to 3600.
    """

    email: str
    api_key: str = field(repr=False)
    api_url: str = DEFAULT_API_URL
    max_concurrency: int = DEFAULT_MAX_CONCURRENCY
    rate_limit_wait: int = DEFAULT_RATE_LIMIT_WAIT


def resolve_settings(
    config: Mapping[str, object], environ: Mapping[str, str], namespace: str = "upstash"
) -> Settings:
    """Return the settings from a stack's config, else from the environment.

    E-mail and API key must come from the same place. A stack config with only one of them is an
    error, even if the environment has the other.

    Args:
        config: The stack's config by full key, such as `upstash:apiKey`, secrets in clear.
        environ: The process's environment.
        namespace: The first part of each key.

    Raises:
        ConfigurationError: A setting is missing or malformed. The text states how to set it.
    """
    email_key, api_key_key = f"{namespace}:email", f"{namespace}:apiKey"
    how_to_set = _HOW_TO_SET.format(namespace)
    email, api_key = _text(config, email_key), _text(config, api_key_key)
    email_name, key_name = f"config {email_key}", f"config {api_key_key}"
    if not email and not api_key:
        email, api_key = _text(environ, "UPSTASH_EMAIL"), _text(environ, "UPSTASH_API_KEY")
        email_name, key_name = "environment variable UPSTASH_EMAIL", "UPSTASH_API_KEY"
        if not email and not api_key:
            raise ConfigurationError(f"no Upstash credentials (e-mail and API key): {how_to_set}")
    for value, name, other in ((email, email_name, key_name), (api_key, key_name, email_name)):
        if not value:
            raise ConfigurationError(
                f"{name} is missing although {other} is set. Both must come from one place: "
                f"{how_to_set}"
            )
    if "@" not in email or any(character.isspace() for character in email):
        raise ConfigurationError(f"{email_name} must be the account's e-mail address")
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ConfigurationError(
            f"{key_name} contains spaces or invalid characters; copy the key again"
        )
    return Settings(
        email=email,
        api_key=api_key,
        api_url=_api_url(config, environ, f"{namespace}:apiUrl"),
        max_concurrency=_number(
            config,
            environ,
            (f"{namespace}:maxConcurrency", "UPSTASH_MAX_CONCURRENCY"),
            "requests in flight",
            (1, DEFAULT_MAX_CONCURRENCY, MOST_MAX_CONCURRENCY),
        ),
        rate_limit_wait=_number(
            config,
            environ,
            (f"{namespace}:rateLimitWait", "UPSTASH_RATE_LIMIT_WAIT"),
            "seconds",
            (0, DEFAULT_RATE_LIMIT_WAIT, MOST_RATE_LIMIT_WAIT),
        ),
    )


def _text(source: Mapping[str, object], key: str) -> str:
    """Return a value without surrounding white space. A copy from a console may add some."""
    value = source.get(key)
    return "" if value is None else str(value).strip()


def _api_url(config: Mapping[str, object], environ: Mapping[str, str], config_key: str) -> str:
    for source, key, name in (
        (config, config_key, f"config {config_key}"),
        (environ, "UPSTASH_API_URL", "environment variable UPSTASH_API_URL"),
    ):
        if url := _text(source, key):
            if problem := base_url_problem(url, DEFAULT_API_URL):
                raise ConfigurationError(f"{name} {problem}")
            return url.rstrip("/")
    return DEFAULT_API_URL


def _number(
    config: Mapping[str, object],
    environ: Mapping[str, str],
    keys: tuple[str, str],
    unit: str,
    limits: tuple[int, int, int],
) -> int:
    """Return a whole number from the config, else from the environment, else the default one."""
    least, default, most = limits
    for source, key, name in (
        (config, keys[0], f"config {keys[0]}"),
        (environ, keys[1], f"environment variable {keys[1]}"),
    ):
        if text := _text(source, key):
            # A short text, because int() rejects one of several thousand digits.
            if text.isdecimal() and text.isascii() and len(text) < _MANY_DIGITS:
                number = int(text)
                if least <= number <= most:
                    return number
            raise ConfigurationError(
                f"{name} must be a whole number of {unit}, from {least} to {most}"
            )
    return default
