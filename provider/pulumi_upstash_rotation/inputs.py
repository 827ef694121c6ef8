"""What a program declares, checked: the first step of the data's way."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .errors import InvalidInputError
from .schedule import InvalidScheduleError, check_schedule

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ROTATION_DAYS: Final = 3650
MAX_EXACT_INTEGER: Final = 2**53
"""Beyond it a 64-bit float, the only number that Pulumi's wire format knows, loses digits."""
DEFAULT_VERIFY_TIMEOUT_SECONDS: Final = 10.0
MAX_VERIFY_TIMEOUT_SECONDS: Final = 300


class Unknown:
    """A value that is known only once the resource that computes it exists."""

    def __repr__(self) -> str:
        """Return the word that stands for it in a message."""
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Inputs:
    """The declared arguments of a rotation; any of them may be unknown in a preview.

    Attributes:
        database_id: Id of the Upstash Redis database.
        triggers: Any JSON values by name. None stands for an absent one.
        rotation_days: Age in days at which a password is due; None for never.
        rotation_schedule: Cron expression in UTC; None for no schedule.
        rotate_on_create: Reset when first declared; False adopts the current credentials.
        rotate_on_delete: Reset once more when no longer declared.
        verify: Ask the database itself whether it accepts the new credential.
        verify_timeout: How long that may take: seconds.
    """

    database_id: str | Unknown
    triggers: Mapping[str, Any] | Unknown = field(default_factory=dict, repr=False)
    rotation_days: float | Unknown | None = None
    rotation_schedule: str | Unknown | None = None
    rotate_on_create: bool | Unknown = True
    rotate_on_delete: bool | Unknown = False
    verify: bool | Unknown = True
    verify_timeout: float | Unknown = DEFAULT_VERIFY_TIMEOUT_SECONDS


def parse_inputs(arguments: Mapping[str, Any]) -> Inputs:
    """Return the arguments as `Inputs`.

    Raises:
        InvalidInputError: The first argument that is not allowed.
    """
    problems = find_problems(arguments)
    if problems:
        raise problems[0]
    # What a program leaves out, and what it sets to None, never reaches a provider.
    given = {name: arguments[name] for name in _CHECKS if arguments.get(name) is not None}
    return Inputs(**given)


def find_problems(arguments: Mapping[str, Any]) -> list[InvalidInputError]:
    """Return one error for each argument that is not allowed; unknown values pass."""
    found = ((name, check(arguments.get(name))) for name, check in _CHECKS.items())
    return [InvalidInputError(name, problem) for name, problem in found if problem]


def _passes_unknown(check: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    return lambda value: None if isinstance(value, Unknown) else check(value)


def _optional(check: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    return _passes_unknown(lambda value: None if value is None else check(value))


_DATABASE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def _database_id_problem(value: object) -> str | None:
    if isinstance(value, str) and _DATABASE_ID.fullmatch(value):
        return None
    return (
        "must be the id of an Upstash Redis database, such as "
        "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)"
    )


def _triggers_problem(value: object) -> str | None:
    if isinstance(value, Mapping) and is_json(value):
        return None
    return (
        "must be a map from names to JSON values (numbers finite, integers at most 2^53), such as "
        '{"release": "2026-11"}'
    )


def is_json(value: object) -> bool:
    """Say whether Pulumi can send and store a value without loss; unknown ones pass."""
    match value:
        case Mapping():
            return all(
                isinstance(key, str) and is_json(key) and is_json(item)
                for key, item in value.items()
            )
        case list() | tuple():
            return all(map(is_json, value))
        case str():
            return value == value.encode(errors="replace").decode()
        case int():
            return abs(value) <= MAX_EXACT_INTEGER
        case float():
            return math.isfinite(value)
    return value is None or isinstance(value, Unknown)


def _number_problem(unit: str, most: int) -> Callable[[Any], str | None]:
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


def _flag_problem(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be True or False"


_CHECKS: Final[dict[str, Callable[[Any], str | None]]] = {
    "database_id": _passes_unknown(_database_id_problem),
    "triggers": _optional(_triggers_problem),
    "rotation_days": _optional(_number_problem("days", MAX_ROTATION_DAYS)),
    "rotation_schedule": _optional(_rotation_schedule_problem),
    "rotate_on_create": _optional(_flag_problem),
    "rotate_on_delete": _optional(_flag_problem),
    "verify": _optional(_flag_problem),
    "verify_timeout": _optional(_number_problem("seconds", MAX_VERIFY_TIMEOUT_SECONDS)),
}
"""The arguments, and what finds the problem with each."""
