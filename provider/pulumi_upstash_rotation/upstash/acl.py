"""The ACL commands of a Redis database at Upstash, and their replies.

Source: Upstash's documentation of `ACL SETUSER`, `GETUSER`, `DELUSER` and `GENTOKEN`. A token is
the password of a user and also a Bearer token of the REST API.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .credentials import is_credential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .redis_rest import Command


@dataclass(frozen=True)
class AclUser:
    """A user, as `ACL GETUSER` shows it.

    Attributes:
        digests: The SHA-256 digests of its tokens, in hexadecimal.
        rules: Flags, commands, keys and channels, each as a text that can be compared. The database
            writes rules in its own words, never as they were set.
    """

    digests: frozenset[str] = field(repr=False)
    rules: Mapping[str, str]


def generate_token(user: str) -> Command:
    """Return the command that makes a token for a user. It changes nothing in the database."""
    return ("ACL", "GENTOKEN", user)


def get_user(user: str) -> Command:
    """Return the command that reads a user."""
    return ("ACL", "GETUSER", user)


def set_user(user: str, rules: Sequence[str], token: str | None) -> Command:
    """Return the command that gives a user these rules and no others, and one more token.

    One command sets all, so a client never meets a user without permissions. Earlier tokens stay.
    """
    # Without `resetchannels`, Redis 6.2 would allow all channels and later versions none.
    before = ("on", "resetkeys", "resetchannels", "nocommands")
    return ("ACL", "SETUSER", user, *before, *rules, *((f">{token}",) if token else ()))


def remove_token(user: str, token: str) -> Command:
    """Return the command that removes a token. It is an error if the user does not have it."""
    return ("ACL", "SETUSER", user, f"<{token}")


def delete_user(user: str) -> Command:
    """Return the command that deletes a user and closes its connections."""
    return ("ACL", "DELUSER", user)


def parse_token(value: object) -> str:
    """Return the token in a reply to `ACL GENTOKEN`.

    Raises:
        ValueError: It is no token.
    """
    if not (is_credential(value) and value.isascii() and value.isprintable()):
        raise ValueError("no token")
    return value


def parse_user(value: object) -> AclUser | None:
    """Return the user in a reply to `ACL GETUSER`. None if there is no such user.

    Raises:
        ValueError: It is no user.
    """
    if value is None:
        return None
    if isinstance(value, list) and len(value) % 2 == 0 and all(map(_is_text, value[::2])):
        value = dict(zip(value[::2], value[1::2], strict=True))
    passwords = value.get("passwords") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(passwords, list):
        raise ValueError("no user")  # noqa: TRY004  a reply, not an argument
    return AclUser(
        frozenset(map(str, passwords)),
        {name: _comparable(item) for name, item in value.items() if name != "passwords"},
    )


def digest(token: str) -> str:
    """Return the digest of a token, as `ACL GETUSER` shows it in Redis."""
    return hashlib.sha256(token.encode()).hexdigest()


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _comparable(value: Any) -> str:  # noqa: ANN401  any JSON value
    return json.dumps(sorted(value, key=str) if isinstance(value, list) else value, sort_keys=True)
