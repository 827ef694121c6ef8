"""Every way in which a request can go wrong, as the client sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests

from upstash_emulator import Emulator, Fault

from .support import Api, outcome, wait_until

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase

OF_ONE_CALL = {
    "status": Fault.status(500),
    "status, applied": Fault.status(500, applied=True),
    "delay": Fault.delay(0.01),
    "closed": Fault.closed(),
    "closed, applied": Fault.closed(applied=True),
    "cut off": Fault.cut_off(),
    "garbage": Fault.garbage(),
    "null": Fault.body(None),
    "without": Fault.without("database_id"),
    "merge": Fault.merge({"database_id": 7}),
    "rename": Fault.rename({"database_id": "id"}),
    "wrap": Fault.wrap("data"),
    "trailing text": Fault.rewrite(r"\Z", "<!-- proxy -->"),
    "redirect": Fault.status(303, headers={"Location": "/login"}, applied=True),
    "not modified": Fault.status(304, applied=True),
    "stale read": Fault.stale_read(reads=1),
}


NOT_APPLIED = {"status", "closed"}


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("status", "500, wrong"),
        ("status, applied", "500, wrong"),
        ("delay", "200, right"),
        ("closed", "closed"),
        ("closed, applied", "closed"),
        ("cut off", "cut off"),
        ("garbage", "200, not JSON"),
        ("null", "200, wrong"),
        ("without", "200, wrong"),
        ("merge", "200, wrong"),
        ("rename", "200, wrong"),
        ("wrap", "200, wrong"),
        ("trailing text", "200, not JSON"),
        ("redirect", "303"),
        ("not modified", "304, not JSON"),
        ("stale read", "200, right"),
    ],
)
def test_fault_hits_one_reset_and_the_next_one_succeeds(
    emulator: Emulator, api: Api, database: EmulatedDatabase, fault: str, seen: str
) -> None:
    emulator.fault(OF_ONE_CALL[fault], operation="reset")
    before = database.password
    assert outcome(api, database) == seen
    applied = fault not in NOT_APPLIED
    assert (database.password != before) == applied
    assert database.resets == applied
    assert emulator.calls[-1].applied == applied
    assert (emulator.calls[-1].status is None) == (seen == "closed")
    assert outcome(api, database) == "200, right"


@pytest.mark.parametrize(
    "status",
    [206, 303, 400, 401, 403, 404, 405, 406, 408, 418, 429, 499, 500, 503, 999],
)
def test_status_without_a_body_has_the_api_s_own_error_body(
    emulator: Emulator, api: Api, status: int
) -> None:
    emulator.fault(Fault.status(status))
    response = api.list()
    assert response.status_code == status
    assert response.json()["code"] == status
    assert "Retry-After" not in response.headers


def test_status_with_retry_after_and_a_body_has_both(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(429, retry_after=1, body="<p>slow down", content_type="text/html"))
    response = api.list()
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text == "<p>slow down"


def test_delay_before_the_operation_changes_nothing_while_it_lasts() -> None:
    with Emulator(redis_servers=False) as emulator, Api(emulator) as api:
        emulator.fault(Fault.delay(60))
        with pytest.raises(requests.Timeout):
            api.reset(emulator.databases[0], timeout=0.1)
        assert emulator.resets == 0
        assert emulator.calls == []


def test_delay_after_the_operation_hides_that_it_was_applied() -> None:
    with Emulator(redis_servers=False) as emulator, Api(emulator) as api:
        emulator.fault(Fault.delay(60, applied=True))
        with pytest.raises(requests.Timeout):
            api.reset(emulator.databases[0], timeout=0.1)
        assert wait_until(lambda: emulator.resets == 1)
        assert emulator.calls == []


def test_garbage_is_sent_byte_for_byte(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.garbage(b"\x80 broken"))
    response = api.reset(database)
    assert (response.status_code, response.content) == (200, b"\x80 broken")


def test_body_is_sent_as_json(emulator: Emulator, api: Api, database: EmulatedDatabase) -> None:
    emulator.fault(Fault.body({"database_id": 7}))
    assert api.reset(database).json() == {"database_id": 7}


def test_fields_left_out_of_an_object_are_missing(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.without("password", "rest_token"), operation="get")
    body = api.get(database).json()
    assert not {"password", "rest_token"} & set(body)
    assert body["read_only_rest_token"] == database.read_only_rest_token


def test_fields_left_out_of_a_list_change_nothing(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.without("database_id"))
    assert len(api.list().json()) == 2


def test_other_database_is_described_but_not_reset(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.reset_response = "with_credentials"
    other = emulator.databases[1]
    emulator.fault(Fault.other_database(other.id))
    body = api.reset(database).json()
    assert (body["database_id"], body["password"]) == (other.id, other.password)
    assert (database.resets, other.resets) == (1, 0)


def test_fields_that_are_merged_replace_others_and_join_them(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    deep: object = "bottom"
    for _ in range(400):
        deep = [deep]
    emulator.fault(Fault.merge({"password": "********", "deep": deep, "database_name": None}))
    body = api.get(database).json()
    assert (body["password"], body["database_name"]) == ("********", None)
    assert body["deep"] == deep
    assert body["database_id"] == database.id


def test_fields_that_are_renamed_keep_their_values(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.rename({"database_id": "id"}))
    body = api.reset(database).json()
    assert body["id"] == database.id
    assert "database_id" not in body


def test_object_that_is_wrapped_is_whole(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.wrap("data"))
    body = api.reset(database).json()
    assert list(body) == ["data"]
    assert body["data"]["database_id"] == database.id


@pytest.mark.parametrize("change", [Fault.merge({"a": 1}), Fault.rename({"a": "b"})])
def test_change_of_an_object_leaves_what_is_none(
    emulator: Emulator, api: Api, database: EmulatedDatabase, change: Fault
) -> None:
    emulator.fault(Fault.garbage(b"no JSON").also(change))
    assert api.reset(database).content == b"no JSON"


@pytest.mark.parametrize(
    ("pattern", "replacement", "encoding", "part"),
    [
        (r"\Z", "<!-- proxy -->", "utf-8", b"}<!-- proxy -->"),
        (r"\A", "\ufeff", "utf-8", b'\xef\xbb\xbf{"'),
        ("database-1", "caf\u00e9", "latin-1", b'"caf\xe9"'),
        ("8024278031528736858", "8" * 5000, "utf-8", b": " + b"8" * 5000 + b","),
        ('"tls": true', r"\1", "utf-8", rb", \1, "),
    ],
)
def test_body_that_is_rewritten_has_the_replacement_as_it_is(
    emulator: Emulator,
    api: Api,
    database: EmulatedDatabase,
    pattern: str,
    replacement: str,
    encoding: str,
    part: bytes,
) -> None:
    emulator.fault(Fault.rewrite(pattern, replacement, encoding=encoding))
    content = api.reset(database).content
    assert content.count(part) == 1
    assert database.id.encode() in content


def test_content_encoding_that_is_false_is_sent(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.headers({"Content-Encoding": "gzip"}))
    with pytest.raises(requests.exceptions.ContentDecodingError):
        api.reset(database)
    assert database.resets == 1


def test_redirect_has_its_location(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(303, headers={"Location": "/login"}, retry_after=2))
    response = api.list()
    assert response.headers["Location"] == "/login"
    assert response.headers["Retry-After"] == "2"


def test_interim_responses_come_before_the_right_one(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.interim(100, 100, 103, headers={"Link": "</a>; rel=preload"}))
    interim, last = api.raw_reset(database).split(b"HTTP/1.1 200 OK\r\n")
    early = b"\r\nLink: </a>; rel=preload\r\n\r\n"
    assert interim == ((b"HTTP/1.1 100 Continue" + early) * 2 + b"HTTP/1.1 103 Early Hints" + early)
    assert json.loads(last.partition(b"\r\n\r\n")[2])["database_id"] == database.id
    assert database.resets == 1


def test_interim_response_before_a_fault_comes_first(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.status(500, applied=True).also(Fault.interim(102)))
    content = api.raw_reset(database)
    assert content.startswith(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 500 ")
    assert database.resets == 1


@pytest.mark.parametrize("part", ["interim", "headers", "body", "trailers"])
def test_response_that_drips_is_right_in_the_end(
    emulator: Emulator, api: Api, database: EmulatedDatabase, part: str
) -> None:
    emulator.fault(Fault.drip(part, 0.3), times=2)
    content = api.raw_reset(database)
    assert content.count(b"HTTP/1.1 100 Continue\r\n\r\n") == (64 if part == "interim" else 0)
    assert (b"X-Trailer-7" in content) == (part == "trailers")
    assert outcome(api, database) == "200, right"
    assert outcome(api, database) == "200, right"


def test_response_that_drips_for_long_holds_nothing_up() -> None:
    with Emulator(redis_servers=False) as emulator, Api(emulator) as api:
        emulator.fault(Fault.drip("headers", 600))
        with pytest.raises(requests.Timeout):
            api.reset(emulator.databases[0], timeout=0.2)
        assert wait_until(lambda: emulator.resets == 1)
        assert api.list().status_code == 200


def test_combined_faults_are_both_met(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    old = database.password
    emulator.fault(Fault.stale_read(reads=1).also(Fault.closed()))
    assert outcome(api, database) == "closed"
    assert [api.get(database).json()["password"] for _ in range(2)] == [old, database.password]
    assert emulator.calls[0].fault == "stale_read, closed"


def test_fault_with_another_kind_is_recorded_under_it(emulator: Emulator, api: Api) -> None:
    emulator.fault(replace(Fault.status(404, body="<html>"), kind="a proxy's page"))
    assert api.list().status_code == 404
    assert emulator.calls[-1].fault == "a proxy's page"
