"""One database, one rotation: what running programs have declared so far.

Two rotations of one database would reset it in turns, each making the other's password useless.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from pulumi_upstash_rotation.errors import DuplicateDeclarationError


class Declarations:
    """The declarations of every program that runs in this process."""

    def __init__(self) -> None:
        """Start with none."""
        self._programs: WeakKeyDictionary[Any, dict[str, WeakKeyDictionary[Any, str]]]
        self._programs = WeakKeyDictionary()

    def add(self, program: object, database_id: str, resource: object, name: str) -> None:
        """Remember that a program declares a rotation.

        Args:
            program: Any object that lives as long as the program.
            database_id: Id of the database.
            resource: The declared resource. It is not kept alive.
            name: Its name.
        """
        databases = self._programs.setdefault(program, {})
        databases.setdefault(database_id, WeakKeyDictionary())[resource] = name

    def check_once(self, program: object, database_id: str) -> None:
        """Accept a database that only one resource of a program names.

        Raises:
            DuplicateDeclarationError: Several do.
        """
        names = sorted(self._programs.get(program, {}).get(database_id, {}).values())
        if len(names) > 1:
            raise DuplicateDeclarationError(
                f"Redis database {database_id!r} is declared more than once, by "
                f"{' and '.join(names)}: each rotation would revoke the other's password, so keep "
                "one"
            )


DECLARATIONS: Final = Declarations()
"""Those of this process."""
