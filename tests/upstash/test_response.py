"""What is read from a response to our own call, however odd it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import UnreadableResponseError
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.response import OtherDatabaseError, read_database

from ..support.payloads import (
    CREDENTIALS,
    DATABASE_ID,
    DOCUMENTED,
    JSON,
    PREVIOUS_CREDENTIALS,
    WITH_CREDENTIALS,
)

WITHOUT_ID = {name: value for name, value in WITH_CREDENTIALS.items() if name != "database_id"}
MINE = Credentials(**CREDENTIALS)


def body(value: Any = WITH_CREDENTIALS) -> bytes:
    return json.dumps(value).encode()


def test_documented_response_is_read_without_an_oddity() -> None:
    reading = read_database(body(DOCUMENTED), DATABASE_ID)
    assert reading.oddity is None
    assert reading.database.database_name == "MyRedis"
    assert not reading.database.credentials
    assert read_database(body(), DATABASE_ID).database.credentials == MINE


@pytest.mark.parametrize(
    ("content", "oddity"),
    [
        (body(WITHOUT_ID), "is unusual JSON"),
        (body({**WITH_CREDENTIALS, "database_id": None}), "is unusual JSON"),
        (body({**WITH_CREDENTIALS, "database_id": ""}), "is unusual JSON"),
        (body({**WITH_CREDENTIALS, "database_id": 7}), "is unusual JSON"),
        (body({**WITH_CREDENTIALS, "database_id": DATABASE_ID.upper()}), "is unusual JSON"),
        (body({"data": WITH_CREDENTIALS}), "is unusual JSON"),
        (body({"data": {"database": [WITHOUT_ID]}}), "is unusual JSON"),
        (body([WITH_CREDENTIALS]), "is unusual JSON"),
        (body({**DOCUMENTED, "credentials": CREDENTIALS}), "is unusual JSON"),
        (
            body(
                {
                    **DOCUMENTED,
                    **{name: CREDENTIALS[name] for name in CREDENTIALS if name != "password"},
                    "credentials": {"password": CREDENTIALS["password"]},
                }
            ),
            "is unusual JSON",
        ),
        (body(DOCUMENTED) + b"\n" + body(), "is unusual JSON"),
        (body()[:-1] + b', "password": null}', "is unusual JSON"),
        (b"\xef\xbb\xbf" + body(), None),
        (json.dumps(WITH_CREDENTIALS).encode("utf-16"), None),
        (body().replace(b"MyRedis", b"caf\xe9"), "is not UTF-8"),
        (body() + b"\n\ntrailing", None),
        (b")]}',\n" + body(), None),
        (body().replace(b'"replicas": 5', b'"replicas": ' + b"9" * 5000), None),
        (body().replace(b'"MyRedis"', b'"' + b"a\nb" + b'"'), None),
        (body().replace(b'"MyRedis"', b"[" * 400 + b"]" * 400), None),
        (body().replace(b'"MyRedis"', b"[" * 100_000 + b"]" * 100_000), "is not JSON"),
        (body().replace(b'"MyRedis"', b"undefined"), "is not JSON"),
        (body().replace(b"}", b""), "is not JSON"),
    ],
)
def test_credentials_are_taken_wherever_they_stand(content: bytes, oddity: str | None) -> None:
    reading = read_database(content, DATABASE_ID)
    assert reading.database.credentials == MINE
    assert reading.database.database_id == DATABASE_ID
    assert reading.oddity == oddity


def test_credentials_are_taken_from_a_response_that_broke_off() -> None:
    content = body()
    for end in range(content.index(b'"password"'), len(content)):
        part = content[:end]
        complete = CREDENTIALS["password"].encode() + b'"' in part
        if not complete:
            with pytest.raises(UnreadableResponseError):
                read_database(part, DATABASE_ID, complete=False)
            continue
        reading = read_database(part, DATABASE_ID, complete=False)
        assert reading.database.credentials.password == CREDENTIALS["password"]
        assert set(reading.database.credentials.known().values()) <= set(CREDENTIALS.values())
        assert reading.oddity == "broke off"


OTHER = {**WITH_CREDENTIALS, "database_id": "another"}


@pytest.mark.parametrize(
    "content",
    [
        body(OTHER),
        body({"data": OTHER}),
        body([OTHER]),
        body(OTHER)[:-1],
        body({**OTHER, "inner": {"database_id": DATABASE_ID[:-1], **CREDENTIALS}}),
    ],
)
def test_credentials_of_another_database_are_not_taken(content: bytes) -> None:
    with pytest.raises(OtherDatabaseError):
        read_database(content, DATABASE_ID)
    with pytest.raises(OtherDatabaseError):
        read_database(content, DATABASE_ID, complete=False)


def test_a_huge_text_that_never_ends_is_searched_in_one_pass() -> None:
    huge = b'{"password":"' + b"a" * (8 << 20)
    with pytest.raises(UnreadableResponseError):
        read_database(huge, DATABASE_ID)
    escaped = read_database(rb'{"password":"a\"\\\u0062", "x":' + huge, DATABASE_ID, complete=False)
    assert escaped.database.credentials.password == 'a"\\b'


def test_database_that_the_request_named_is_found_among_others() -> None:
    others = {"database_id": "another", **PREVIOUS_CREDENTIALS}
    reading = read_database(body([others, WITH_CREDENTIALS, others]), DATABASE_ID)
    assert reading.database.credentials == MINE


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x00\xff", b"<html>sorry</html>", b"OK", b'"OK"', b"null", b"7", b"{}", b"[]"),
        body({"password": ""}),
        body({"password": "********"}),
        body({"password": ["x"]}),
        b'{"password": "a", broken "password": "b"}',
    ],
)
def test_response_without_a_database_and_a_credential_is_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableResponseError):
        read_database(content, DATABASE_ID)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_any_response_is_a_reading_or_unreadable(content: bytes, complete: bool) -> None:
    try:
        reading = read_database(content, DATABASE_ID, complete=complete)
    except UnreadableResponseError as error:
        # A few bytes may be part of any sentence.
        assert len(content) < 9 or content not in str(error).encode()  # noqa: PT017
    else:
        assert reading.database.database_id == DATABASE_ID
