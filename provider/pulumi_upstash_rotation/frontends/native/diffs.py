"""Detailed diffs: which inputs have changed, and which of them replace the resource."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime.proto.provider_pb2 import PropertyDiff

from pulumi_upstash_rotation.values import Unknown, same_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def detailed_diff(
    olds: Mapping[str, Any], news: Mapping[str, Any], replacing: Collection[str]
) -> dict[str, PropertyDiff]:
    """Return the differences of inputs by their property path, such as `triggers.release`.

    Args:
        olds: The inputs in the state.
        news: The inputs of the program.
        replacing: Names of the inputs whose change replaces the resource.
    """
    changes: dict[str, PropertyDiff] = {}
    for name in sorted({*olds, *news}):
        old, new = olds.get(name), news.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                path = _path(name, key)
                values = (old.get(key), new.get(key)) if path else (old, new)
                _add(changes, path or name, values, replaces=False)
        else:
            _add(changes, name, (old, new), replaces=name in replacing)
    for name in replacing:  # the state may lack the old inputs
        kind = PropertyDiff.UPDATE_REPLACE
        changes.setdefault(name, PropertyDiff(kind=kind, inputDiff=True))
    return changes


def _add(
    changes: dict[str, PropertyDiff], path: str, values: tuple[Any, Any], *, replaces: bool
) -> None:
    old, new = values
    if not isinstance(new, Unknown) and same_value(old, new):
        return
    name = "ADD" if old is None else "DELETE" if new is None else "UPDATE"
    kind = PropertyDiff.Kind.Value(f"{name}_REPLACE" if replaces else name)
    changes[path] = PropertyDiff(kind=kind, inputDiff=True)


def _path(name: str, key: str) -> str | None:
    """Return the path of a key. None if it has no path, because the engine reads no backslash.

    The engine fails on a path that it cannot read, and no update would be possible any more.
    """
    if _NAME.fullmatch(key):
        return f"{name}.{key}"
    if "\\" in key:
        return None
    quoted = key.replace('"', r"\"")
    return f'{name}["{quoted}"]'
