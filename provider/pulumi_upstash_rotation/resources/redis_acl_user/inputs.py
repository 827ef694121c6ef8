"""The arguments of the three resources of a `RedisAclUser`, and their checks.

A program declares a part of them. The component adds the outputs of one resource to the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.resources.databases import database_id_problem
from pulumi_upstash_rotation.rotation import inputs as rotation
from pulumi_upstash_rotation.upstash.credentials import is_credential
from pulumi_upstash_rotation.values import UNKNOWN, Unknown, has_unknown

from .rules import rules_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME: Final = "RedisAclUser"
"""Name of the component, as programs know it."""
MAX_GRACE_SECONDS: Final = 300
DEFAULT_GRACE_SECONDS: Final = 2.0
_USERNAME: Final = re.compile(r"[!-~]{1,128}")
_PROTECTED: Final = ("default", "default_ro")
"""The users of the database's own password and tokens. Upstash lets nobody change them."""


@dataclass(frozen=True, kw_only=True)
class UserAddress:
    """Which user of which database, and how to reach it.

    Attributes:
        database_id: Id of the database.
        username: Name of the user.
        admin_token: Standard token of the database's REST API. Necessary only if the Developer API
            does not return it, as with Credential Protection.
    """

    database_id: str | Unknown
    username: str | Unknown
    admin_token: str | Unknown | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class DeclaredToken(rotation.DeclaredRotation, UserAddress):
    """The declared arguments of the token. In a preview, any of them may be unknown.

    Attributes:
        existing_token: The token to adopt if `rotate_on_create` is False.
    """

    existing_token: str | Unknown | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class KnownToken(rotation.KnownRotation, DeclaredToken):
    """The same for a create or update, when all values are known."""

    database_id: str
    username: str
    admin_token: str | None = field(default=None, repr=False)
    existing_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class DeclaredUser(UserAddress):
    """The declared arguments of the user. In a preview, any of them may be unknown.

    Attributes:
        rules: Its ACL rules.
        token: Its current token.
        previous_tokens: Its earlier tokens, the newest first. Some may no longer be live.
        credential_fingerprint: Fingerprint of the current token.
        redis_url: URL for Redis clients, with the current token.
        rest_url: Base URL of the REST API.
        adopt_existing: Whether to take over a user that exists and has none of these tokens.
        retires: True if the program declares a retirement of the earlier tokens. With False the
            two newest tokens stay live, and a rotation removes those before. False by default.
        verify: Whether to log in with a new token.
        verify_timeout: Maximum time of a verification, in seconds.
    """

    rules: Sequence[str] | Unknown
    token: str | Unknown = field(repr=False)
    previous_tokens: Sequence[str] | Unknown = field(default=(), repr=False)
    credential_fingerprint: str | Unknown = ""
    redis_url: str | Unknown = field(repr=False)
    rest_url: str | Unknown
    adopt_existing: bool | Unknown = False
    retires: bool | Unknown = False
    verify: bool | Unknown = True
    verify_timeout: float | Unknown = rotation.DEFAULT_VERIFY_TIMEOUT_SECONDS


@dataclass(frozen=True, kw_only=True)
class KnownUser(rotation.Known, DeclaredUser):
    """The same for a create or update, when all values are known."""

    database_id: str
    username: str
    admin_token: str | None = field(default=None, repr=False)
    rules: Sequence[str]
    token: str = field(repr=False)
    previous_tokens: Sequence[str] = field(default=(), repr=False)
    credential_fingerprint: str = ""
    redis_url: str = field(repr=False)
    rest_url: str
    adopt_existing: bool = False
    retires: bool = False
    verify: bool = True
    verify_timeout: float = rotation.DEFAULT_VERIFY_TIMEOUT_SECONDS


@dataclass(frozen=True, kw_only=True)
class DeclaredRetirement(UserAddress):
    """The declared arguments of the retirement. In a preview, any of them may be unknown.

    Attributes:
        token: The current token, which stays.
        previous_tokens: The earlier tokens, which it removes.
        credential_fingerprint: Fingerprint of the current token.
        stale_consumers: Names of consumers whose outputs still show an earlier token. With any, all
            tokens stay. Empty by default.
        grace_seconds: Time between the last consumer's update and the removal, in seconds.
    """

    token: str | Unknown = field(repr=False)
    previous_tokens: Sequence[str] | Unknown = field(default=(), repr=False)
    credential_fingerprint: str | Unknown
    stale_consumers: Sequence[str] | Unknown = ()
    grace_seconds: float | Unknown = DEFAULT_GRACE_SECONDS


@dataclass(frozen=True, kw_only=True)
class KnownRetirement(rotation.Known, DeclaredRetirement):
    """The same for a create or update, when all values are known."""

    database_id: str
    username: str
    admin_token: str | None = field(default=None, repr=False)
    token: str = field(repr=False)
    previous_tokens: Sequence[str] = field(default=(), repr=False)
    credential_fingerprint: str
    stale_consumers: Sequence[str] = ()
    grace_seconds: float = DEFAULT_GRACE_SECONDS


def _username_problem(value: object) -> str | None:
    if isinstance(value, str) and value in _PROTECTED:
        return f"must not be {value!r}. Upstash does not let ACL commands change this user"
    if isinstance(value, str) and _USERNAME.fullmatch(value):
        return None
    return "must be the name of an ACL user: 1 to 128 ASCII characters without spaces"


def _token_problem(value: object) -> str | None:
    if is_credential(value) and value.isascii() and value.isprintable():
        return None
    return "must be a token as Upstash shows it, without spaces"


def _texts_problem(value: object) -> str | None:
    if isinstance(value, list | tuple) and all(isinstance(item, str | Unknown) for item in value):
        return None
    return "must be a list of texts"


def _rules_problem(value: object) -> str | None:
    if has_unknown(value) and isinstance(value, list | tuple):
        value = [rule for rule in value if not isinstance(rule, Unknown)]
    return rules_problem(value)


def _text_problem(value: object) -> str | None:
    return None if isinstance(value, str) and value else "must be a text"


def _grace_problem(value: object) -> str | None:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if 0 <= number <= MAX_GRACE_SECONDS:
        return None
    return f"must be a number of seconds from 0 to {MAX_GRACE_SECONDS}"


_ADDRESS_CHECKS: Final[Mapping[str, rotation.Check]] = {
    "database_id": rotation.required(database_id_problem),
    "username": rotation.required(_username_problem),
    "admin_token": rotation.optional(_token_problem),
}
_TOKENS_CHECKS: Final[Mapping[str, rotation.Check]] = {
    "token": rotation.required(_token_problem),
    "previous_tokens": rotation.optional(_texts_problem),
    "credential_fingerprint": rotation.required(_text_problem),
}
_VERIFY: Final = ("verify", "verify_timeout")

TOKEN_CHECKS: Final[Mapping[str, rotation.Check]] = {
    **_ADDRESS_CHECKS,
    **{name: check for name, check in rotation.CHECKS.items() if name not in _VERIFY},
    "existing_token": rotation.optional(_token_problem),
}
"""The arguments of the token, each with its check."""
USER_CHECKS: Final[Mapping[str, rotation.Check]] = {
    **_ADDRESS_CHECKS,
    **_TOKENS_CHECKS,
    "rules": rotation.required(_rules_problem),
    "redis_url": rotation.required(_text_problem),
    "rest_url": rotation.required(_text_problem),
    "adopt_existing": rotation.optional(rotation.flag_problem),
    "retires": rotation.optional(rotation.flag_problem),
    **{name: rotation.CHECKS[name] for name in _VERIFY},
}
"""The arguments of the user, each with its check."""
RETIREMENT_CHECKS: Final[Mapping[str, rotation.Check]] = {
    **_ADDRESS_CHECKS,
    **_TOKENS_CHECKS,
    "stale_consumers": rotation.optional(_texts_problem),
    "grace_seconds": rotation.optional(_grace_problem),
}
"""The arguments of the retirement, each with its check."""

_HANDED_ON: Final = ("token", "credential_fingerprint", "redis_url", "rest_url")


def with_unknown(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a check or diff, with what a failed token cannot hand on.

    With `--continue-on-error` the engine leaves it out and still checks the resource, which it then
    skips. A failed check would end the run of all other resources.
    """
    return {**dict.fromkeys(_HANDED_ON, UNKNOWN), **arguments}


def changed_address(inputs: UserAddress, database_id: str, username: str) -> tuple[str, ...]:
    """Return the arguments that make it another user than the stored one."""
    stored = {"database_id": database_id, "username": username}
    return tuple(name for name, value in stored.items() if getattr(inputs, name) != value)
