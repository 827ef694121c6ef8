"""The three credentials that a reset replaces, and the URLs that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        """Return the credentials in values by the API's names. An empty text counts as absent."""
        texts = {name: values.get(name) for name in CREDENTIAL_NAMES}
        return cls(**{name: text for name, text in texts.items() if isinstance(text, str) and text})

    def known(self) -> dict[str, str]:
        """Return the known credentials, in clear, by the API's names."""
        values = {name: getattr(self, name) for name in CREDENTIAL_NAMES}
        return {name: value for name, value in values.items() if value}

    def completed_by(self, other: Credentials) -> Credentials:
        """Return these credentials. `other` fills in those that are not known."""
        return Credentials(**{**other.known(), **self.known()})


CREDENTIAL_NAMES = tuple(each.name for each in fields(Credentials))
"""The API's names of the credentials."""


def connection_urls(
    endpoint: str | None, port: int | None, *, tls: bool | None, password: str | None
) -> dict[str, str]:
    """Return the URLs for clients: `redis_url` (with the password) and `rest_url`.

    A URL is left out if a part of it is not known.

    Args:
        endpoint: The API's `endpoint`. It is the first label of the host name, or the whole name.
        port: TCP port of the Redis endpoint.
        tls: False only if clients connect without TLS.
        password: The password, in clear.
    """
    if not endpoint:
        return {}
    authority = endpoint if "." in endpoint else f"{endpoint}.upstash.io"
    found = {"rest_url": f"https://{authority}"}
    host = _host(authority)
    if host and port and password:
        scheme = "redis" if tls is False else "rediss"
        found["redis_url"] = f"{scheme}://default:{quote(password, safe='')}@{host}:{port}"
    return found


def _host(authority: str) -> str:
    """Return the authority without a port. An IPv6 address keeps its brackets."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host
