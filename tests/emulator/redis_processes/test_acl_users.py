"""ACL users and their connections, with each server and each way in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import redis

from ..support import TIMEOUT_SECONDS, opens, redis_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import EmulatedDatabase, Emulator


def new_user(database: EmulatedDatabase, *rules: str) -> str:
    token = database.acl("GENTOKEN", "app")
    assert isinstance(token, str)
    assert database.acl("SETUSER", "app", "on", f">{token}", *(rules or ("~*", "+@all"))) == "OK"
    return token


@contextmanager
def connected(
    emulator: Emulator, database: EmulatedDatabase, token: str
) -> Iterator[redis.Connection]:
    """One open connection of the user."""
    with redis_client(emulator, database, token, user="app") as client:
        connection = client.connection_pool.get_connection()
        assert answer(connection, "PING") == b"PONG"
        yield connection
        connection.disconnect()


def answer(connection: redis.Connection, *command: str) -> object:
    connection.send_command(*command)
    return connection.read_response()


def test_open_connection_outlives_its_password(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    token = new_user(way_in)
    with connected(each_way, way_in, token) as connection:
        way_in.acl("SETUSER", "app", f"<{token}")
        assert not opens(each_way, way_in, token, "app")
        assert answer(connection, "SET", "key", "value") == b"OK"
        way_in.acl("SETUSER", "app", "off")
        assert answer(connection, "GET", "key") == b"value"


def test_open_connection_with_the_other_reading_ends_with_a_password(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    each_way.removed_token_disconnects = True
    token = new_user(way_in)
    with connected(each_way, way_in, token) as connection:
        second = new_user(way_in, "-flushall")
        assert answer(connection, "PING") == b"PONG"
        way_in.acl("SETUSER", "app", f"<{token}")
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
    assert opens(each_way, way_in, second, "app")


def test_deletion_closes_the_connections_of_the_user(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    token = new_user(way_in, "+@all", "&news")
    with (
        connected(each_way, way_in, token) as connection,
        redis_client(each_way, way_in, token, user="app") as client,
        client.pubsub() as pubsub,
    ):
        pubsub.subscribe("news")
        assert pubsub.get_message(timeout=TIMEOUT_SECONDS)["type"] == "subscribe"
        assert way_in.acl("DELUSER", "app") == 1
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
        with pytest.raises(redis.ConnectionError):
            pubsub.get_message(timeout=TIMEOUT_SECONDS)
    assert opens(each_way, way_in, way_in.password)


def test_change_of_rules_reaches_an_open_connection_at_once(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    with connected(each_way, way_in, new_user(way_in)) as connection:
        assert answer(connection, "SET", "key", "1") == b"OK"
        way_in.acl("SETUSER", "app", "resetkeys", "~other", "-get")
        with pytest.raises(redis.exceptions.NoPermissionError):
            answer(connection, "SET", "key", "2")
        with pytest.raises(redis.exceptions.NoPermissionError):
            answer(connection, "GET", "other")
        assert answer(connection, "SET", "other", "3") == b"OK"


def test_new_user_has_no_channels_and_a_reset_one_has_none_again(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    token = new_user(way_in)
    with connected(each_way, way_in, token) as connection:
        with pytest.raises(redis.exceptions.NoPermissionError):
            answer(connection, "PUBLISH", "news", "hello")
        way_in.acl("SETUSER", "app", "&news")
        assert answer(connection, "PUBLISH", "news", "hello") == 0
    way_in.acl("SETUSER", "app", "reset")
    user = way_in.user("app")
    assert user is not None
    assert (user.enabled, user.channels, user.keys, user.tokens) == (False, (), (), ())
    assert user.commands == "-@all"


def test_user_with_all_commands_cannot_administer_the_server(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    token = new_user(way_in, "allkeys", "allchannels", "+config", "+acl", "allcommands")
    user = way_in.user("app")
    assert user is not None
    assert user.commands == "+@all"
    assert way_in.acl("GETUSER", "app")[1] == ["on", "allkeys", "allchannels", "allcommands"]
    with connected(each_way, way_in, token) as connection:
        for forbidden in ("CONFIG GET *", "ACL LIST", "ACL SETUSER app nopass", "SHUTDOWN"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                answer(connection, *forbidden.split())


def test_database_that_is_offline_drops_the_clients_of_acl_users(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    token = new_user(way_in)
    with connected(each_way, way_in, token) as connection:
        way_in.take_offline()
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
    way_in.bring_online()
    assert opens(each_way, way_in, token, "app")


def test_reset_that_drops_tokens_disconnects_acl_users(
    each_way: Emulator, way_in: EmulatedDatabase
) -> None:
    each_way.reset_spares_acl_users = False
    with connected(each_way, way_in, new_user(way_in)) as connection:
        way_in.reset_in_console()
        with pytest.raises(redis.ConnectionError):
            connection.read_response()
