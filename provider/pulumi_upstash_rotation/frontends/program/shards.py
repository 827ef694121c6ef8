"""`in_shard()`: a fleet is spread over several stacks."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import pulumi

_SHARD: Final = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


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
    found = _SHARD.fullmatch(str(shard))
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise pulumi.RunError(
            "shard must be NUMBER/COUNT, such as 3/16, with a NUMBER from 1 to COUNT "
            "and a COUNT of at most 9999"
        )

    # Rendezvous hashing: each shard has a weight for each database, and the highest one wins.
    # A new shard changes no other shard's weight.
    def weight(shard_number: int) -> bytes:
        return sha256(f"{shard_number}/{database_id.lower()}".encode()).digest()

    return max(range(1, count + 1), key=weight) == number
