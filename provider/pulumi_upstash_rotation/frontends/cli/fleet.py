"""The databases of an account, and which stacks and shards have them."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.resources.databases import databases_named
from pulumi_upstash_rotation.resources.shards import shard_of
from pulumi_upstash_rotation.upstash.settings import resolve_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_upstash_rotation.resources.shards import Shard

    from .credentials import Credential


@dataclass(frozen=True)
class FleetDatabase:
    """A database of the account.

    Attributes:
        name: Its name.
        id: Its id.
        state: `active`, `suspended` or `passive`. None if the API leaves it out.
        shard: Its shard. None without a number of shards.
        stacks: The stacks that rotate a credential of it, such as `shop/dev`.
    """

    name: str
    id: str
    state: str | None
    shard: Shard | None = None
    stacks: tuple[str, ...] = ()


def fleet(
    name_prefix: str,
    shards: int | None,
    credentials: Iterable[Credential],
    report: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> list[FleetDatabase]:
    """Return the databases of the account that the environment names, sorted by name.

    Args:
        name_prefix: Only databases whose name starts with it are returned.
        shards: The number of shards, or None.
        credentials: Those of the stacks that may rotate a database.
        report: Shows a line to a user when something takes long.
        environ: The environment.

    Raises:
        RotationError: The account's credentials are missing, or the API did not return the list.
    """
    # The other commands start faster without it.
    from pulumi_upstash_rotation.upstash.account import open_account

    if not environ.get("UPSTASH_EMAIL") and not environ.get("UPSTASH_API_KEY"):
        raise ConfigurationError(
            "no Upstash credentials: set UPSTASH_EMAIL and UPSTASH_API_KEY in the environment"
        )
    settings = resolve_settings({}, environ)
    rotating: defaultdict[str, list[str]] = defaultdict(list)
    for each in credentials:
        if each.database_id:
            rotating[each.database_id.casefold()].append(each.qualified_stack)
    return [
        FleetDatabase(
            each.database_name or "",
            each.database_id,
            each.state,
            shard_of(each.database_id, shards) if shards else None,
            tuple(dict.fromkeys(rotating[each.database_id.casefold()])),
        )
        for each in databases_named(open_account(lambda: settings, report).api, name_prefix)
    ]
