"""The arguments of a `RedisPasswordRotation`, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.resources.databases import database_id_problem
from pulumi_upstash_rotation.rotation import inputs as rotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_upstash_rotation.values import Unknown

NAME: Final = "RedisPasswordRotation"
"""Name of the resource, as programs know it."""


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


CHECKS: Final[Mapping[str, rotation.Check]] = {
    "database_id": rotation.required(database_id_problem),
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
