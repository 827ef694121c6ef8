"""The three credentials that a reset replaces, the login of an ACL user, URLs, and labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CREDENTIAL_LENGTH: Final = 4096
"""Longest text that counts as a credential. Upstash's own are far shorter."""
MAX_SHOWN_NAME: Final = 64
"""Number of characters of a database's name that a message shows."""
_MASKED: Final = re.compile(
    r"[*\u2022\u25cf]{3}|\s|^[\W_]+$|"
    r"^(x{4,}|<.*>|\[.*\]|\(.*\)|n/?a|protected|hidden|masked|redacted|none|null)$",
    re.IGNORECASE,
)
"""A text that only stands for a credential, such as `********`. Upstash's own have no space."""


@dataclass(frozen=True)
class Credentials:
    """Credentials of one database, in clear. Each may be None if it is not known.

    Attributes:
        password: Password of the Redis user `default`.
        rest_token: Standard token of the REST API, as powerful as the password.
        read_only_rest_token: Read-only token of the REST API.
    """

    password: str | None = field(default=None, repr=False)
    rest_token: str | None = field(default=None, repr=False)
    read_only_rest_token: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Return whether any of them is known."""
        return bool(self.known())

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Credentials:
        """Return the credentials in values by the API's names. Any other text counts as absent."""
        texts = {name: values.get(name) for name in CREDENTIAL_NAMES}
        return cls(**{name: text for name, text in texts.items() if is_credential(text)})

    def known(self) -> dict[str, str]:
        """Return the known credentials, in clear, by the API's names."""
        values = {name: getattr(self, name) for name in CREDENTIAL_NAMES}
        return {name: value for name, value in values.items() if value}

    def completed_by(self, other: Credentials) -> Credentials:
        """Return these credentials. `other` fills in those that are not known."""
        return Credentials(**{**other.known(), **self.known()})


@dataclass(frozen=True)
class UserLogin:
    """What a login as an ACL user needs.

    Attributes:
        user: Name of the user.
        token: Its token. It is the user's password and its Bearer token.
        redis_url: URL of the database for Redis clients. None if it is not known. Only its scheme,
            host and port count.
        rest_url: Base URL for REST clients.
        label: What messages call it.
    """

    user: str
    token: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    rest_url: str
    label: str


def is_credential(value: object) -> TypeGuard[str]:
    """Return whether a value can be a credential: a text that is not empty, masked or huge."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_CREDENTIAL_LENGTH
        and not _MASKED.search(value)
    )


CREDENTIAL_NAMES = tuple(each.name for each in fields(Credentials))
"""The API's names of the credentials."""


def database_label(database_id: str, name: str | None) -> str:
    """Return what messages call a database: its name, if that is known, and its id."""
    if not name:
        return f"Redis database {database_id!r}"
    return f"Redis database {name[:MAX_SHOWN_NAME]!a} ({database_id})"


def connection_urls(
    endpoint: str | None,
    port: int | None,
    *,
    tls: bool | None,
    password: str | None,
    user: str = "default",
) -> dict[str, str]:
    """Return the URLs for clients: `redis_url` (with the password) and `rest_url`.

    A URL is left out if a part of it is not known.

    Args:
        endpoint: The API's `endpoint`. It is the first label of the host name, or the whole name.
        port: TCP port of the Redis endpoint.
        tls: False only if clients connect without TLS.
        password: The password, in clear.
        user: Name of the Redis user.
    """
    if not endpoint:
        return {}
    authority = endpoint if "." in endpoint else f"{endpoint}.upstash.io"
    found = {"rest_url": f"https://{authority}"}
    host = _host(authority)
    if host and port and password:
        scheme = "redis" if tls is False else "rediss"
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        found["redis_url"] = f"{scheme}://{login}@{host}:{port}"
    return found


def _host(authority: str) -> str:
    """Return the authority without a port. An IPv6 address keeps its brackets."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host
