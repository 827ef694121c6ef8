"""The resources that the contract holds for: one entry each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
)

from ..support.account import ScriptedUpstash
from ..support.payloads import DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class ResourceCase:
    """One resource. Every value that may be secret holds the word `canary`.

    Attributes:
        name: As programs know it.
        arguments: Arguments that are allowed. The id of the resource is the first value.
        due: Arguments that make an update of `arguments` due.
        revoking: Arguments that ask for a last reset, and for nothing else.
        replacing: Arguments that make it another resource, and the names of the reasons.
        bad: A value that is not allowed, for each argument.
        working: An account where everything succeeds.
        settled: The same account later, when its resource has been created.
        again: The same account at its second rotation.
        rejecting: An account that rejects every call.
        losing: An account where the outcome of an update's reset stays indeterminate.
        losing_first: The same for the first reset.
        happened: The same account later. It shows that the reset did happen.
        empty: An account that has no such thing.
        calls: The calls that each operation makes, and no others.
        secret: Outputs that must be encrypted in the state.
        pending: Outputs that exist while a rotation is pending.
        earlier_names: What earlier versions called an output, by today's name.
    """

    name: str
    arguments: Mapping[str, Any]
    due: Mapping[str, Any]
    revoking: Mapping[str, Any]
    replacing: tuple[Mapping[str, Any], tuple[str, ...]]
    bad: Mapping[str, Any]
    working: Callable[[], ScriptedUpstash]
    settled: Callable[[], ScriptedUpstash]
    again: Callable[[], ScriptedUpstash]
    rejecting: Callable[[], ScriptedUpstash]
    losing: Callable[[], ScriptedUpstash]
    losing_first: Callable[[], ScriptedUpstash]
    happened: Callable[[], ScriptedUpstash]
    empty: Callable[[], ScriptedUpstash]
    calls: Mapping[str, list[str]]
    secret: frozenset[str]
    pending: frozenset[str]
    earlier_names: Mapping[str, str]

    @property
    def id(self) -> str:
        """Id of the resource."""
        return str(next(iter(self.arguments.values())))


def _failing(error: Exception) -> ScriptedUpstash:
    return ScriptedUpstash(reset=error, get=error)


_LOST: Final = IndeterminateOutcomeError("no response came", "the password may have changed")
_BEFORE: Final = {**WITH_CREDENTIALS, "password": "previous-canary"}
_LATER: Final = {**WITH_CREDENTIALS, "password": "later-canary"}
_ARGUMENTS: Final = {"database_id": DATABASE_ID, "triggers": {"release": "canary-1"}}

RESOURCES: Final = (
    ResourceCase(
        name="RedisPasswordRotation",
        arguments=_ARGUMENTS,
        due={**_ARGUMENTS, "triggers": {"release": "canary-2"}},
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
        rejecting=lambda: _failing(AuthenticationError("rejected (401)", "nothing", status=401)),
        losing=lambda: ScriptedUpstash(reset=_LOST, get=DOCUMENTED),
        # It shows the password before the first reset, and hides the one after it.
        losing_first=lambda: ScriptedUpstash(reset=_LOST, get=[_BEFORE, DOCUMENTED]),
        happened=lambda: ScriptedUpstash(get=_LATER),
        empty=lambda: _failing(DatabaseNotFoundError("none (404)", "nothing", status=404)),
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
)
