"""One database, one rotation: what a program has declared so far.

Two rotations of one database would reset it in turns, each making the other's password useless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime import mocks, settings

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_Given = TypeVar("_Given")
"""Whatever a program gives as an id."""

_declared: WeakKeyDictionary[Any, dict[str, MutableMapping[pulumi.Resource, str]]]
_declared = WeakKeyDictionary()
"""Resources and their names by database id, for each running program: a process may run several."""


def declare(database_id: str, resource: pulumi.Resource, resource_name: str) -> None:
    """Remember that a program declares a rotation."""
    program = pulumi.runtime.get_root_resource()
    # Tests with mocks are one program to Pulumi, and may each declare the same database.
    if program is not None and not isinstance(settings.get_monitor(), mocks.MockMonitor):
        resources = _declared.setdefault(program, {}).setdefault(database_id, WeakKeyDictionary())
        resources[resource] = resource_name


def check_declared_once(
    database_id: _Given, resource: pulumi.Resource, resource_name: str
) -> _Given:
    """Return the id if no other resource of the program names it.

    Called when the resource is about to be registered: by then a program has run to its end and
    declared everything, so that not even the first of two is reset. Only an id that becomes known
    later than that can come too late.

    Raises:
        pulumi.RunError: Another resource rotates the same database.
    """
    if not isinstance(database_id, str):
        return database_id  # the provider says what is wrong with it
    declare(database_id, resource, resource_name)
    databases = _declared.get(pulumi.runtime.get_root_resource(), {})
    names = sorted(databases.get(database_id, {}).values())
    if len(names) > 1:
        raise pulumi.RunError(
            f"Redis database {database_id!r} is declared more than once, by {' and '.join(names)}: "
            "each rotation would make the other's password useless, so keep one"
        )
    return database_id
