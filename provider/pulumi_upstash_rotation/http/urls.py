"""URLs to which the provider may send a secret."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"(?!.{{254}}){_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address belongs to this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def base_url_problem(url: str, example: str) -> str | None:
    """Return the problem of a base URL to which credentials go. None if it is allowed.

    Args:
        url: The URL that a user has set.
        example: A URL that is allowed, for the message.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  a read checks it
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in {"http", "https"}
        or not _is_host(parts.hostname or "")
        or not (url.isascii() and url.isprintable() and " " not in url)
        or parts.query
        or parts.fragment
    ):
        return f"must be a URL such as {example}"
    if parts.username or parts.password:
        return "must not hold credentials. Set the e-mail and the API key separately"
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        return (
            "must use https. Plain http would show the API key to the network. It is allowed only "
            "to this machine (localhost, 127.0.0.1, [::1])"
        )
    return None


def _is_host(host: str) -> bool:
    """Return whether a text is an address or a host name in ASCII, as DNS has it."""
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
