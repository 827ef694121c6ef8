"""Clients of the emulator as people use them, and a look at its processes."""

from __future__ import annotations

import json
import os
import socket
import time
from base64 import b64encode
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from unittest.mock import patch

import psutil
import redis
import requests
import upstash_redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from upstash_emulator.redis_processes.binary import find_redis_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from upstash_emulator import EmulatedDatabase, Emulator
    from upstash_emulator.redis_processes.binary import RedisBinary

TIMEOUT_SECONDS = 10
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
AT_ONCE = Retry(NoBackoff(), 0)


class Api:
    """The Developer API, called like any HTTP API."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (emulator.email, emulator.api_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def call(self, method: str, path: str, **arguments: object) -> requests.Response:
        url = self._emulator.url + path
        defaults = {"timeout": TIMEOUT_SECONDS, "allow_redirects": False}
        return self.session.request(method, url, **{**defaults, **arguments})

    def reset(self, database: EmulatedDatabase | str, **arguments: object) -> requests.Response:
        identity = database if isinstance(database, str) else database.id
        return self.call("POST", f"/v2/redis/reset-password/{identity}", **arguments)

    def get(self, database: EmulatedDatabase, query: str = "") -> requests.Response:
        return self.call("GET", f"/v2/redis/database/{database.id}{query}")

    def list(self) -> requests.Response:
        return self.call("GET", "/v2/redis/databases")

    def raw_reset(self, database: EmulatedDatabase) -> bytes:
        """Every byte of the responses to a reset."""
        host, port = self._emulator.url.removeprefix("http://").split(":")
        login = f"{self._emulator.email}:{self._emulator.api_key}"
        request = (
            f"POST /v2/redis/reset-password/{database.id} HTTP/1.1\r\n"
            f"Host: {host}\r\nContent-Length: 0\r\nConnection: close\r\n"
            f"Authorization: Basic {b64encode(login.encode()).decode()}\r\n\r\n"
        )
        with socket.create_connection((host, int(port)), TIMEOUT_SECONDS) as connection:
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    def audit_logs(self) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = self.call("GET", "/auditlogs").json()
        return entries

    def control(self, method: str, path: str, **body: object) -> requests.Response:
        return self.call(method, f"/emulator{path}", json=body)


@contextmanager
def redis_client(
    emulator: Emulator, database: EmulatedDatabase, secret: str, user: str = "default"
) -> Iterator[redis.Redis]:
    """A Redis client that verifies certificates, as every client should."""
    tls = {"ssl": True, "ssl_ca_certs": str(emulator.ca_bundle)} if database.tls else {}
    client = redis.Redis(
        host="127.0.0.1",
        port=database.port,
        username=user,
        password=secret,
        retry=AT_ONCE,
        **tls,
    )
    try:
        yield client
    finally:
        client.close()


def opens(
    emulator: Emulator, database: EmulatedDatabase, secret: str, user: str = "default"
) -> bool:
    """Whether a secret opens a database over the Redis protocol."""
    with redis_client(emulator, database, secret, user) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


@contextmanager
def rest_client(
    emulator: Emulator, database: EmulatedDatabase, token: str
) -> Iterator[upstash_redis.Redis]:
    """Upstash's own client, unchanged, which trusts what SSL_CERT_FILE names."""
    with patch.dict(os.environ, SSL_CERT_FILE=str(emulator.ca_bundle)):
        client = upstash_redis.Redis(url=database.rest_url, token=token, rest_retries=0)
    with client:
        yield client


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


class Rest:
    """Commands over the REST API of a database, as JSON arrays."""

    def __init__(self, api: Api, emulator: Emulator, database: EmulatedDatabase) -> None:
        self._api, self._emulator, self._database = api, emulator, database

    def __call__(self, *command: str, token: str | None = None) -> object:
        """The result of a command, or its error as an `Error`."""
        response = self.post("/", command, token=token)
        value = response.json()
        assert response.status_code == (200 if "result" in value else status_of(value["error"]))
        return value["result"] if "result" in value else Error(value["error"])

    def post(self, path: str, body: object, *, token: str | None = None) -> requests.Response:
        return rest(self._api, self._emulator, self._database, "POST", path, body, token=token)

    def user(self, name: str, *rules: str) -> str:
        """Create an ACL user and return its token. Without rules it may do everything."""
        token = self("ACL", "GENTOKEN", name)
        assert isinstance(token, str)
        rules = rules or ("~*", "+@all")
        assert self("ACL", "SETUSER", name, "on", f">{token}", *rules) == "OK"
        return token


class Error(str):
    """An error of the REST API."""

    __slots__ = ()


def status_of(error: str) -> int:
    return 401 if error.startswith("WRONGPASS") else 400


def outcome(api: Api, database: EmulatedDatabase) -> str:
    """What a client sees of a reset."""
    try:
        response = api.reset(database)
    except requests.exceptions.ChunkedEncodingError:
        return "cut off"
    except requests.ConnectionError:
        return "closed"
    if response.is_redirect:
        return str(response.status_code)
    try:
        value = response.json()
    except ValueError:
        return f"{response.status_code}, not JSON"
    whole = isinstance(value, dict) and value.get("database_id") == database.id
    return f"{response.status_code}, {'right' if whole else 'wrong'}"


def secrets_of(emulator: Emulator) -> set[str]:
    secrets = {emulator.api_key, emulator.read_only_api_key}
    for database in emulator.databases:
        secrets |= {database.password, database.rest_token, database.read_only_rest_token}
    return secrets


def binary_with_tls() -> RedisBinary:
    """The redis-server that serves TLS itself. Without one the test fails."""
    find_redis_binary.cache_clear()
    binary = find_redis_binary()
    assert binary.has_tls, (
        "no redis-server that serves TLS is on PATH; `make test` brings one along, "
        "or reports at its start why it cannot"
    )
    return binary


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and theirs."""
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run; a zombie does not."""
    running = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                running.add(pid)
    return running


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true within a time that is ample on a busy machine."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def gone(pids: set[int]) -> bool:
    """Whether none of the processes runs, after a while at most."""
    return wait_until(lambda: not alive(pids))
