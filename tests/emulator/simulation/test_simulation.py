"""Recording, clearing, restoring; databases that come and go."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from upstash_emulator import Call, Emulator, Fault

from ..support import Api, opens, redis_client, rest, rest_client, wait_until

if TYPE_CHECKING:
    import pytest

    from upstash_emulator import EmulatedDatabase


def test_every_request_is_recorded_in_full(
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


def test_connections_with_many_requests_count_once(emulator: Emulator, api: Api) -> None:
    for _ in range(5):
        api.list()
    assert (len(emulator.calls), emulator.connections) == (5, 1)
    another = Api(emulator)
    with another.session:
        another.list()
    assert emulator.connections == 2


def test_clear_forgets_calls_and_keeps_changes(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    api.reset(database)
    database.suspend()
    password = database.password
    emulator.clear()
    assert (emulator.calls, emulator.resets, api.audit_logs()) == ([], 0, [])
    assert (database.state, database.password) == ("suspended", password)


def test_clear_forgets_the_requests_that_count_against_the_rate(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.requests_per_second = 1
    assert [api.get(database).status_code for _ in range(2)] == [200, 429]
    emulator.clear()
    assert api.get(database).status_code == 200


def test_clear_forgets_a_call_in_flight_too(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    """Its client may have given up, in another test."""
    emulator.fault(Fault.delay(0.5, applied=True), operation="reset")
    with ThreadPoolExecutor() as pool:
        call = pool.submit(api.reset, database)
        wait_until(lambda: database.resets == 1)
        emulator.clear()
        assert call.result(30).status_code == 200
    assert emulator.calls == []


def test_restore_undoes_every_change(emulator: Emulator, database: EmulatedDatabase) -> None:
    with redis_client(emulator, database, database.password) as client:
        client.set("key", "value")
    other = emulator.databases[1]
    database.suspend()
    database.credential_protection = True
    database.take_offline()
    emulator.add_database("extra")
    other.delete()
    emulator.reset_response = "with_credentials"
    emulator.latency_seconds = 9
    emulator.show_credentials_on_get = False
    emulator.clear(restore=True)
    assert len(emulator.databases) == 2
    assert emulator.databases[0] == database
    assert emulator.databases[1] != other
    assert (database.state, database.credential_protection) == ("active", False)
    assert (emulator.reset_response, emulator.latency_seconds) == ("documented", 0)
    assert emulator.show_credentials_on_get
    with redis_client(emulator, database, database.password) as client:
        assert client.get("key") is None


def test_restore_during_a_slow_propagation_ends_it(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.slow_propagation(30))
    api.reset(database)
    assert not opens(emulator, database, database.password)
    emulator.clear(restore=True)
    assert opens(emulator, database, database.password)


def test_restore_brings_back_deleted_databases_with_their_ids_and_in_their_order(
    emulator: Emulator,
) -> None:
    before = [(each.id, each.name) for each in emulator.databases]
    assert before[0][0] == "96ad0856-03b1-4ee7-9666-e81abd0349e1"
    emulator.databases[0].delete()
    emulator.add_database()
    emulator.clear(restore=True)
    assert [(each.id, each.name) for each in emulator.databases] == before


def test_added_databases_have_names_and_ids_of_their_own(emulator: Emulator) -> None:
    first, second = emulator.add_database("cache"), emulator.add_database()
    assert first.name == "cache"
    assert len({each.id for each in emulator.databases}) == 4
    assert len({each.port for each in emulator.databases}) == 4
    assert second.name.startswith("database-")
    assert first == emulator.databases[2] == emulator.databases[2]
    assert len({*emulator.databases, first, second}) == 4


def test_deleted_database_is_unknown(emulator: Emulator, api: Api) -> None:
    extra = emulator.add_database("short-lived")
    assert api.get(extra).json()["database_name"] == "short-lived"
    extra.delete()
    assert api.get(extra).status_code == 404
    assert extra not in emulator.databases


def test_databases_with_and_without_tls_live_side_by_side(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    plain = emulator.add_database("plain", tls=False)
    assert opens(emulator, plain, plain.password)
    assert opens(emulator, database, database.password)
    with (
        rest_client(emulator, plain, plain.rest_token) as first,
        rest_client(emulator, database, database.rest_token) as second,
    ):
        first.set("who", "plain")
        assert (first.get("who"), second.get("who")) == ("plain", None)
    assert (plain.url[:8], plain.rest_url[:8]) == ("redis://", "https://")


def test_redis_server_that_dies_is_reported_by_both_apis_and_replaced_by_restore(
    emulator: Emulator, database: EmulatedDatabase, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    os.kill(database._database.backend.pid, signal.SIGKILL)
    response = api.reset(database)
    assert response.status_code == 500
    assert f"the redis-server of {database.name} ended by itself" in response.json()["message"]
    assert "ended by itself" in rest(api, emulator, database, "GET", "/ping").text
    assert f"the redis-server of {database.name} ended by itself" in caplog.text
    assert not emulator.calls[-1].applied
    assert database.resets == 0
    emulator.clear(restore=True)
    assert len(emulator.databases) == 2
    assert all(api.reset(each).status_code == 200 for each in emulator.databases)
