"""Plain values for all rooms: JSON and unknown values, times, the result of a verification."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EXACT_INTEGER: Final = 2**53
"""Largest exact integer of a 64-bit float. Pulumi's wire format has no other numbers."""

VERIFY_IS_FALSE: Final = "not verified: verify is False"
"""Message of the `Verification` that a program does not want."""

MAX_DEPTH: Final = 32
"""Deepest nesting of lists and maps. Pulumi's wire format has a limit not far beyond."""

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


class Unknown:
    """A value that is known only once the resource that computes it exists."""

    def __repr__(self) -> str:
        """Return the word for messages."""
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    It is in this module because the probe creates it and the rotation's record keeps it.

    Attributes:
        verified: True if the database accepted the new credential and rejected the previous one. If
            the previous one is not known, the database only had to accept the new one.
        message: The result in words, or the reason why there was no verification. No secrets.
        rejected: True if the database answered, and did not accept the new credential.
    """

    verified: bool
    message: str
    rejected: bool = False


def mark_unknown(value: Any, is_unknown: Callable[[Any], bool]) -> Any:  # noqa: ANN401  any value
    """Return a value in which `UNKNOWN` replaces each part that `is_unknown` accepts, at any depth.

    Maps become dicts, and tuples become lists, as Pulumi sends them.
    """
    if is_unknown(value):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: mark_unknown(item, is_unknown) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mark_unknown(item, is_unknown) for item in value]
    return value


def has_unknown(value: object) -> bool:
    """Return whether any part of a value is not known yet."""
    if isinstance(value, Mapping):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_unknown, value))
    return isinstance(value, Unknown)


def is_json(value: object) -> bool:
    """Return whether Pulumi can send and store a value without loss. Unknown parts pass."""
    match value:
        case Mapping():
            return all(
                isinstance(key, str) and is_json(key) and is_json(item)
                for key, item in value.items()
            )
        case list() | tuple():
            return all(map(is_json, value))
        case str():
            return value == utf8(value)
        case int():
            return abs(value) <= MAX_EXACT_INTEGER
        case float():
            return math.isfinite(value)
    return value is None or isinstance(value, Unknown)


def is_deeper_than(value: object, levels: int) -> bool:
    """Return whether lists and maps are nested deeper than so many levels."""
    inner: list[object] = [value]
    for _ in range(levels + 1):
        containers = [item for item in inner if isinstance(item, Mapping | list | tuple)]
        inner = [
            item
            for each in containers
            for item in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not containers:
            return False
    return True


def same_value(a: object, b: object) -> bool:
    """Return whether two JSON values are equal after Pulumi's engine has stored them.

    The engine stores numbers as floats, so 1 equals 1.0. In a map, null equals absent. True is not
    1.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return all(same_value(a.get(key), b.get(key)) for key in a.keys() | b.keys())
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)  # NaN equals nothing, not even itself
    return a == b


def storable(value: Any) -> Any:  # noqa: ANN401  any JSON value in, the same shape out
    """Return a JSON value with a string for each number that Pulumi would corrupt or reject."""
    match value:
        case dict():
            return {key: storable(item) for key, item in value.items()}
        case list():
            return [storable(item) for item in value]
        case int() if abs(value) > MAX_EXACT_INTEGER:
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)
    return value


def utf8(text: str) -> str:
    """Return a text that UTF-8 can encode. A JSON escape may hold half a surrogate pair."""
    return text.encode(errors="replace").decode()


def format_time(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339, in whole seconds."""
    return moment.strftime(_TIME_FORMAT)


def parse_time(text: object) -> datetime | None:
    """Return the time that `format_time()` wrote, in UTC. None for any other value."""
    try:
        return datetime.strptime(str(text), _TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
