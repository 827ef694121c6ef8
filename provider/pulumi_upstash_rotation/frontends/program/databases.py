"""`list_databases()`: a program reads the account's databases to rotate a fleet."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pulumi

from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.resources.databases import databases_named
from pulumi_upstash_rotation.upstash.settings import CONFIG_KEYS, resolve_settings


@dataclass(frozen=True)
class DatabaseSummary:
    """A Redis database of the account, as the Developer API lists it.

    Attributes:
        database_id: Id of the database. A rotation takes it as `database_id`.
        database_name: Name of the database.
        state: `active`, `suspended` or `passive`. None if the API leaves it out.
        primary_region: Region that accepts writes. None if the API leaves it out.
    """

    database_id: str
    database_name: str
    state: str | None = None
    primary_region: str | None = None


def list_databases(*, name_prefix: str = "") -> list[DatabaseSummary]:
    """Return the account's Redis databases, sorted by name.

    It sends one request to the Developer API, also in a preview, and changes nothing. It takes the
    account's credentials from the stack's config, else from the environment.

    Args:
        name_prefix: Only databases whose name starts with it are returned.

    Raises:
        pulumi.RunError: The API did not return the list. The message states the reason in one line.
    """
    from pulumi_upstash_rotation.upstash.account import open_account  # few programs need requests

    names = (key.partition(":")[2] for key in CONFIG_KEYS)
    config = pulumi.Config("upstash")
    try:
        settings = resolve_settings(
            {key: config.get(name) for key, name in zip(CONFIG_KEYS, names, strict=True)},
            os.environ,
        )
        api = open_account(lambda: settings, pulumi.log.info).api
        databases = databases_named(api, name_prefix)
    except RotationError as error:
        raise pulumi.RunError(str(error)) from None
    return [
        DatabaseSummary(
            database.database_id,
            database.database_name or "",
            database.state,
            database.primary_region,
        )
        for database in databases
    ]
