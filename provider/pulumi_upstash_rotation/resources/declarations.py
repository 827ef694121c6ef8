"""The databases that running programs declare. Each may have one rotation of a type.

Two rotations of one database would revoke each other's password.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from pulumi_upstash_rotation.errors import DuplicateDeclarationError


class Declarations:
    """The declarations of every program that runs in this process."""

    def __init__(self) -> None:
        """Start with none."""
        self._programs: WeakKeyDictionary[Any, dict[tuple[str, str], WeakKeyDictionary[Any, str]]]
        self._programs = WeakKeyDictionary()

    def add(self, program: object, database: tuple[str, str], resource: object, name: str) -> None:
        """Record that a program declares a rotation.

        Args:
            program: Any object that lives as long as the program.
            database: The resource's type, as programs know it, and the id of the database.
            resource: The declared resource. This class holds only a weak reference to it.
            name: Its name.
        """
        databases = self._programs.setdefault(program, {})
        databases.setdefault(database, WeakKeyDictionary())[resource] = name

    def check_once(self, program: object, database: tuple[str, str]) -> None:
        """Check that only one resource of the program declares a database.

        Raises:
            DuplicateDeclarationError: Several resources declare it.
        """
        names = sorted(self._programs.get(program, {}).get(database, {}).values())
        if len(names) > 1:
            raise DuplicateDeclarationError(
                f"Redis database {database[1]!r} is declared by {' and '.join(names)}. Each "
                "rotation would revoke the other's password. Keep one"
            )


DECLARATIONS: Final = Declarations()
"""The declarations of this process."""
