"""URLs to which the provider may send a secret."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        return f"must be a URL such as {example}"
    if parts.username or parts.password:
        return "must not hold credentials. Set the e-mail and the API key separately"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return (
            "must use https. Plain http would show the API key to the network. It is allowed only "
            "to this machine (localhost, 127.0.0.1, [::1])"
        )
    return None
