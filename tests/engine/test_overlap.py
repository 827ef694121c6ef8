"""What clients see of rotations in a row: an ACL user beside the reset of a password."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import pytest
import redis
from upstash_redis import Redis as RestClient
from upstash_redis.errors import UpstashError

from ..support.acl import Users
from ..support.assertions import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory

PAUSE_SECONDS = 0.01
Client: TypeAlias = "redis.Redis | RestClient"


RESET = """
rotation = RedisPasswordRotation("reset", database_id="{id}", triggers={{"number": {number}}})
File("reset-file", "reset.url", rotation.redis_url)
pulumi.export("rest_token", rotation.rest_token)
"""


class Load:
    """Clients that send commands all the time, with what the consumer's file holds by then.

    One keeps its connection, one connects for each command, and one uses REST. A client whose
    command fails starts anew, with the file as it is then.

    Attributes:
        done: Number of commands that succeeded.
        failed: What went wrong with the others.
    """

    def __init__(self, emulator: Emulator, file: Path, rest_url: str) -> None:
        self.done = 0
        self.failed: list[str] = []
        self._emulator = emulator
        self._file = file
        self._rest_url = rest_url
        self._ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the clients busy."""
        threads = [
            threading.Thread(target=self._repeat, args=each)
            for each in (
                ("kept", self._redis, 1000000),
                ("new", self._redis, 1),
                ("REST", self._rest, 1),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _repeat(self, name: str, new: Callable[[], Client], commands: int) -> None:
        while not self._ended.is_set():
            try:
                with new() as client:
                    for _ in range(commands):
                        client.incr("app:count")
                        self.done += 1
                        if self._ended.wait(PAUSE_SECONDS):
                            break
            except (redis.RedisError, UpstashError) as error:
                self.failed.append(f"{name}: {type(error).__name__} {error}"[:200])

    def _redis(self) -> Client:
        return connect(self._file.read_text(), self._emulator)

    def _rest(self) -> Client:
        token = urlsplit(self._file.read_text()).password or ""
        return RestClient(self._rest_url, token, rest_retries=0, allow_telemetry=False)


TWENTY = pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])


@pytest.mark.parametrize("rotations", [2, TWENTY])
def test_no_command_fails_over_rotations_in_a_row(
    new_stack: StackFactory,
    upstash_emulator: Emulator,
    rotations: int,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))
    users = Users(new_stack(), upstash_emulator)
    database, other = users.declare("app", grace_seconds=3), upstash_emulator.add_database("reset")
    users.tail = RESET.format(id=other.id, number=0)
    users.run("up")
    load = Load(upstash_emulator, users.file("app"), database.rest_url)
    beside = Load(upstash_emulator, users.file("reset"), other.rest_url)
    retired = []
    with load.running(), beside.running():
        for number in range(rotations):
            retired.append(users.held("app"))
            users.rotate()
            users.tail = RESET.format(id=other.id, number=number + 1)
            users.run("up")
            users.assert_served("app")
    for name, each in (("ACL user", load), ("reset", beside)):
        failed = len(each.failed)
        record_property(name, f"{failed} of {failed + each.done} commands failed")
    assert load.failed == []
    assert load.done > 100 * rotations
    assert len(beside.failed) >= rotations
    for token in retired:
        assert not users.opens("app", token)
        with (
            RestClient(database.rest_url, token, rest_retries=0) as client,
            pytest.raises(UpstashError, match="WRONGPASS"),
        ):
            client.ping()
