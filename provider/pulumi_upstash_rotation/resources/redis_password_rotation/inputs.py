"""The arguments of a `RedisPasswordRotation`, and their checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.rotation import inputs as rotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_upstash_rotation.values import Unknown

NAME: Final = "RedisPasswordRotation"
"""Name of the resource, as programs know it."""
_DATABASE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, kw_only=True)
class DeclaredInputs(rotation.DeclaredRotation):
    """The declared arguments. In a preview, any of them may be unknown.

    Attributes:
        database_id: Id of the Upstash Redis database.
        rotate_on_delete: Reset the password when Pulumi deletes the resource.
        require_credentials: Reset the password only if the read before it shows the current one.
    """

    database_id: str | Unknown
    rotate_on_delete: bool | Unknown = False
    require_credentials: bool | Unknown = False


@dataclass(frozen=True, kw_only=True)
class KnownInputs(rotation.KnownRotation, DeclaredInputs):
    """The same arguments for a create or update, when all values are known."""

    database_id: str
    rotate_on_delete: bool = False
    require_credentials: bool = False


def _database_id_problem(value: object) -> str | None:
    if isinstance(value, str) and _DATABASE_ID.fullmatch(value):
        return None
    return (
        "must be the id of an Upstash Redis database, such as "
        "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)"
    )


CHECKS: Final[Mapping[str, rotation.Check]] = {
    "database_id": rotation.required(_database_id_problem),
    **rotation.CHECKS,
    "rotate_on_delete": rotation.optional(rotation.flag_problem),
    "require_credentials": rotation.optional(rotation.flag_problem),
}
"""The arguments, each with its check."""


def parse_declared(arguments: Mapping[str, Any]) -> DeclaredInputs:
    """Parse arguments. Some may be unknown.

    Raises:
        InvalidInputError: The first argument that is not allowed.
    """
    return rotation.parse(DeclaredInputs, CHECKS, arguments)


def parse_known(arguments: Mapping[str, Any]) -> KnownInputs:
    """Parse arguments that must all be known.

    Raises:
        InvalidInputError: The first argument that is not allowed, or not known.
    """
    return rotation.parse(KnownInputs, CHECKS, arguments)
