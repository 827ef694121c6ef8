"""Databases of an account: the check of an id, those with a name prefix, and of a deletion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from pulumi_upstash_rotation.errors import ApiError

if TYPE_CHECKING:
    from pulumi_upstash_rotation.upstash.database import Database
    from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi

    from .seam import Operation


SUSPENDED: Final = "suspended"
"""The API's state of a database that cannot be used or reset."""
NOT_DELETED: Final = (
    "the state has not changed. Check the account and the API's URL. If the database is "
    "deleted, remove the resource with `pulumi state delete`"
)
_DATABASE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def database_id_problem(value: object) -> str | None:
    """Return why a value cannot be the id of a database. None if it can."""
    if isinstance(value, str) and _DATABASE_ID.fullmatch(value):
        return None
    return (
        "must be the id of an Upstash Redis database, such as "
        "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)"
    )


def databases_named(api: DeveloperApi, name_prefix: str) -> list[Database]:
    """Return the account's databases whose name starts with a prefix, sorted by name.

    Raises:
        RotationError: The API did not return the list.
    """
    found = [
        each for each in api.list_databases() if (each.database_name or "").startswith(name_prefix)
    ]
    return sorted(found, key=lambda each: (each.database_name or "", each.database_id))


class KnownDatabase(Protocol):
    """What a state knows of a database."""

    @property
    def database_id(self) -> str:
        """Its id."""

    @property
    def label(self) -> str:
        """What messages call it."""

    @property
    def customer_id(self) -> str | None:
        """The account that owns it. None if it is not known."""


def confirm_deletion(operation: Operation, known: KnownDatabase) -> None:
    """Return only if a database that a read did not find is certainly deleted.

    A 404 alone can come from a proxy, from a wrong base URL, or from another account.

    Raises:
        ApiError: It may still exist. Nothing has changed.
    """
    missing = f"{known.label} was not found (404)"
    api = operation.account.api
    databases = api.list_databases()
    if any(each.database_id.casefold() == known.database_id.casefold() for each in databases):
        raise ApiError(f"{missing}, but the list of databases has it", NOT_DELETED)
    owners = {each.customer_id.casefold() for each in databases if each.customer_id}
    if (known.customer_id or "").casefold() not in (owners or {api.user.casefold()}):
        owner = f"the account {known.customer_id!r}" if known.customer_id else "an unknown account"
        raise ApiError(
            f"{missing}. The state has it from {owner}, and this may be another", NOT_DELETED
        )
