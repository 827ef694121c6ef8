"""Names of arguments and outputs, as the core and as programs in other languages write them."""

from __future__ import annotations

import functools
import re


@functools.lru_cache(1024)
def camel(name: str) -> str:
    """Return a name of the core as programs write it: `databaseId` for `database_id`."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


@functools.lru_cache(1024)
def snake(name: str) -> str:
    """Return a name as the core writes it: `database_id` for `databaseId`."""
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
