"""What a program declares, checked: the first step of the data's way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import InvalidInputError

_DATABASE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Unknown:
    """A value that is known only once the resource that computes it exists."""

    def __repr__(self) -> str:
        """Return the word that stands for it in a message."""
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Inputs:
    """The declared arguments of a rotation.

    Attributes:
        database_id: Id of the Upstash Redis database.
        triggers: Any JSON values by name. None stands for an absent one.
    """

    database_id: str | Unknown
    triggers: Mapping[str, Any] | Unknown = field(default_factory=dict, repr=False)


def parse_inputs(arguments: Mapping[str, Any]) -> Inputs:
    """Return the arguments as `Inputs`.

    Raises:
        InvalidInputError: The first argument that is not allowed.
    """
    problems = find_problems(arguments)
    if problems:
        raise problems[0]
    return Inputs(
        database_id=arguments["database_id"],
        triggers=arguments.get("triggers") or {},
    )


def find_problems(arguments: Mapping[str, Any]) -> list[InvalidInputError]:
    """Return one error for each argument that is not allowed; unknown values pass."""
    return [
        InvalidInputError(name, reason)
        for name, reason in (
            ("database_id", _database_id_problem(arguments.get("database_id"))),
            ("triggers", _triggers_problem(arguments.get("triggers"))),
        )
        if reason
    ]


def _database_id_problem(value: object) -> str | None:
    if isinstance(value, Unknown) or (isinstance(value, str) and _DATABASE_ID.fullmatch(value)):
        return None
    return (
        "must be the id of an Upstash Redis database, such as "
        "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)"
    )


def _triggers_problem(value: object) -> str | None:
    if value is None or isinstance(value, Unknown):
        return None
    if isinstance(value, Mapping) and _is_json(value):
        return None
    return 'must be a map from names to JSON values, such as {"release": "2026-11"}'


def _is_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float | Unknown)
