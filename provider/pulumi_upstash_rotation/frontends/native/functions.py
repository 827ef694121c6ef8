"""The functions that a program can call. They read, and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.resources.databases import database_id_problem, databases_named
from pulumi_upstash_rotation.values import UNKNOWN, has_unknown, storable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_upstash_rotation.upstash.account import Account


def get_database(arguments: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """Return a database of the account, with its credentials if the API returns them.

    Raises:
        RotationError: The id is not allowed, or the API did not return the database.
    """
    id_ = arguments.get("database_id")
    if problem := database_id_problem(id_):
        raise InvalidInputError("database_id", problem)
    database = account.api.get_database(str(id_))
    found = {**database.documented(), **database.urls}
    return {name: storable(value) for name, value in found.items() if value is not None}


def list_databases(arguments: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """Return the databases of the account, sorted by name.

    Raises:
        RotationError: The prefix is not allowed, or the API did not return the list.
    """
    prefix = arguments.get("name_prefix", "")
    if not isinstance(prefix, str):
        raise InvalidInputError("name_prefix", "must be a text")
    found = [
        {
            "databaseId": each.database_id,
            "databaseName": each.database_name or "",
            "state": each.state,
            "primaryRegion": each.primary_region,
        }
        for each in databases_named(account.api, prefix)
    ]
    return {
        "databases": [
            {name: value for name, value in each.items() if value is not None} for each in found
        ]
    }


FUNCTIONS = {"getDatabase": get_database, "listDatabases": list_databases}
"""The functions, by the name that programs use."""


def call(name: str, arguments: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """Return the result of a function. Arguments that are not known give an unknown result.

    Raises:
        KeyError: There is no such function.
        RotationError: It failed. Nothing has changed.
    """
    function = FUNCTIONS[name]
    if has_unknown(arguments):
        return dict.fromkeys(("database_id", "databases"), UNKNOWN)
    return function(arguments, account)
