"""Addresses that a secret may travel to."""

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
    """Return what is wrong with the base URL of an API that needs credentials; None if nothing.

    Args:
        url: What a user has set.
        example: A URL that is allowed, for the message.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  reading it is what checks it
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        return f"must be a URL such as {example}"
    if parts.username or parts.password:
        return "must not hold credentials. Set the e-mail and the API key apart from it"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return (
            "must use https. Plain http would show the API key to the network; it is allowed only "
            "to this machine (localhost, 127.0.0.1, [::1])"
        )
    return None
