"""What running programs declare. Each database or ACL user may have one rotation.

Two rotations of one credential would revoke each other's.
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

    def add(self, program: object, key: tuple[str, str], resource: object, name: str) -> None:
        """Record that a program declares a rotation.

        Args:
            program: Any object that lives as long as the program.
            key: The resource's type, as programs know it, and what it rotates.
            resource: The declared resource. This class holds only a weak reference to it.
            name: Its name.
        """
        declared = self._programs.setdefault(program, {})
        declared.setdefault(key, WeakKeyDictionary())[resource] = name

    def check_once(self, program: object, key: tuple[str, str], label: str, harm: str) -> None:
        """Check that only one resource of the program declares something.

        Args:
            program: As for `add()`.
            key: As for `add()`.
            label: What messages call it.
            harm: What two resources would do.

        Raises:
            DuplicateDeclarationError: Several resources declare it.
        """
        names = sorted(self._programs.get(program, {}).get(key, {}).values())
        if len(names) > 1:
            raise DuplicateDeclarationError(
                f"{label} is declared by {' and '.join(names)}. {harm}. Keep one"
            )


DECLARATIONS: Final = Declarations()
"""The declarations of this process."""
