"""One row for each credential in a state: what is known about it, and nothing secret.

Only the values in `_READ` are read. So no credential gets into a row, even from a state in clear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.frontends.engine.names import snake
from pulumi_upstash_rotation.resources.redis_acl_user.state import parse_token_state
from pulumi_upstash_rotation.resources.redis_password_rotation.handler import CLOCK_TOLERANCE
from pulumi_upstash_rotation.resources.redis_password_rotation.state import RENAMED, parse_state
from pulumi_upstash_rotation.rotation.inputs import CHECKS, KnownRotation, parse
from pulumi_upstash_rotation.rotation.record import RotationRecord
from pulumi_upstash_rotation.rotation.schedule import next_rotation
from pulumi_upstash_rotation.values import MAX_EXACT_INTEGER

from .states import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pulumi_upstash_rotation.rotation.record import Cause

    from .states import StateResource

_PACKAGES: Final = ("pulumi-python:dynamic/upstash:", "upstash-rotation:index:")
"""What precedes the name of a resource in the type tokens of the two front ends."""
_LIMITS: Final = ("rotation_days", "rotation_schedule")
_READ: Final = (
    "adopted_at",
    "credential_fingerprint",
    "database_id",
    "database_name",
    "imported",
    "pending_rotation",
    "rotated_at",
    "rotation_cause",
    "rotation_count",
    "token_removed_outside",
    "username",
    "verification",
    "verified",
)
_INTERRUPTED: Final = {
    "creating": "interrupted create",
    "updating": "interrupted update",
    "deleting": "interrupted delete",
}
"""Operations that may have changed a credential, as rows show them."""
NOT_WITH_THE_USER: Final = "the user does not have it yet"
"""What is pending if a run failed between an ACL token and its user."""
REMOVED: Final = "removed outside Pulumi"
"""What is pending if a refresh has found that somebody removed an ACL token from its user."""


class Kind(Enum):
    """What a credential is."""

    PASSWORD = "password"  # noqa: S105  a word
    ACL_TOKEN = "ACL token"  # noqa: S105  a word


@dataclass(frozen=True)
class Credential:
    """A credential that a stack rotates. A value that is not known is None.

    Attributes:
        project: Project of the stack.
        stack: Name of the stack.
        name: Name of the resource. For an ACL token, that of the user's resource.
        urn: URN of the resource that rotates the credential.
        kind: What it is.
        database_id: Id of the database.
        database_name: Name of the database.
        username: Name of the ACL user. None for a password.
        record: The last rotation, without its triggers.
        limits: The declared age and schedule. A program may declare triggers, too.
        verified: Whether the database accepted the credential at the last rotation.
        pending: What the next `pulumi up` has to resolve, such as a reset whose outcome is unknown.
        secret: Names of values that are not known because they are secret in the state: those of
            `values_of()`.
    """

    project: str
    stack: str
    name: str
    urn: str
    kind: Kind
    database_id: str | None = None
    database_name: str | None = None
    username: str | None = None
    record: RotationRecord = field(default_factory=RotationRecord)
    limits: KnownRotation = field(default_factory=KnownRotation)
    verified: bool | None = None
    pending: str | None = None
    secret: frozenset[str] = frozenset()

    @property
    def qualified_stack(self) -> str:
        """The name of its stack among those of all projects, such as `shop/dev`."""
        return f"{self.project}/{self.stack}"

    def age(self, now: datetime) -> timedelta | None:
        """Return the time since the last rotation.

        None if it is not known, as after an adoption, or if its time is later than now.
        """
        return _since(self.record.rotated_at, now)

    def least_age(self, now: datetime) -> timedelta | None:
        """Return the age, or the time since the adoption. The credential is not younger."""
        return _since(self.record.counts_from, now)

    @property
    def next_rotation(self) -> tuple[datetime, Cause] | None:
        """The time at which age or schedule makes a rotation due, and which of them."""
        last, limits = self.record.counts_from, self.limits
        if last is None:
            return None
        return next_rotation(last, limits.rotation_days, limits.rotation_schedule)


def credentials_in(resources: Iterable[StateResource]) -> list[Credential]:
    """Return the credentials in a state, in its order."""
    ours = [(name, _Read.of(each)) for each in resources if (name := _name_of_type(each.type))]
    users = {each.user: each for name, each in ours if name == "RedisAclUser"}
    found = []
    for name, each in ours:
        if name == "RedisPasswordRotation":
            found.append(_password(each))
        elif name == "RedisAclToken":
            found.append(_token(each, users.get(each.user)))
    return found


def _name_of_type(type_: str) -> str | None:
    """Return the name of one of our resources. None for those of others."""
    for package in _PACKAGES:
        if type_.startswith(package):
            return type_.removeprefix(package)
    return None


@dataclass(frozen=True)
class _Read:
    """A resource, and the values in it that are neither secret nor of an unexpected type.

    Attributes:
        resource: The resource.
        values: The values in `_READ` and `_LIMITS`, under the names of the core.
        secret: Names of those that are secret.
    """

    resource: StateResource
    values: Mapping[str, Any]
    secret: frozenset[str]

    @classmethod
    def of(cls, resource: StateResource) -> _Read:
        """Read a resource of either front end."""
        inputs, outputs = (
            {_core_name(name): value for name, value in values.items()}
            for values in (resource.inputs, resource.outputs)
        )
        # A resource whose creation was interrupted has inputs alone.
        stored = {name: outputs.get(name, inputs.get(name)) for name in _READ}
        stored |= {name: inputs.get(name) for name in _LIMITS}
        return cls(
            resource,
            {name: value for name, value in stored.items() if _is_plain(value)},
            frozenset(name for name, value in stored.items() if is_secret(value)),
        )

    @property
    def user(self) -> tuple[object, ...]:
        """Which ACL user of which stack it is about."""
        address = (self.values.get(name) for name in ("database_id", "username"))
        return (self.resource.stack, self.resource.project, *address)

    @property
    def limits(self) -> KnownRotation:
        """The declared age and schedule. Neither, if one of them is not known."""
        if self.secret & {*_LIMITS}:
            return KnownRotation()
        try:
            return parse(KnownRotation, CHECKS, {name: self.values.get(name) for name in _LIMITS})
        except InvalidInputError:  # `check()` has not let it pass, so a user has edited the state
            return KnownRotation()

    def credential(self, kind: Kind, **values: Any) -> Credential:  # noqa: ANN401  attributes
        """Return the row of the resource."""
        renamed = {"rotation_cause": "cause", "pending_rotation": "pending"}
        renamed |= dict.fromkeys(_LIMITS, "next_rotation_at")
        resource = self.resource
        own = {
            "name": resource.name,
            "pending": _INTERRUPTED.get(resource.operation or ""),
            "limits": self.limits,
        }
        return Credential(
            project=resource.project,
            stack=resource.stack,
            urn=resource.urn,
            kind=kind,
            secret=frozenset(renamed.get(name, name) for name in self.secret),
            **{**own, **{name: value for name, value in values.items() if value is not None}},
        )


def _password(read: _Read) -> Credential:
    state = parse_state(read.values)
    verification = state.record.verification
    return read.credential(
        Kind.PASSWORD,
        database_id=state.database_id or None,
        database_name=state.database_name,
        record=state.record,
        # What a program declares first for an imported database rotates nothing.
        limits=KnownRotation() if state.imported else None,
        verified=verification and verification.verified,
        pending=state.pending and str(state.pending.reason),
    )


def _token(read: _Read, user: _Read | None) -> Credential:
    state = parse_token_state(read.values)
    fingerprint = read.values.get("credential_fingerprint")
    with_user = user is not None and user.values.get("credential_fingerprint") == fingerprint
    verified = user.values.get("verified") if user and with_user else None
    pending = None if with_user or read.resource.operation else NOT_WITH_THE_USER
    return read.credential(
        Kind.ACL_TOKEN,
        name=user and user.resource.name,
        database_id=state.database_id or None,
        database_name=state.database_name,
        username=state.username or None,
        record=state.record,
        verified=verified if isinstance(verified, bool) else None,
        pending=REMOVED if state.removed else pending,
    )


def _core_name(name: str) -> str:
    """Return a name of either front end, and of any version, as the core has it."""
    return RENAMED.get(snake(name), snake(name))


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= MAX_EXACT_INTEGER
    return isinstance(value, str | float)


def _since(moment: datetime | None, now: datetime) -> timedelta | None:
    if moment is None or moment - now > CLOCK_TOLERANCE:
        return None
    return max(now - moment, timedelta(0))
