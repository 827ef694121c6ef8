"""The REST API, with the official clients and by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import requests
import upstash_redis.asyncio
from upstash_redis.errors import UpstashError

from ..support import TIMEOUT_SECONDS, Api, rest, rest_client

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase, Emulator


def test_pipeline_replies_to_each_command(emulator: Emulator, database: EmulatedDatabase) -> None:
    with rest_client(emulator, database, database.rest_token) as client:
        replies = client.pipeline().set("key", "1").incr("key").get("key").exec()
    assert replies == [True, 2, "2"]


def test_transaction_with_an_error_does_nothing(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    with rest_client(emulator, database, database.rest_token) as client:
        assert client.multi().set("key", "1").incr("key").exec() == [True, 2]
    response = rest(api, emulator, database, "POST", "/multi-exec", [["SET", "key", "9"], ["NO"]])
    assert response.status_code == 400
    assert "unknown command" in response.json()["error"]
    assert rest(api, emulator, database, "GET", "/get/key").json() == {"result": "2"}


def test_asynchronous_client_is_served(
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


def test_previous_tokens_after_a_reset_are_rejected_at_once(
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
    response = rest(api, emulator, database, "GET", "/ping", token=tokens[0])
    assert response.status_code == 401


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
def test_command_in_the_path_or_in_the_body_is_run(
    emulator: Emulator,
    database: EmulatedDatabase,
    api: Api,
    method: str,
    path: str,
    body: object,
    result: str,
) -> None:
    assert rest(api, emulator, database, method, path, body).json() == {"result": result}


def test_token_in_the_query_is_accepted(emulator: Emulator, database: EmulatedDatabase) -> None:
    response = requests.get(
        f"{database.rest_url}/echo/hello?_token={database.rest_token}",
        verify=str(emulator.ca_bundle),
        timeout=TIMEOUT_SECONDS,
    )
    assert response.json() == {"result": "hello"}


def test_response_in_base64_on_request_is_encoded(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    base64 = {"Upstash-Encoding": "base64"}
    responses = [
        rest(api, emulator, database, "POST", "/", command, headers=base64).json()
        for command in (["SET", "foo", "bar"], ["GET", "foo"], ["MGET", "foo", "no"])
    ]
    assert responses == [{"result": "OK"}, {"result": "YmFy"}, {"result": ["YmFy", None]}]


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
def test_request_that_is_wrong_is_rejected_with_the_reason(
    emulator: Emulator,
    database: EmulatedDatabase,
    api: Api,
    method: str,
    body: object,
    status: int,
    error: str,
) -> None:
    rest(api, emulator, database, "GET", "/set/word/text")
    response = rest(api, emulator, database, method, "/", body)
    assert response.status_code == status
    assert response.json()["error"].startswith(error)


def test_request_to_an_unreachable_database_gets_a_closed_connection(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    database.take_offline()
    with pytest.raises(requests.ConnectionError):
        rest(api, emulator, database, "GET", "/ping")
    database.bring_online()
    assert rest(api, emulator, database, "GET", "/ping").json() == {"result": "PONG"}
