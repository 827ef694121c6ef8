"""Reads a Database from a response, also from an odd one.

The response to a reset may hold the only copy of the new password. So this module takes the
credentials wherever they stand. It takes none that a response gives for another database.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import UnreadableResponseError
from pulumi_upstash_rotation.values import MAX_DEPTH

from .credentials import CREDENTIAL_NAMES, is_credential
from .database import parse_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .database import Database

_STRING: Final = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_CREDENTIAL: Final = re.compile(rf'"({"|".join(CREDENTIAL_NAMES)})"\s*:\s*{_STRING}', re.DOTALL)
_ID: Final = re.compile(rf'"database_id"\s*:\s*{_STRING}', re.DOTALL)
_MAX_DIGITS: Final = 300
_UNUSUAL: Final = "is unusual JSON"


class OtherDatabaseError(UnreadableResponseError):
    """The response describes another database than the one that the request named."""


@dataclass(frozen=True)
class Reading:
    """A Database from a response.

    Attributes:
        database: The database, under the id that the request named.
        oddity: How the response differs from a Database object, for a warning. None if it does not.
    """

    database: Database
    oddity: str | None = None


def read_database(
    body: bytes, database_id: str, *, complete: bool = True, salvage: bool = True
) -> Reading:
    """Return the Database that a response with a success status describes.

    Args:
        body: The response's body, or the part of it that came.
        database_id: The id that the request named.
        complete: False if the response broke off.
        salvage: Whether to search the whole text if JSON shows no password. A read can be repeated,
            so only the response to a reset needs that.

    Raises:
        OtherDatabaseError: It describes another database.
        UnreadableResponseError: It holds no Database and no credential.
    """
    text, oddity = _text(body)
    try:
        value = _json(text)
    except (ValueError, RecursionError):
        value = None
    found = _best(value, database_id) if complete else None
    if found is not None and salvage and not is_credential(found.get("password")):
        # Perhaps it stands where a JSON parser does not look, as in a second text.
        with contextlib.suppress(OtherDatabaseError):
            salvaged = _credentials_in(text, database_id)
            found = {**found, **salvaged} if "password" in salvaged else found
    if found is not None:
        exact = isinstance(value, dict) and value.get("database_id") == database_id
        outer = value if exact else {}  # the credentials may stand inside
        database = parse_database({**outer, **found, "database_id": database_id})
        return Reading(database, oddity if exact and found is value else _UNUSUAL)
    credentials = _credentials_in(text, database_id) if salvage else {}
    if credentials:
        what = "is not JSON" if complete else "broke off"
        return Reading(parse_database({**credentials, "database_id": database_id}), what)
    raise UnreadableResponseError("the response is not a Database object")


def _text(body: bytes) -> tuple[str, str | None]:
    """Return a body as text, and what is odd about its encoding."""
    try:
        return body.decode(json.detect_encoding(body)), None
    except ValueError:
        return body.decode("latin-1"), "is not UTF-8"


def _json(text: str) -> Any:  # noqa: ANN401  any JSON value
    """Return the first JSON object or list in a text.

    Raises:
        ValueError: There is none.
    """
    try:
        return _DECODER.decode(text)
    except ValueError:
        starts = [at for at in map(text.find, "{[") if at >= 0]
        return _DECODER.raw_decode(text, min(starts))[0] if starts else None


def _integer(digits: str) -> int | str:
    # Python refuses to convert thousands of digits. Pulumi could not store such a number either.
    return int(digits) if len(digits) < _MAX_DIGITS else digits


_DECODER: Final = json.JSONDecoder(parse_int=_integer, strict=False)


def _best(value: object, database_id: str) -> dict[str, Any] | None:
    """Return the object for this database, at best one that holds the password.

    Raises:
        OtherDatabaseError: There are only objects for other databases.
    """
    mine, others = [], False
    for each in _objects(value):
        if _is_about(each.get("database_id"), database_id):
            mine.append(each)
        else:
            others = True
    with_password = (each for each in mine if is_credential(each.get("password")))
    with_credentials = (
        each for each in mine if any(is_credential(each.get(name)) for name in CREDENTIAL_NAMES)
    )
    named = (each for each in mine if each.get("database_id"))
    found = next(chain(with_password, with_credentials, named), None)
    if found is None and others:
        raise OtherDatabaseError("the response is about another database")
    return found


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in a JSON value, the outer ones first, none inside another database."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                yield each
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner


def _is_about(found: object, database_id: str) -> bool:
    """Return whether an object with this id can describe the database that the request named."""
    if not isinstance(found, str) or not found.strip():
        return True
    return found.strip().casefold() == database_id.casefold()


def _credentials_in(text: str, database_id: str) -> dict[str, str]:
    """Return the credentials in a text that is not JSON. None of them if two texts have one name.

    Raises:
        OtherDatabaseError: The text is about another database.
    """
    if any(not _is_about(_unescaped(each), database_id) for each in _ID.findall(text)):
        raise OtherDatabaseError("the response is about another database")
    found: dict[str, set[str]] = {}
    for name, raw in _CREDENTIAL.findall(text):
        if is_credential(value := _unescaped(raw)):
            found.setdefault(name, set()).add(value)
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def _unescaped(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw
