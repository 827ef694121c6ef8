"""The resources that the contract holds for: one entry each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
)
from pulumi_upstash_rotation.values import Verification

from ..support.account import ScriptedUpstash
from ..support.payloads import DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from ..support.scripted_acl import ScriptedAcl, token_canary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class ResourceCase:
    """One resource. Every value that may be secret holds the word `canary`.

    Attributes:
        name: As programs know it.
        id: Its id.
        arguments: Arguments that are allowed.
        due: Arguments that make an update of `arguments` due.
        reported: What `diff` reports about those. None if the engine alone shows the reason.
        stored: Arguments that an update only stores.
        replacing: Arguments that make it another resource, and the names of the reasons.
        bad: A value that is not allowed, for each argument.
        working: An account where everything succeeds.
        settled: The same account later, when its resource has been created.
        again: The same account at its second rotation.
        rejecting: An account that rejects every call.
        empty: An account that has no such thing.
        losing: An account where the outcome of an update stays indeterminate.
        losing_first: The same for a create.
        happened: The same account later. It shows that the update did happen.
        happened_first: The same for the create.
        calls: The calls that each operation makes, and no others.
        secret: Outputs that must be encrypted in the state.
        found_by_id: Whether a read finds it with its id and nothing else.
        revoking: Arguments that ask for a last reset, and for nothing else. None if there are none.
        pending: Outputs that exist while a rotation is pending. A resource without them keeps its
            old state if it fails, and the next run repeats what it did.
        earlier_names: What earlier versions called an output, by today's name.
    """

    name: str
    id: str
    arguments: Mapping[str, Any]
    due: Mapping[str, Any]
    reported: str | None
    stored: Mapping[str, Any]
    replacing: tuple[Mapping[str, Any], tuple[str, ...]]
    bad: Mapping[str, Any]
    working: Callable[[], ScriptedUpstash]
    settled: Callable[[], ScriptedUpstash]
    again: Callable[[], ScriptedUpstash]
    rejecting: Callable[[], ScriptedUpstash]
    empty: Callable[[], ScriptedUpstash]
    losing: Callable[[], ScriptedUpstash]
    losing_first: Callable[[], ScriptedUpstash]
    happened: Callable[[], ScriptedUpstash]
    happened_first: Callable[[], ScriptedUpstash]
    calls: Mapping[str, list[str]]
    secret: frozenset[str]
    found_by_id: bool = False
    revoking: Mapping[str, Any] | None = None
    pending: frozenset[str] = frozenset()
    earlier_names: Mapping[str, str] = field(default_factory=dict)


def _failing(error: Exception) -> ScriptedUpstash:
    return ScriptedUpstash(reset=error, get=error)


_LOST: Final = IndeterminateOutcomeError("no response came", "the password may have changed")
_BEFORE: Final = {**WITH_CREDENTIALS, "password": "previous-canary"}
_LATER: Final = {**WITH_CREDENTIALS, "password": "later-canary"}
_ARGUMENTS: Final = {"database_id": DATABASE_ID, "triggers": {"release": "canary-1"}}


def _rejecting() -> ScriptedUpstash:
    return _failing(AuthenticationError("rejected (401)", "nothing", status=401))


def _empty() -> ScriptedUpstash:
    gone = DatabaseNotFoundError("none (404)", "nothing", status=404)
    silent = Verification(verified=False, message="not verified")
    return ScriptedUpstash(reset=gone, get=gone, verification=silent)


_FIRST, _SECOND = token_canary(1), token_canary(2)
_ADDRESS: Final = {"database_id": DATABASE_ID, "username": "app"}
_BAD_ADDRESS: Final = {
    "database_id": "canary/1",
    "username": "canary canary",
    "admin_token": "canary canary",
}
_TOKENS: Final = {
    **_ADDRESS,
    "token": _FIRST,
    "previous_tokens": [],
    "credential_fingerprint": "one",
}
_NEXT_TOKENS: Final = {
    **_ADDRESS,
    "token": _SECOND,
    "previous_tokens": [_FIRST],
    "credential_fingerprint": "two",
}
_BAD_TOKENS: Final = {
    **_BAD_ADDRESS,
    "token": "canary canary",
    "previous_tokens": "canary",
    "credential_fingerprint": ["canary"],
}
_LOGIN: Final = {
    "rules": ["~app:*", "+get"],
    "redis_url": f"rediss://app:{_FIRST}@host:6379",
    "rest_url": "https://host",
}


def _acl(*live: str, fault: str | None = None, requests: int = 0, made: int = 2) -> ScriptedUpstash:
    """Return an account whose user has live tokens. A fault hits a request after so many others."""
    users = {"app": live} if live else {}
    acl = ScriptedAcl(users, made=made, faults=[*[None] * requests, fault])
    if live:
        acl.users["app"].rules = ("~app:*", "+get")
    return ScriptedUpstash(get=WITH_CREDENTIALS, acl=acl)


_ACL_USER: Final = (
    ResourceCase(
        name="RedisAclToken",
        id=f"{DATABASE_ID}/app",
        arguments={**_ADDRESS, "triggers": {"release": "canary-1"}},
        due={**_ADDRESS, "triggers": {"release": "canary-2"}},
        reported="is due: trigger: release",
        stored={**_ADDRESS, "triggers": {"release": "canary-1"}, "admin_token": "admin-canary"},
        replacing=(
            {"database_id": "another", "username": "other"},
            ("database_id", "username"),
        ),
        bad={
            **_BAD_ADDRESS,
            "triggers": "canary",
            "rotation_days": "canary",
            "rotation_schedule": "canary",
            "rotate_on_create": "canary",
            "existing_token": "canary canary",
        },
        working=lambda: _acl(made=0),
        settled=lambda: _acl(_FIRST),
        again=lambda: _acl(_FIRST, made=1),
        rejecting=_rejecting,
        empty=_empty,
        losing=lambda: _acl(_FIRST, fault="after", made=1),
        losing_first=lambda: _acl(fault="after", made=0),
        happened=lambda: _acl(_FIRST),
        happened_first=lambda: _acl(made=1),
        calls={
            "create": ["get", "acl gentoken, acl getuser"],
            "update": ["get", "acl gentoken, acl getuser"],
            "read": ["get", "acl getuser"],
            "delete": ["get", "acl getuser"],
        },
        secret=frozenset({"token", "previous_tokens", "redis_url", "triggers"}),
    ),
    ResourceCase(
        name="RedisAclUser",
        id=f"{DATABASE_ID}/app",
        arguments={**_TOKENS, **_LOGIN},
        due={**_NEXT_TOKENS, **_LOGIN},
        reported=None,
        stored={**_TOKENS, **_LOGIN, "admin_token": "admin-canary"},
        replacing=(
            {**_TOKENS, **_LOGIN, "database_id": "another", "username": "other"},
            ("database_id", "username"),
        ),
        bad={
            **_BAD_TOKENS,
            "rules": "canary",
            "redis_url": ["canary"],
            "rest_url": ["canary"],
            "adopt_existing": "canary",
            "retires": "canary",
            "verify": "canary",
            "verify_timeout": "canary",
        },
        working=_acl,
        settled=lambda: _acl(_FIRST),
        again=lambda: _acl(_FIRST),
        rejecting=_rejecting,
        empty=_empty,
        losing=lambda: _acl(_FIRST, fault="after"),
        losing_first=lambda: _acl(fault="after", requests=1),
        happened=lambda: _acl(_FIRST, _SECOND),
        happened_first=lambda: _acl(_FIRST),
        calls={
            "create": ["get", "acl getuser", "acl setuser, acl getuser"],
            "update": ["get", "acl setuser, acl getuser"],
            "read": ["get", "acl getuser"],
            "delete": ["get", "acl getuser"],
        },
        secret=frozenset({"token", "previous_tokens", "redis_url"}),
    ),
    ResourceCase(
        name="RedisAclRetirement",
        id=f"{DATABASE_ID}/app",
        arguments=_TOKENS,
        due=_NEXT_TOKENS,
        reported="are due for removal",
        stored={**_TOKENS, "stale_consumers": ["a consumer"]},
        replacing=(
            {**_TOKENS, "database_id": "another", "username": "other"},
            ("database_id", "username"),
        ),
        bad={**_BAD_TOKENS, "stale_consumers": "canary", "grace_seconds": "canary"},
        working=_acl,
        settled=_acl,
        again=lambda: _acl(_FIRST, _SECOND),
        rejecting=_rejecting,
        empty=_empty,
        losing=lambda: _acl(_FIRST, _SECOND, fault="after", requests=1),
        losing_first=_acl,
        happened=lambda: _acl(_SECOND),
        happened_first=_acl,
        calls={
            "create": [],
            "update": ["get", "acl getuser", "acl setuser, acl getuser"],
            "read": [],
            "delete": [],
        },
        secret=frozenset(),
    ),
)

RESOURCES: Final = (
    ResourceCase(
        name="RedisPasswordRotation",
        id=DATABASE_ID,
        arguments=_ARGUMENTS,
        due={**_ARGUMENTS, "triggers": {"release": "canary-2"}},
        reported="is due for a reset",
        stored={**_ARGUMENTS, "rotate_on_delete": True},
        revoking={**_ARGUMENTS, "rotate_on_delete": True},
        replacing=({**_ARGUMENTS, "database_id": "another"}, ("database_id",)),
        bad={
            "database_id": "canary/1",
            "triggers": "canary",
            "rotation_days": "canary",
            "rotation_schedule": "canary",
            "rotate_on_create": "canary",
            "rotate_on_delete": "canary",
            "require_credentials": "canary",
            "verify": "canary",
            "verify_timeout": "canary",
        },
        working=lambda: ScriptedUpstash(reset=WITH_CREDENTIALS),
        settled=lambda: ScriptedUpstash(get=WITH_CREDENTIALS),
        again=lambda: ScriptedUpstash(reset=_LATER, get=WITH_CREDENTIALS),
        rejecting=_rejecting,
        losing=lambda: ScriptedUpstash(reset=_LOST, get=DOCUMENTED),
        # It shows the password before the first reset, and hides the one after it.
        losing_first=lambda: ScriptedUpstash(reset=_LOST, get=[_BEFORE, DOCUMENTED]),
        happened=lambda: ScriptedUpstash(get=_LATER),
        happened_first=lambda: ScriptedUpstash(get=_LATER),
        empty=_empty,
        found_by_id=True,
        calls={
            "create": ["get", "reset"],
            "update": ["get", "reset"],
            "resolving update": ["get"],
            "read": ["get"],
            "delete": [],
            "revoking delete": ["get", "reset"],
        },
        secret=frozenset(
            {
                "password",
                "rest_token",
                "read_only_rest_token",
                "redis_url",
                "extra_attributes",
                "triggers",
            }
        ),
        pending=frozenset({"pending_rotation", "pending_triggers"}),
        earlier_names={
            "pending_rotation": "unsettled_rotation",
            "pending_triggers": "unsettled_triggers",
            "engine_inputs_stale": "inputs_lag",
        },
    ),
    *_ACL_USER,
)
