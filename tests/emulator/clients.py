"""The clients that people use, pointed at the emulator and closed in good order."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import redis
import requests
import upstash_redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import EmulatedDatabase, Emulator

TIMEOUT_SECONDS = 10
AT_ONCE = Retry(NoBackoff(), 0)


class Api:
    """The Developer API, called like any HTTP API."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (emulator.email, emulator.api_key)

    def call(self, method: str, path: str, **arguments: object) -> requests.Response:
        url = self._emulator.url + path
        return self.session.request(method, url, **{"timeout": TIMEOUT_SECONDS, **arguments})

    def reset(self, database: EmulatedDatabase | str) -> requests.Response:
        identity = database if isinstance(database, str) else database.id
        return self.call("POST", f"/v2/redis/reset-password/{identity}")

    def get(self, database: EmulatedDatabase, query: str = "") -> requests.Response:
        return self.call("GET", f"/v2/redis/database/{database.id}{query}")

    def list(self) -> requests.Response:
        return self.call("GET", "/v2/redis/databases")

    def audit_logs(self) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = self.call("GET", "/auditlogs").json()
        return entries

    def steer(self, method: str, path: str, **body: object) -> requests.Response:
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
