"""Databases that really open with one password, and no longer with another."""

from __future__ import annotations

import os
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
import redis
import requests

from upstash_emulator import Emulator, EmulatorError
from upstash_emulator.redis_processes.binary import RedisBinary
from upstash_emulator.simulation import simulation

from ..support import (
    AT_ONCE,
    TIMEOUT_SECONDS,
    opens,
    redis_client,
    rest_client,
)

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import EmulatedDatabase


def test_reset_leaves_only_the_new_credentials_able_to_open_redis(
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


def test_reset_cuts_off_a_connected_client(each_way: Emulator, way_in: EmulatedDatabase) -> None:
    with redis_client(each_way, way_in, way_in.password) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("PING")
        assert connection.read_response() == b"PONG"
        way_in.reset_in_console()
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
        connection.disconnect()


def test_reset_cuts_off_a_subscriber(each_way: Emulator, way_in: EmulatedDatabase) -> None:
    secret, user = way_in.read_only_rest_token, "default_ro"
    with redis_client(each_way, way_in, way_in.password) as client, client.pubsub() as pubsub:
        pubsub.subscribe("news")
        assert pubsub.get_message(timeout=TIMEOUT_SECONDS)["type"] == "subscribe"
        assert opens(each_way, way_in, secret, user)
        way_in.reset_in_console()
        with pytest.raises(redis.ConnectionError):
            pubsub.get_message(timeout=TIMEOUT_SECONDS)


def test_reset_keeps_the_data(each_way: Emulator, way_in: EmulatedDatabase) -> None:
    value = os.urandom(300_000)
    with redis_client(each_way, way_in, way_in.password) as client:
        client.set("photo", value)
    way_in.reset_in_console()
    with redis_client(each_way, way_in, way_in.password) as client:
        assert client.get("photo") == value


def test_redis_that_is_offline_drops_clients_and_refuses_connections_until_it_is_back(
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


def test_rest_serves_the_official_client(each_way: Emulator, way_in: EmulatedDatabase) -> None:
    with rest_client(each_way, way_in, way_in.rest_token) as client:
        assert client.ping() == "PONG"
        assert client.set("name", "Ärger", ex=100) is True
        assert client.get("name") == "Ärger"
        assert client.get("nothing") is None
        assert client.incrby("count", 3) == 3
        assert client.hset("hash", values={"a": "1", "b": "2"}) == 2
        assert client.hgetall("hash") == {"a": "1", "b": "2"}
        assert client.mget("name", "nothing", "count") == ["Ärger", None, "3"]


def test_plaintext_client_of_a_database_with_tls_gets_nothing(
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


def test_client_without_the_authority_rejects_the_certificate(
    database: EmulatedDatabase,
) -> None:
    client = redis.Redis(port=database.port, ssl=True, retry=AT_ONCE)
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        client.ping()
    client.close()


def test_owner_of_a_database_cannot_administer_the_server(
    emulator: Emulator, database: EmulatedDatabase
) -> None:
    with redis_client(emulator, database, database.password) as client:
        for forbidden in ("ACL LIST", "CONFIG GET *", "SHUTDOWN", "ACL SETUSER default nopass"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*forbidden.split())


def test_port_of_an_unreachable_database_stays_reserved(database: EmulatedDatabase) -> None:
    database.take_offline()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", database.port))
    database.bring_online()


def test_redis_server_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    useless = RedisBinary(shutil.which("false") or "", "7.0.0", has_tls=False)
    monkeypatch.setattr(simulation, "find_redis_binary", lambda: useless)
    with pytest.raises(EmulatorError, match="the redis-server of database-1 ended by itself"):
        Emulator().start()


def test_redis_server_that_does_not_exist_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = RedisBinary(str(tmp_path / "gone"), "7.0.0", has_tls=False)
    monkeypatch.setattr(simulation, "find_redis_binary", lambda: missing)
    with pytest.raises(EmulatorError, match="No such file"):
        Emulator().start()
