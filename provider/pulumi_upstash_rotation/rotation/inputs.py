"""The arguments that every rotation has, and their checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.values import MAX_DEPTH, Unknown, has_unknown, is_deeper_than, is_json

from .schedule import InvalidScheduleError, check_schedule

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ROTATION_DAYS: Final = 3650
DEFAULT_VERIFY_TIMEOUT_SECONDS: Final = 10.0
MAX_VERIFY_TIMEOUT_SECONDS: Final = 300
MAX_TRIGGER_BYTES: Final = 64 << 10
"""Limit of all triggers as JSON. The state and the messages to the engine hold them twice."""

Check: TypeAlias = "Callable[[Any], str | None]"
"""Returns None for an allowed value, else a text that states the allowed values."""

_Inputs = TypeVar("_Inputs")


@dataclass(frozen=True)
class DeclaredRotation:
    """The declared arguments of a rotation. In a preview, any of them may be unknown.

    Attributes:
        triggers: Any JSON values by name. A trigger with the value None counts as absent.
        rotation_days: Maximum age of a credential, in days. None for no maximum.
        rotation_schedule: Cron expression in UTC. None for no schedule.
        rotate_on_create: Whether to rotate when the resource is created. False adopts the current
            credential.
        verify: Whether to log in to the database with the new credential.
        verify_timeout: Maximum time of a verification, in seconds.
    """

    triggers: Mapping[str, Any] | Unknown = field(default_factory=dict, repr=False)
    rotation_days: float | Unknown | None = None
    rotation_schedule: str | Unknown | None = None
    rotate_on_create: bool | Unknown = True
    verify: bool | Unknown = True
    verify_timeout: float | Unknown = DEFAULT_VERIFY_TIMEOUT_SECONDS


class Known:
    """Marks arguments that are all known. Pulumi calls create and update only with such."""


@dataclass(frozen=True)
class KnownRotation(Known, DeclaredRotation):
    """The arguments of a create or update."""

    triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    rotation_days: float | None = None
    rotation_schedule: str | None = None
    rotate_on_create: bool = True
    verify: bool = True
    verify_timeout: float = DEFAULT_VERIFY_TIMEOUT_SECONDS


def parse(
    kind: type[_Inputs], checks: Mapping[str, Check], arguments: Mapping[str, Any]
) -> _Inputs:
    """Check arguments and return them as `kind`. `checks` has one check for each argument.

    Raises:
        InvalidInputError: The first argument that is not allowed. If `kind` is `Known`, also one
            that is not known yet.
    """
    for problem in find_problems(checks, arguments):
        raise problem
    # An argument that is left out or None never reaches the provider.
    given = {name: arguments[name] for name in checks if arguments.get(name) is not None}
    if issubclass(kind, Known):
        for name, value in given.items():
            if has_unknown(value):
                raise InvalidInputError(name, "is not known yet; please report it")
    return kind(**given)


def find_problems(
    checks: Mapping[str, Check], arguments: Mapping[str, Any]
) -> list[InvalidInputError]:
    """Return one error for each argument that is not allowed. Unknown values pass."""
    found = ((name, check(arguments.get(name))) for name, check in checks.items())
    return [InvalidInputError(name, problem) for name, problem in found if problem]


def required(check: Check) -> Check:
    """Return the check of an argument that must be given. An unknown value passes."""
    return lambda value: None if isinstance(value, Unknown) else check(value)


def optional(check: Check) -> Check:
    """Return the check of an argument that may be left out. An unknown value passes."""
    return required(lambda value: None if value is None else check(value))


def _triggers_problem(value: object) -> str | None:
    allowed = (
        "must be a map from names to JSON values (numbers finite, integers at most 2^53), such as "
        '{"release": "2026-11"}'
    )
    if not isinstance(value, Mapping) or is_deeper_than(value, MAX_DEPTH):
        return f"{allowed}. Maps and lists may be {MAX_DEPTH} levels deep"
    if not is_json(value):
        return allowed
    if not all(name.isprintable() for name in value) or _has_empty_name(value):
        return f"{allowed}. Names may be neither empty nor hold control characters"
    size = len(json.dumps(value, default=repr, ensure_ascii=False).encode())
    if size > MAX_TRIGGER_BYTES:
        return (
            f"must be at most {MAX_TRIGGER_BYTES} bytes as JSON, but has {size}. Use a digest of a "
            "large value"
        )
    return None


def _has_empty_name(value: object) -> bool:
    """Return whether a map has the name "". The engine cannot show a change of it, and fails."""
    match value:
        case Mapping():
            return "" in value or any(map(_has_empty_name, value.values()))
        case list() | tuple():
            return any(map(_has_empty_name, value))
    return False


def _number_problem(unit: str, most: int) -> Check:
    def problem(value: object) -> str | None:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
        if 0 < number <= most:
            return None
        return f"must be a number of {unit}, more than 0 and at most {most}"

    return problem


def _rotation_schedule_problem(value: object) -> str | None:
    try:
        check_schedule(value)
    except InvalidScheduleError as error:
        return str(error)
    return None


def flag_problem(value: object) -> str | None:
    """Return the problem of a value that is not True or False."""
    return None if isinstance(value, bool) else "must be True or False"


CHECKS: Final[Mapping[str, Check]] = {
    "triggers": optional(_triggers_problem),
    "rotation_days": optional(_number_problem("days", MAX_ROTATION_DAYS)),
    "rotation_schedule": optional(_rotation_schedule_problem),
    "rotate_on_create": optional(flag_problem),
    "verify": optional(flag_problem),
    "verify_timeout": optional(_number_problem("seconds", MAX_VERIFY_TIMEOUT_SECONDS)),
}
"""The check of each argument that every rotation has."""
