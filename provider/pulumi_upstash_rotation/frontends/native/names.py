"""Properties and messages with the names that every Pulumi language writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.frontends.engine.names import camel, snake

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

OBJECTS: Final = ("security_addons",)
"""Properties whose value is an object with documented names. Other maps keep their keys."""

NAMES: Final = (
    "admin_token",
    "adopt_existing",
    "database_id",
    "existing_token",
    "grace_seconds",
    "name_prefix",
    "previous_tokens",
    "credential_fingerprint",
    "redis_url",
    "require_credentials",
    "rest_url",
    "rotate_on_create",
    "rotate_on_delete",
    "rotation_days",
    "rotation_schedule",
    "stale_consumers",
    "verify_timeout",
)
"""Names of more than one word that messages of the core may hold."""

_WORDS: Final = {"True": "true", "False": "false", "None": "absent"}
_USERS_OWN: Final = (
    r"""(?<!\w)(?P<quote>['"])(?:\\.|(?!(?P=quote))[^\\\n])*(?P=quote)|\btrigger: .*"""
)
"""Parts of a message that a user wrote: what is in quotes, and the name of a trigger.

A backslash matches in one way only. Otherwise many of them after an open quote would take forever.
"""


def to_camel(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties of the core under the names that programs write."""
    return {camel(name): _inner(name, value, camel) for name, value in properties.items()}


def to_snake(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a program's properties under the names of the core."""
    return {snake(name): _inner(snake(name), value, snake) for name, value in properties.items()}


def text_for_programs(text: str, names: Collection[str]) -> str:
    """Return a message of the core with the names and values that programs write.

    What users wrote stays as it is, such as the name of a database.

    Args:
        text: The message.
        names: The core's names that it may hold.
    """
    written = {**{name: camel(name) for name in names}, **_WORDS}
    words = "|".join(sorted(map(re.escape, written), key=len, reverse=True))
    return re.sub(
        rf"{_USERS_OWN}|\b(?P<word>{words})\b",
        lambda match: written[match["word"]] if match["word"] else match[0],
        text,
    )


def for_programs(message: str) -> str:
    """Return a message of the core for users: see `text_for_programs()`."""
    return text_for_programs(message, NAMES)


def _inner(name: str, value: Any, rename: Any) -> Any:  # noqa: ANN401  any value
    if name in OBJECTS and isinstance(value, dict):
        return {rename(key): item for key, item in value.items()}
    return value
