"""The control routes, from any language."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ..support import Api, opens, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from upstash_emulator import EmulatedDatabase, Emulator


def test_state_has_every_database_and_no_credentials(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    api.reset(database)
    response = api.call("GET", "/emulator")
    state = response.json()
    assert state["resets"] == 1
    assert state["connections"] == emulator.connections
    assert state["databases"][0] == {
        "id": database.id,
        "name": database.name,
        "account": emulator.email,
        "endpoint": database.endpoint,
        "port": database.port,
        "tls": True,
        "state": "active",
        "online": True,
        "credential_protection": False,
        "resets": 1,
    }
    assert database.password not in response.text
    calls = api.call("GET", "/emulator/calls").json()
    assert [(call["operation"], call["status"]) for call in calls] == [("reset", 200)]


def test_request_to_the_control_api_needs_no_credentials_and_is_not_recorded(
    emulator: Emulator, api: Api
) -> None:
    api.session.auth = None
    assert api.call("GET", "/emulator").status_code == 200
    assert emulator.calls == []


def test_actions_on_a_database_take_effect(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    def act(action: str) -> dict[str, object]:
        response: dict[str, object] = api.control(
            "POST", f"/databases/{database.id}/{action}"
        ).json()
        return response

    assert act("suspend")["state"] == "suspended"
    assert act("resume")["state"] == "active"
    assert act("take-offline")["online"] is False
    assert act("bring-online")["online"] is True
    assert act("reset-in-console")["resets"] == 1
    assert opens(emulator, database, database.password)
    assert "no action" in str(act("explode")["error"])


def test_databases_can_be_added_changed_and_deleted(emulator: Emulator, api: Api) -> None:
    added = api.control("POST", "/databases", name="cache", tls=False)
    assert added.status_code == 201
    assert (added.json()["name"], added.json()["tls"]) == ("cache", False)
    path = f"/databases/{added.json()['id']}"
    changed = api.control("PATCH", path, credential_protection=True).json()
    assert changed["credential_protection"] is True
    assert emulator.databases[2].credential_protection
    assert api.control("DELETE", path).status_code == 200
    assert len(emulator.databases) == 2
    assert api.control("DELETE", path).status_code == 404


def test_account_that_is_added_owns_the_databases_that_name_it(api: Api) -> None:
    added = api.control("POST", "/accounts", email="other@example.com", api_key="another key")
    assert (added.status_code, added.json()) == (201, {"email": "other@example.com"})
    database = api.control("POST", "/databases", account="other@example.com").json()
    assert database["account"] == "other@example.com"
    assert database["id"] not in [each["database_id"] for each in api.list().json()]
    api.session.auth = ("other@example.com", "another key")
    assert [each["database_id"] for each in api.list().json()] == [database["id"]]


def test_console_reset_with_a_fault_is_seen_late_by_reads(
    api: Api, database: EmulatedDatabase
) -> None:
    old = database.password
    path = f"/databases/{database.id}/reset-in-console"
    assert api.control("POST", path, kind="stale_read", reads=1).status_code == 200
    assert [api.get(database).json()["password"] for _ in range(2)] == [old, database.password]


def test_settings_that_are_changed_apply_until_restore(
    api: Api, database: EmulatedDatabase
) -> None:
    settings = {
        "reset_response": "with_credentials",
        "show_credentials_on_get": False,
        "latency_seconds": 0.01,
        "requests_per_second": 1000,
    }
    assert api.control("PATCH", "/settings", **settings).json() == settings
    assert "password" in api.reset(database).json()
    assert "password" not in api.get(database).json()
    assert api.control("POST", "/clear", restore=True).json()["resets"] == 0
    assert "password" not in api.reset(database).json()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda api: api.control("PATCH", "/settings", reset_response="new"),
            "documented, with_credentials",
        ),
        (lambda api: api.control("PATCH", "/settings", colour="red"), "colour"),
        (lambda api: api.control("POST", "/databases", colour="red"), "colour"),
        (lambda api: api.control("POST", "/databases", account="nobody"), "no account nobody"),
        (lambda api: api.control("POST", "/accounts", email="a@example.com"), "needs an api_key"),
        (
            lambda api: api.control(
                "POST", "/accounts", email="developer@example.com", api_key="x"
            ),
            "there is an account developer@example.com",
        ),
        (lambda api: api.call("POST", "/emulator/faults", data="?"), "must be a JSON object"),
        (lambda api: api.call("POST", "/emulator/faults", data="[]"), "must be a JSON object"),
    ],
)
def test_request_that_is_wrong_is_rejected_with_the_reason(
    api: Api, ask: Callable[[Api], object], message: str
) -> None:
    response = ask(api)
    assert response.status_code == 400
    assert message in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ({"kind": "status", "status": 503, "retry_after": 2}, "503, wrong"),
        ({"kind": "closed", "applied": True}, "closed"),
        ({"kind": "garbage", "body": "<html>"}, "200, not JSON"),
        ({"kind": "body", "value": None}, "200, wrong"),
        ({"kind": "without", "fields": ["database_id"]}, "200, wrong"),
        ({"kind": "cut_off"}, "cut off"),
        ({"kind": "status", "status": 303, "headers": {"Location": "/"}, "applied": True}, "303"),
        ({"kind": "merge", "fields": {"database_id": 7}}, "200, wrong"),
        ({"kind": "rename", "names": {"database_id": "id"}}, "200, wrong"),
        ({"kind": "wrap", "name": "data"}, "200, wrong"),
        ({"kind": "rewrite", "pattern": r"\Z", "replacement": "<"}, "200, not JSON"),
        ({"kind": "headers", "values": {"X-Proxy": "1"}}, "200, right"),
        ({"kind": "interim", "statuses": [100]}, "200, right"),
        ({"kind": "drip", "part": "body", "seconds": 0.1}, "200, right"),
        ({"kind": "stale_read", "reads": 1}, "200, right"),
        ({"kind": "cut_off", "also": {"kind": "closed"}}, "closed"),
    ],
)
def test_fault_that_is_planned_hits_one_request(
    api: Api, database: EmulatedDatabase, body: dict[str, object], seen: str
) -> None:
    planned = api.control("POST", "/faults", operation="reset", database_id=database.id, **body)
    assert planned.status_code == 201
    assert planned.json()["planned"].startswith(str(body["kind"]))
    assert outcome(api, database) == seen
    assert outcome(api, database) == "200, right"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "flood"}, "no fault of kind 'flood'"),
        ({}, "no fault of kind None"),
        ({"kind": "status"}, "takes (status"),
        ({"kind": "status", "status": 42}, "takes (status"),
        ({"kind": "delay", "seconds": "long"}, "takes (seconds"),
        ({"kind": "closed", "seconds": 1}, "takes (*, applied"),
        ({"kind": "closed", "operation": "x"}, "no operation 'x'"),
        ({"kind": "merge", "fields": 7}, "takes (fields"),
        ({"kind": "rewrite", "pattern": "(", "replacement": ""}, "takes (pattern"),
        (
            {"kind": "rewrite", "pattern": "a", "replacement": "", "encoding": "no"},
            "takes (pattern",
        ),
        (
            {"kind": "rewrite", "pattern": "a", "replacement": "\u20ac", "encoding": "latin-1"},
            "takes",
        ),
        ({"kind": "headers", "values": {"X": "a\r\nb"}}, "takes (values"),
        ({"kind": "interim", "statuses": [200]}, "takes (*statuses"),
        ({"kind": "interim"}, "takes (*statuses"),
        ({"kind": "drip", "part": "tail", "seconds": 1}, "takes (part"),
        ({"kind": "stale_read"}, "takes (*, reads"),
        ({"kind": "closed", "also": {"kind": "flood"}}, "no fault of kind 'flood'"),
    ],
)
def test_fault_that_does_not_exist_is_rejected(
    api: Api, body: dict[str, object], message: str
) -> None:
    response = api.control("POST", "/faults", **body)
    assert response.status_code == 400
    assert message in json.loads(response.text)["error"]
