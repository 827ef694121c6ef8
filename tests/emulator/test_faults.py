"""Every way in which a call can be made to go wrong."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import requests

from upstash_emulator import EmulatedDatabase, Emulator, EmulatorError, Fault

if TYPE_CHECKING:
    from .clients import Api

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


def outcome(api: Api, database: EmulatedDatabase) -> str:
    """What a client can tell of a reset."""
    try:
        answer = api.reset(database)
    except requests.exceptions.ChunkedEncodingError:
        return "cut off"
    except requests.ConnectionError:
        return "closed"
    try:
        value = answer.json()
    except ValueError:
        return f"{answer.status_code}, not JSON"
    whole = isinstance(value, dict) and value.get("database_id") == database.id
    return f"{answer.status_code}, {'right' if whole else 'wrong'}"


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
def test_fault_hits_one_reset_as_the_client_sees_it_and_as_it_was(
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
def test_any_status_can_be_answered_with_the_api_s_own_error_body(
    emulator: Emulator, api: Api, status: int
) -> None:
    emulator.fault(Fault.status(status))
    answer = api.list()
    assert answer.status_code == status
    assert answer.json()["code"] == status
    assert "Retry-After" not in answer.headers


def test_a_status_may_carry_retry_after_and_a_body_of_its_own(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(429, retry_after=1, body="<p>slow down", content_type="text/html"))
    answer = api.list()
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text == "<p>slow down"


def test_a_delay_before_the_operation_leaves_time_in_which_nothing_has_changed(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.delay(0.6))
    with pytest.raises(requests.Timeout):
        api.call("POST", f"/v2/redis/reset-password/{database.id}", timeout=0.2)
    assert database.resets == 0
    wait_for_call(emulator)
    assert database.resets == 1


def test_a_delay_after_the_operation_hides_that_it_was_applied(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.delay(0.6, applied=True))
    with pytest.raises(requests.Timeout):
        api.call("POST", f"/v2/redis/reset-password/{database.id}", timeout=0.2)
    assert database.resets == 1


def wait_for_call(emulator: Emulator) -> None:
    deadline = time.monotonic() + 5
    while not emulator.calls:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_garbage_is_whatever_bytes_are_given(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.garbage(b"\x80 broken"))
    answer = api.reset(database)
    assert (answer.status_code, answer.content) == (200, b"\x80 broken")


def test_a_body_is_whatever_json_is_given(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.body({"database_id": 7}))
    assert api.reset(database).json() == {"database_id": 7}


def test_fields_can_be_missing(emulator: Emulator, api: Api, database: EmulatedDatabase) -> None:
    emulator.fault(Fault.without("password", "rest_token"), operation="get")
    body = api.get(database).json()
    assert not {"password", "rest_token"} & set(body)
    assert body["read_only_rest_token"] == database.read_only_rest_token


def test_an_object_s_fields_cannot_be_missing_from_a_list(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.without("database_id"))
    assert len(api.list().json()) == 2


def test_another_database_can_be_answered(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.answer = "with_credentials"
    other = emulator.databases[1]
    emulator.fault(Fault.other_database(other.id))
    body = api.reset(database).json()
    assert (body["database_id"], body["password"]) == (other.id, other.password)
    assert (database.resets, other.resets) == (1, 0)


@pytest.mark.parametrize("times", [1, 3])
def test_a_fault_ends_after_so_many_calls(emulator: Emulator, api: Api, times: int) -> None:
    emulator.fault(Fault.status(503), times=times)
    statuses = [api.list().status_code for _ in range(times + 1)]
    assert statuses == [503] * times + [200]


def test_a_fault_without_limit_ends_when_cleared(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(503), times=None)
    assert {api.list().status_code for _ in range(4)} == {503}
    emulator.clear()
    assert api.list().status_code == 200


def test_a_fault_hits_only_the_operation_and_database_it_is_meant_for(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    other = emulator.databases[1]
    emulator.fault(Fault.status(503), operation="get", database_id=other.id, times=None)
    assert api.reset(other).status_code == 200
    assert api.get(database).status_code == 200
    assert api.list().status_code == 200
    assert api.get(other).status_code == 503


def test_faults_hit_in_the_order_in_which_they_were_planned(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(429))
    emulator.fault(Fault.status(500), operation="list")
    assert [api.list().status_code for _ in range(3)] == [429, 500, 200]


def test_a_fault_answered_instead_of_the_operation_comes_before_any_check(
    emulator: Emulator, api: Api
) -> None:
    emulator.fault(Fault.status(503))
    api.session.auth = None
    assert api.list().status_code == 503
    assert api.list().status_code == 401


def test_a_refused_call_is_refused_rightly_and_uses_up_a_fault_after_applying(
    emulator: Emulator, api: Api
) -> None:
    emulator.fault(Fault.garbage())
    assert api.reset("unknown").status_code == 404
    assert len(api.list().json()) == 2


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"operation": "delete"}, "reset, get, list, auditlogs, any"),
        ({"times": 0}, "at least 1"),
        ({"database_id": "unknown"}, "no database unknown"),
    ],
)
def test_a_fault_that_could_never_hit_is_refused(
    emulator: Emulator, plan: dict[str, object], message: str
) -> None:
    with pytest.raises(EmulatorError, match=message):
        emulator.fault(Fault.closed(), **plan)
    with pytest.raises(EmulatorError, match="no database unknown"):
        emulator.fault(Fault.other_database("unknown"))


@pytest.mark.parametrize(
    ("order", "seen"),
    [
        ({"kind": "status", "status": 503, "retry_after": 2}, "503, wrong"),
        ({"kind": "closed", "applied": True}, "closed"),
        ({"kind": "garbage", "body": "<html>"}, "200, not JSON"),
        ({"kind": "body", "value": None}, "200, wrong"),
        ({"kind": "without", "fields": ["database_id"]}, "200, wrong"),
        ({"kind": "cut_off"}, "cut off"),
    ],
)
def test_faults_can_be_planned_over_http(
    api: Api, database: EmulatedDatabase, order: dict[str, object], seen: str
) -> None:
    planned = api.steer("POST", "/faults", operation="reset", database_id=database.id, **order)
    assert planned.status_code == 201
    assert planned.json()["planned"] == order["kind"]
    assert outcome(api, database) == seen
    assert outcome(api, database) == "200, right"


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"kind": "flood"}, "no fault of kind 'flood'"),
        ({}, "no fault of kind None"),
        ({"kind": "status"}, "takes (status"),
        ({"kind": "status", "status": 42}, "takes (status"),
        ({"kind": "delay", "seconds": "long"}, "takes (seconds"),
        ({"kind": "closed", "seconds": 1}, "takes (*, applied"),
        ({"kind": "closed", "operation": "x"}, "no operation 'x'"),
    ],
)
def test_a_fault_that_there_is_not_is_refused_over_http(
    api: Api, order: dict[str, object], message: str
) -> None:
    answer = api.steer("POST", "/faults", **order)
    assert answer.status_code == 400
    assert message in json.loads(answer.text)["error"]
