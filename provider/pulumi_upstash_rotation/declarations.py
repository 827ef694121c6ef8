"""One database, one rotation: what a program has declared so far.

Two rotations of one database would reset it in turns, each making the other's password useless.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from weakref import WeakKeyDictionary

import pulumi

_declared: WeakKeyDictionary[Any, dict[str, set[str]]] = WeakKeyDictionary()
"""Names of the resources by database id, for each running program: a process may run several."""


def declare(database_id: str, resource_name: str) -> None:
    """Remember that a program declares a rotation."""
    program = pulumi.runtime.get_root_resource()
    if program is not None:
        databases = _declared.setdefault(program, defaultdict(set))
        databases[database_id].add(resource_name)


def check_declared_once(database_id: str, resource_name: str) -> str:
    """Return the id if no other resource of the program names it.

    Called when the resource is about to be registered: by then a program has run to its end and
    declared everything, so that not even the first of two is reset.

    Raises:
        pulumi.RunError: Another resource rotates the same database.
    """
    declare(database_id, resource_name)
    databases = _declared.get(pulumi.runtime.get_root_resource(), {})
    names = sorted(databases.get(database_id, ()))
    if len(names) > 1:
        raise pulumi.RunError(
            f"Redis database {database_id!r} is declared more than once, by {' and '.join(names)}: "
            "each rotation would make the other's password useless, so keep one"
        )
    return database_id
