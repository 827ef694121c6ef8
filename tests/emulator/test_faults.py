"""Every way in which a request can go wrong, as the client sees it."""

from __future__ import annotations

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


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 429, 500, 503, 418])
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
