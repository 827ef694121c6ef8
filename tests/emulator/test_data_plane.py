"""Databases that really open with one password, and no longer with another."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest
import redis
import requests
import upstash_redis.asyncio
from upstash_redis.errors import UpstashError

from upstash_emulator import Emulator, Fault, service
from upstash_emulator.redis_binary import find_redis_binary

from .clients import AT_ONCE, TIMEOUT_SECONDS, Api, opens, redis_client, rest_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import EmulatedDatabase


@pytest.fixture(scope="module", params=["own TLS", "TLS relay", "no TLS"])
def each_way(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator for each way in which Redis clients can come in."""
    binary = find_redis_binary()
    if request.param == "own TLS" and not binary.supports_tls:
        pytest.skip("this redis-server was built without TLS")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "TLS relay":
            binary = dataclasses.replace(binary, supports_tls=False)
        patch.setattr(service, "find_redis_binary", lambda: binary)
        with Emulator(tls=request.param != "no TLS") as emulator:
            yield emulator


@pytest.fixture
def way_in(each_way: Emulator) -> EmulatedDatabase:
    each_way.clear(restore=True)
    return each_way.databases[0]


def test_after_a_reset_only_the_new_credentials_open_redis(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    old = (way_in.password, way_in.rest_token, way_in.read_only_rest_token)
    assert opens(each_way, way_in, old[0])
    way_in.reset_in_console()
    assert not opens(each_way, way_in, old[0])
    assert not opens(each_way, way_in, old[1])
    assert not opens(each_way, way_in, old[2], user="default_ro")
    assert opens(each_way, way_in, way_in.password)
    assert opens(each_way, way_in, way_in.rest_token)
    assert opens(each_way, way_in, way_in.read_only_rest_token, user="default_ro")


def test_a_connected_client_is_cut_off_by_a_reset(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    with redis_client(each_way, way_in, way_in.password) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("PING")
        assert connection.read_response() == b"PONG"
        way_in.reset_in_console()
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
        connection.disconnect()


def test_a_subscriber_is_cut_off_by_a_reset(each_way: Emulator, way_in: EmulatedDatabase) -> None:
    secret, user = way_in.read_only_rest_token, "default_ro"
    with redis_client(each_way, way_in, way_in.password) as client, client.pubsub() as pubsub:
        pubsub.subscribe("news")
        assert pubsub.get_message(timeout=TIMEOUT_SECONDS)["type"] == "subscribe"
        assert opens(each_way, way_in, secret, user)
        way_in.reset_in_console()
        with pytest.raises(redis.ConnectionError):
            pubsub.get_message(timeout=TIMEOUT_SECONDS)


def test_data_survives_a_reset(each_way: Emulator, way_in: EmulatedDatabase) -> None:
    value = os.urandom(300_000)
    with redis_client(each_way, way_in, way_in.password) as client:
        client.set("photo", value)
    way_in.reset_in_console()
    with redis_client(each_way, way_in, way_in.password) as client:
        assert client.get("photo") == value


def test_unreachable_redis_refuses_connections_and_drops_clients_until_it_is_back(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    port = way_in.port
    with redis_client(each_way, way_in, way_in.password) as client:
        connection = client.connection_pool.get_connection()
        way_in.take_offline()
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
        connection.disconnect()
        with pytest.raises(redis.ConnectionError, match="refused"):
            client.ping()
        way_in.bring_online()
        assert client.ping()
    assert way_in.port == port


def test_rest_speaks_to_the_official_client_unchanged(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    with rest_client(each_way, way_in, way_in.rest_token) as client:
        assert client.ping() == "PONG"
        assert client.set("name", "Ärger", ex=100) is True
        assert client.get("name") == "Ärger"
        assert client.get("nothing") is None
        assert client.incrby("count", 3) == 3
        assert client.hset("hash", values={"a": "1", "b": "2"}) == 2
        assert client.hgetall("hash") == {"a": "1", "b": "2"}
        assert client.mget("name", "nothing", "count") == ["Ärger", None, "3"]


def test_a_plaintext_client_gets_nothing_from_a_database_with_tls(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    client = redis.Redis(port=database.port, retry=AT_ONCE)
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{database.endpoint}/ping", timeout=TIMEOUT_SECONDS)
    assert database.url.startswith("rediss://")
    assert emulator.resets == 0


def test_a_client_that_does_not_know_the_authority_refuses_the_certificate(
    database: EmulatedDatabase,
) -> None:
    client = redis.Redis(port=database.port, ssl=True, retry=AT_ONCE)
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        client.ping()
    client.close()


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


def test_rest_pipeline_answers_each_command(emulator: Emulator, database: EmulatedDatabase) -> None:
    with rest_client(emulator, database, database.rest_token) as client:
        replies = client.pipeline().set("key", "1").incr("key").get("key").exec()
    assert replies == [True, 2, "2"]


def test_rest_transaction_is_all_or_nothing(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    with rest_client(emulator, database, database.rest_token) as client:
        assert client.multi().set("key", "1").incr("key").exec() == [True, 2]
    answer = rest(api, emulator, database, "POST", "/multi-exec", [["SET", "key", "9"], ["NO"]])
    assert answer.status_code == 400
    assert "unknown command" in answer.json()["error"]
    assert rest(api, emulator, database, "GET", "/get/key").json() == {"result": "2"}


def test_rest_serves_the_asynchronous_client(
    emulator: Emulator, database: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(emulator.ca_bundle))

    async def use() -> object:
        async with upstash_redis.asyncio.Redis(database.rest_url, database.rest_token) as client:
            await client.set("key", "value")
            return await client.get("key")

    assert asyncio.run(use()) == "value"


def test_read_only_token_reads_but_neither_writes_nor_lists_keys(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    with rest_client(emulator, database, database.rest_token) as client:
        client.set("key", "value")
    with rest_client(emulator, database, database.read_only_rest_token) as reader:
        assert reader.ping() == "PONG"
        assert reader.get("key") == "value"
        for forbidden in (["SET", "key", "x"], ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"]):
            with pytest.raises(UpstashError, match="^NOPERM"):
                reader.execute(forbidden)


def test_the_owner_cannot_administer_the_server(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    with redis_client(emulator, database, database.password) as client:
        for forbidden in ("ACL LIST", "CONFIG GET *", "SHUTDOWN", "ACL SETUSER default nopass"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*forbidden.split())


def test_old_tokens_are_refused_by_rest_at_once(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    tokens = (database.rest_token, database.read_only_rest_token)
    api.reset(database)
    for token in (*tokens, database.password):
        with (
            rest_client(emulator, database, token) as client,
            pytest.raises(UpstashError, match="^WRONGPASS"),
        ):
            client.ping()
    answer = rest(api, emulator, database, "GET", "/ping", token=tokens[0])
    assert answer.status_code == 401


def rest(
    api: Api,
    emulator: Emulator,
    database: EmulatedDatabase,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """A REST request by hand, for what the official client does not do."""
    return api.session.request(
        method,
        database.rest_url + path,
        data=body if body is None or isinstance(body, bytes) else json.dumps(body),
        headers={"Authorization": f"Bearer {token or database.rest_token}", **(headers or {})},
        auth=lambda request: request,
        verify=str(emulator.ca_bundle),
        timeout=TIMEOUT_SECONDS,
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "result"),
    [
        ("GET", "/ping", None, "PONG"),
        ("POST", "/ping", None, "PONG"),
        ("GET", "/echo/a%2Fb%20c", None, "a/b c"),
        ("POST", "/echo", b"any value", "any value"),
        ("POST", "/", ["ECHO", 1.5], "1.5"),
        ("POST", "/set/key?EX=100", b"value", "OK"),
        ("PUT", "/set/key/value", None, "OK"),
    ],
)
def test_rest_takes_commands_in_the_path_and_in_the_body(
    emulator: Emulator,
    database: EmulatedDatabase,
    api: Api,
    method: str,
    path: str,
    body: object,
    result: str,
) -> None:
    assert rest(api, emulator, database, method, path, body).json() == {"result": result}


def test_rest_takes_the_token_from_the_query(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    answer = requests.get(
        f"{database.rest_url}/echo/hello?_token={database.rest_token}",
        verify=str(emulator.ca_bundle),
        timeout=TIMEOUT_SECONDS,
    )
    assert answer.json() == {"result": "hello"}


def test_rest_answers_in_base64_when_asked_to(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    base64 = {"Upstash-Encoding": "base64"}
    answers = [
        rest(api, emulator, database, "POST", "/", command, headers=base64).json()
        for command in (["SET", "foo", "bar"], ["GET", "foo"], ["MGET", "foo", "no"])
    ]
    assert answers == [{"result": "OK"}, {"result": "YmFy"}, {"result": ["YmFy", None]}]


@pytest.mark.parametrize(
    ("method", "body", "status", "error"),
    [
        ("POST", ["GET"], 400, "ERR wrong number of arguments"),
        ("POST", ["INCR", "word"], 400, "ERR value is not an integer"),
        ("POST", ["LPUSH", "word", "x"], 400, "WRONGTYPE"),
        ("POST", ["SUBSCRIBE", "news"], 400, "ERR SUBSCRIBE is not available"),
        ("POST", ["GET", None], 400, "ERR arguments"),
        ("POST", {"GET": "x"}, 400, "ERR the body must be"),
        ("POST", b"not JSON", 400, "ERR the body must be"),
        ("DELETE", None, 405, "ERR method DELETE"),
    ],
)
def test_rest_says_what_is_wrong(
    emulator: Emulator,
    database: EmulatedDatabase,
    api: Api,
    method: str,
    body: object,
    status: int,
    error: str,
) -> None:
    rest(api, emulator, database, "GET", "/set/word/text")
    answer = rest(api, emulator, database, method, "/", body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_rest_of_an_unreachable_database_closes_the_connection(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    database.take_offline()
    with pytest.raises(requests.ConnectionError):
        rest(api, emulator, database, "GET", "/ping")
    database.bring_online()
    assert rest(api, emulator, database, "GET", "/ping").json() == {"result": "PONG"}


def test_nobody_else_gets_the_port_of_an_unreachable_database(database: EmulatedDatabase) -> None:
    database.take_offline()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", database.port))
    database.bring_online()


def test_slow_propagation_keeps_the_old_credentials_and_refuses_the_new_ones(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    old, old_token = database.password, database.rest_token
    emulator.fault(Fault.slow_propagation(60))
    assert api.get(database).status_code == 200
    assert api.reset(database).status_code == 200
    assert api.get(database).json()["password"] == database.password != old
    assert opens(emulator, database, old)
    assert not opens(emulator, database, database.password)
    assert rest(api, emulator, database, "GET", "/ping", token=old_token).ok
    assert rest(api, emulator, database, "GET", "/ping").status_code == 401


def test_slow_propagation_ends_with_the_new_credentials_alone(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    old, old_token = database.password, database.rest_token
    emulator.fault(Fault.slow_propagation(0.2))
    api.reset(database)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not rest(api, emulator, database, "GET", "/ping").ok:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert opens(emulator, database, database.password)
    assert not opens(emulator, database, old)
    assert rest(api, emulator, database, "GET", "/ping", token=old_token).status_code == 401


def test_a_further_reset_overtakes_a_slow_one(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    emulator.fault(Fault.slow_propagation(30))
    api.reset(database)
    overtaken = database.password
    api.reset(database)
    assert not opens(emulator, database, overtaken)
    assert opens(emulator, database, database.password)


def test_a_redis_server_that_dies_is_reported_by_both_apis_and_replaced_by_restore(
    emulator: Emulator, database: EmulatedDatabase, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    os.kill(database._database.backend.pid, signal.SIGKILL)
    answer = api.reset(database)
    assert answer.status_code == 500
    assert f"the redis-server of {database.name} ended by itself" in answer.json()["message"]
    assert "ended by itself" in rest(api, emulator, database, "GET", "/ping").text
    assert f"the redis-server of {database.name} ended by itself" in caplog.text
    assert not emulator.calls[-1].applied
    assert database.resets == 0
    emulator.clear(restore=True)
    assert len(emulator.databases) == 2
    assert all(api.reset(each).status_code == 200 for each in emulator.databases)
