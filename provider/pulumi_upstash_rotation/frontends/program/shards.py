"""`in_shard()`: a fleet is spread over several stacks."""

from __future__ import annotations

import pulumi

from pulumi_upstash_rotation.resources.shards import SHARD_FORM, parse_shard, shard_of


def in_shard(database_id: str, shard: str) -> bool:
    """Return whether a database belongs to a shard of a fleet.

    Each database belongs to exactly one of the shards `1/COUNT` to `COUNT/COUNT`. The id alone
    decides. With one more shard, databases move to the new shard only, about one in COUNT + 1.

    Args:
        database_id: Id of the database. Upper and lower case are the same.
        shard: `NUMBER/COUNT`, such as `3/16`. COUNT is 9999 at most.

    Raises:
        pulumi.RunError: `shard` has another form.
    """
    wanted = parse_shard(str(shard))
    if wanted is None:
        raise pulumi.RunError(f"shard {SHARD_FORM}")
    return shard_of(database_id, wanted.count) == wanted
