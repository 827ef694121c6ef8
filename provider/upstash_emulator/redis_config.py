"""The configuration of a redis-server, in which every password is a SHA-256 digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from .certificates import Certificates
    from .credentials import Credentials

ADMIN: Final = "emulator"
"""The Redis user that the emulator itself is."""

USERS: Final = {
    "default": "~* &* +@all -@admin +client|id +client|getname +client|setname +acl|whoami",
    "default_ro": "~* &* -@all +@read -keys -scan +ping +echo +client|id +client|setname",
}
"""What the two users of every database may do; `default_ro` reads, but cannot list the keys."""


def configuration(
    socket_path: Path,
    credentials: Credentials,
    admin_secret: str,
    certificates: Certificates | None,
) -> str:
    """Return the configuration of a server that listens on a Unix socket only, and saves nothing.

    Args:
        socket_path: Where the socket shall be.
        credentials: What opens the database.
        admin_secret: Password of the user `ADMIN`.
        certificates: What to present on a TLS port that is opened later; None for plain Redis.
    """
    lines = [
        "port 0",
        "bind 127.0.0.1",
        f'unixsocket "{socket_path}"',
        "unixsocketperm 700",
        'save ""',
        "appendonly no",
        "databases 1",
    ]
    for name, hashes in digests(credentials).items():
        lines.append(f"user {name} on {' '.join(hashes)} {USERS[name]}")
    lines.append(f"user {ADMIN} on {_digest(admin_secret)} ~* &* +@all")
    if certificates:
        lines += [
            f'tls-cert-file "{certificates.certificate}"',
            f'tls-key-file "{certificates.key}"',
            "tls-auth-clients no",
        ]
    return "\n".join(lines) + "\n"


def digests(credentials: Credentials) -> dict[str, list[str]]:
    """Return what identifies each user, in the form that ACL rules take."""
    return {
        "default": [_digest(credentials.password), _digest(credentials.rest_token)],
        "default_ro": [_digest(credentials.read_only_rest_token)],
    }


def _digest(secret: str) -> str:
    return "#" + hashlib.sha256(secret.encode()).hexdigest()
