"""The states of the three resources: write them as outputs, and read outputs back.

A value of an unexpected type counts as absent, because a user may have edited the state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_upstash_rotation.rotation.reconciliation import fingerprint
from pulumi_upstash_rotation.rotation.record import Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import database_label
from pulumi_upstash_rotation.values import format_time, parse_time, storable

SCHEMA_VERSION: Final = 1
"""Version of the outputs' layout. A change of how to read released states raises it."""

SECRET_OUTPUTS: Final = ("token", "previous_tokens", "previous_token", "redis_url", "admin_token")


@dataclass(frozen=True)
class Outputs:
    """Stored outputs, read by type."""

    values: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str | None:
        """Return a text that is not empty."""
        value = self.values.get(name)
        return value if isinstance(value, str) and value else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a list."""
        value = self.values.get(name)
        items = value if isinstance(value, list | tuple) else ()
        return tuple(item for item in items if isinstance(item, str))

    def map(self, name: str) -> Mapping[str, Any]:
        """Return a map."""
        value = self.values.get(name)
        return value if isinstance(value, Mapping) else {}

    def number(self, name: str) -> int:
        """Return a whole number, 0 if there is none."""
        value = self.values.get(name)
        return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """What all three states know.

    Attributes:
        database_id: Id of the database.
        username: Name of the ACL user.
        database_name: Name of the database, for messages. None if it is not known.
        customer_id: The account that owns the database. None if it is not known.
        admin_token: The argument, as last stored.
    """

    database_id: str
    username: str
    database_name: str | None = None
    customer_id: str | None = None
    admin_token: str | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """What messages call the database."""
        return database_label(self.database_id, self.database_name)

    @property
    def user_label(self) -> str:
        """What messages call the user."""
        return user_label(self.username, self.label)


def token_fingerprint(database_id: str, username: str, token: str) -> str:
    """Return the fingerprint of a user's token: the output `credential_fingerprint`."""
    return fingerprint(f"{database_id} {username}", token)


def user_label(username: object, database: str) -> str:
    """Return what messages call a user."""
    return f"ACL user {username!r} of {database}"


def _stored(outputs: Outputs) -> dict[str, Any]:
    names = ("database_name", "customer_id", "admin_token")
    return {
        "database_id": outputs.text("database_id") or "",
        "username": outputs.text("username") or "",
        **{name: outputs.text(name) for name in names},
    }


@dataclass(frozen=True, kw_only=True)
class TokenState(_Stored):
    """The state of the token.

    Attributes:
        token: The current token.
        previous_tokens: Those before it that may still be live, the newest first.
        record: The last rotation.
        adopted: Whether the first token was adopted.
        removed: Whether a refresh has found that somebody removed the token from the user.
        redis_url: URL for Redis clients, with the token.
        rest_url: Base URL of the REST API.
    """

    token: str = field(repr=False)
    previous_tokens: tuple[str, ...] = field(default=(), repr=False)
    record: RotationRecord = field(default_factory=RotationRecord)
    adopted: bool = False
    removed: bool = False
    redis_url: str | None = field(default=None, repr=False)
    rest_url: str | None = None

    def to_outputs(self) -> dict[str, Any]:
        """Return the outputs, secrets in clear. A value that is not known is left out."""
        record = self.record
        outputs = {
            "database_id": self.database_id,
            "username": self.username,
            "database_name": self.database_name,
            "customer_id": self.customer_id,
            "admin_token": self.admin_token,
            "token": self.token,
            "previous_tokens": list(self.previous_tokens),
            "credential_fingerprint": token_fingerprint(
                self.database_id, self.username, self.token
            ),
            "redis_url": self.redis_url,
            "rest_url": self.rest_url,
            "triggers": storable(record.triggers),
            "rotated_at": record.rotated_at and format_time(record.rotated_at),
            "adopted_at": record.adopted_at and format_time(record.adopted_at),
            "rotation_count": record.count,
            "rotation_cause": record.reason and str(record.reason),
            "adopted": self.adopted or None,
            "token_removed_outside": self.removed or None,
            "schema_version": SCHEMA_VERSION,
        }
        return {name: value for name, value in outputs.items() if value is not None}


def parse_token_state(values: Mapping[str, Any]) -> TokenState:
    """Return the state in stored outputs."""
    outputs = Outputs(values)
    cause = outputs.text("rotation_cause")
    return TokenState(
        **_stored(outputs),
        token=outputs.text("token") or "",
        previous_tokens=outputs.texts("previous_tokens"),
        record=RotationRecord(
            rotated_at=parse_time(values.get("rotated_at")),
            adopted_at=parse_time(values.get("adopted_at")),
            count=outputs.number("rotation_count"),
            reason=Reason.parse(cause) if cause else None,
            triggers=outputs.map("triggers"),
        ),
        adopted=values.get("adopted") is True,
        removed=values.get("token_removed_outside") is True,
        redis_url=outputs.text("redis_url"),
        rest_url=outputs.text("rest_url"),
    )


@dataclass(frozen=True, kw_only=True)
class UserState(_Stored):
    """The state of the user.

    Attributes:
        token: The token that it has got last.
        previous_tokens: Our earlier tokens, the newest first.
        rules: The rules, as last declared.
        shown_rules: The rules as the database showed them after they were set.
        drifted: The parts of the rules that somebody has changed outside Pulumi.
    """

    token: str = field(repr=False)
    previous_tokens: tuple[str, ...] = field(default=(), repr=False)
    rules: tuple[str, ...] = ()
    shown_rules: Mapping[str, str] = field(default_factory=dict)
    drifted: tuple[str, ...] = ()


def parse_user_state(values: Mapping[str, Any]) -> UserState:
    """Return the state in stored outputs."""
    outputs = Outputs(values)
    return UserState(
        **_stored(outputs),
        token=outputs.text("token") or "",
        previous_tokens=outputs.texts("previous_tokens"),
        rules=outputs.texts("rules"),
        shown_rules=outputs.map("shown_rules"),
        drifted=outputs.texts("changed_outside"),
    )


@dataclass(frozen=True, kw_only=True)
class RetirementState(_Stored):
    """The state of the retirement.

    Attributes:
        fingerprint: Fingerprint of the token for which it has last done its work.
        stale_consumers: Names of the consumers that still showed an earlier token then.
    """

    fingerprint: str | None
    stale_consumers: tuple[str, ...] = ()


def parse_retirement_state(values: Mapping[str, Any]) -> RetirementState:
    """Return the state in stored outputs."""
    outputs = Outputs(values)
    return RetirementState(
        **_stored(outputs),
        fingerprint=outputs.text("credential_fingerprint"),
        stale_consumers=outputs.texts("stale_consumers"),
    )
