"""Which shard of a fleet has a database: its id alone decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

MOST_SHARDS: Final = 9999
SHARD_FORM: Final = (
    "must be NUMBER/COUNT, such as 3/16, with a NUMBER from 1 to COUNT and a COUNT of at most "
    f"{MOST_SHARDS}"
)
"""What a shard must be, for error texts that name the input first."""
_SHARD: Final = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Shard:
    """A shard of a fleet.

    Attributes:
        number: Its number, from 1 to `count`.
        count: The number of all shards.
    """

    number: int
    count: int

    def __str__(self) -> str:
        """Return the text, such as `3/16`."""
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard | None:
    """Return the shard in a text such as `3/16`. None if it has another form."""
    found = _SHARD.fullmatch(text)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    return shard if shard and shard.number <= shard.count else None


def shard_of(database_id: str, count: int) -> Shard:
    """Return the shard of a database, of `count` shards.

    With one more shard, databases move to the new shard only, about one in `count` + 1.

    Args:
        database_id: Id of the database. Upper and lower case are the same.
        count: The number of all shards, at least 1.
    """

    # Rendezvous hashing: each shard has a weight for each database, and the highest one wins.
    # A new shard changes no other shard's weight.
    def weight(number: int) -> bytes:
        return sha256(f"{number}/{database_id.lower()}".encode()).digest()

    return Shard(max(range(1, count + 1), key=weight), count)
