"""Recording, clearing and steering: from Python and over the control routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Call, EmulatedDatabase, Emulator, EmulatorError, Fault

from .clients import Api, opens, redis_client

if TYPE_CHECKING:
    from collections.abc import Callable


def test_calls_are_recorded_in_full(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    api.session.headers["User-Agent"] = "a-test"
    api.get(database, "?credentials=hide")
    emulator.fault(Fault.status(500, applied=True))
    api.reset(database)
    api.call("PUT", "/elsewhere")
    path = f"/v2/redis/database/{database.id}"
    assert emulator.calls == [
        Call("get", "GET", path, database.id, 200, "a-test", applied=True),
        Call(
            "reset",
            "POST",
            f"/v2/redis/reset-password/{database.id}",
            database.id,
            500,
            "a-test",
            applied=True,
            fault="status",
        ),
        Call("unknown", "PUT", "/elsewhere", None, 404, "a-test", applied=False),
    ]


def test_connections_are_counted_not_calls(emulator: Emulator, api: Api) -> None:
    for _ in range(5):
        api.list()
    assert (len(emulator.calls), emulator.connections) == (5, 1)
    another = Api(emulator)
    with another.session:
        another.list()
    assert emulator.connections == 2


def test_clear_forgets_what_happened_but_not_what_was_steered(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    api.reset(database)
    database.suspend()
    password = database.password
    emulator.clear()
    assert (emulator.calls, emulator.resets, api.audit_logs()) == ([], 0, [])
    assert (database.state, database.password) == ("suspended", password)


def test_restore_undoes_whatever_was_steered(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    with redis_client(emulator, database, database.password) as client:
        client.set("key", "value")
    other = emulator.databases[1]
    database.suspend()
    database.credential_protection = True
    database.take_offline()
    emulator.add_database("extra")
    other.delete()
    emulator.answer = "with_credentials"
    emulator.latency_seconds = 9
    emulator.show_credentials_on_get = False
    emulator.clear(restore=True)
    assert len(emulator.databases) == 2
    assert emulator.databases[0] == database
    assert emulator.databases[1] != other
    assert (database.state, database.credential_protection) == ("active", False)
    assert (emulator.answer, emulator.latency_seconds) == ("documented", 0)
    assert emulator.show_credentials_on_get
    with redis_client(emulator, database, database.password) as client:
        assert client.get("key") is None


def test_restore_ends_a_slow_propagation(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.slow_propagation(30))
    api.reset(database)
    assert not opens(emulator, database, database.password)
    emulator.clear(restore=True)
    assert opens(emulator, database, database.password)


def test_added_databases_have_names_and_ids_of_their_own(emulator: Emulator) -> None:
    first, second = emulator.add_database("cache"), emulator.add_database()
    assert first.name == "cache"
    assert len({each.id for each in emulator.databases}) == 4
    assert len({each.port for each in emulator.databases}) == 4
    assert second.name.startswith("database-")
    assert first == emulator.databases[2] == emulator.databases[2]
    assert len({*emulator.databases, first, second}) == 4


def test_control_routes_tell_the_state_without_credentials(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    api.reset(database)
    answer = api.call("GET", "/emulator")
    state = answer.json()
    assert state["resets"] == 1
    assert state["connections"] == emulator.connections
    assert state["databases"][0] == {
        "id": database.id,
        "name": database.name,
        "endpoint": database.endpoint,
        "port": database.port,
        "tls": True,
        "state": "active",
        "online": True,
        "credential_protection": False,
        "resets": 1,
    }
    assert database.password not in answer.text
    calls = api.call("GET", "/emulator/calls").json()
    assert [(call["operation"], call["status"]) for call in calls] == [("reset", 200)]


def test_control_routes_need_no_credentials_and_are_no_calls(emulator: Emulator, api: Api) -> None:
    api.session.auth = None
    assert api.call("GET", "/emulator").status_code == 200
    assert emulator.calls == []


def test_control_routes_act_on_a_database(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    def act(action: str) -> dict[str, object]:
        answer: dict[str, object] = api.steer("POST", f"/databases/{database.id}/{action}").json()
        return answer

    assert act("suspend")["state"] == "suspended"
    assert act("resume")["state"] == "active"
    assert act("take-offline")["online"] is False
    assert act("bring-online")["online"] is True
    assert act("reset-in-console")["resets"] == 1
    assert opens(emulator, database, database.password)
    assert "no action" in str(act("explode")["error"])


def test_control_routes_add_change_and_delete_databases(emulator: Emulator, api: Api) -> None:
    added = api.steer("POST", "/databases", name="cache", tls=False)
    assert added.status_code == 201
    assert (added.json()["name"], added.json()["tls"]) == ("cache", False)
    path = f"/databases/{added.json()['id']}"
    changed = api.steer("PATCH", path, credential_protection=True).json()
    assert changed["credential_protection"] is True
    assert emulator.databases[2].credential_protection
    assert api.steer("DELETE", path).status_code == 200
    assert len(emulator.databases) == 2
    assert api.steer("DELETE", path).status_code == 404


def test_control_routes_change_settings_and_clear(api: Api, database: EmulatedDatabase) -> None:
    settings = {
        "answer": "with_credentials",
        "show_credentials_on_get": False,
        "latency_seconds": 0.01,
        "requests_per_second": 1000,
    }
    assert api.steer("PATCH", "/settings", **settings).json() == settings
    assert "password" in api.reset(database).json()
    assert "password" not in api.get(database).json()
    assert api.steer("POST", "/clear", restore=True).json()["resets"] == 0
    assert "password" not in api.reset(database).json()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda api: api.steer("PATCH", "/settings", answer="new"), "documented, with_credentials"),
        (lambda api: api.steer("PATCH", "/settings", colour="red"), "colour"),
        (lambda api: api.steer("POST", "/databases", colour="red"), "colour"),
        (lambda api: api.call("POST", "/emulator/faults", data="?"), "must be a JSON object"),
        (lambda api: api.call("POST", "/emulator/faults", data="[]"), "must be a JSON object"),
    ],
)
def test_control_routes_say_what_is_wrong(
    api: Api, ask: Callable[[Api], object], message: str
) -> None:
    answer = ask(api)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_a_suspended_database_cannot_be_reset_in_the_console_either(
    database: EmulatedDatabase,
) -> None:
    database.suspend()
    with pytest.raises(EmulatorError, match="suspended"):
        database.reset_in_console()


def test_restore_brings_back_deleted_databases_with_their_ids_and_in_their_order(
    emulator: Emulator,
) -> None:
    before = [(each.id, each.name) for each in emulator.databases]
    assert before[0][0] == "96ad0856-03b1-4ee7-9666-e81abd0349e1"
    emulator.databases[0].delete()
    emulator.add_database()
    emulator.clear(restore=True)
    assert [(each.id, each.name) for each in emulator.databases] == before
