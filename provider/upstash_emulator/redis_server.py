"""One database's redis-server: its users, its port, its end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from .backend import CommandError
from .errors import EmulatorError
from .redis_config import ADMIN, USERS, configuration, digests
from .relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from .backend import Command, RedisUser
    from .certificates import Certificates
    from .credentials import Credentials
    from .redis_binary import RedisBinary
    from .warden import Server, ServerExit, Warden

_LOG = logging.getLogger(__name__)
_NUMBERS: Final = count(1)
_START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.005
_LAST_WORDS_SECONDS: Final = 0.5
"""How long to wait, after a lost connection, for the news that the server has ended."""
_PORT_ATTEMPTS: Final = 20
_CUT_OFF: Final = tuple(("CLIENT", "KILL", "USER", user) for user in USERS)


class _Listener(Protocol):
    async def open(self, port: int | None) -> int:
        """Accept connections on a port, any free one for None, and return it."""

    async def close(self) -> None:
        """Refuse connections."""


class RedisServer:
    """A redis-server that knows its passwords only as SHA-256 digests and saves nothing.

    The emulator talks to it through a Unix socket as a user of its own; clients come in through
    the server's own (TLS) port, or through a TLS relay where the program was built without TLS.
    """

    def __init__(
        self, name: str, server: Server, warden: Warden, socket_path: Path, secret: str
    ) -> None:
        """Use `start` instead."""
        self._name = name
        self.port = 0
        self.online = False
        self._server = server
        self._warden = warden
        self._socket_path = socket_path
        self._admin = self._client(ADMIN, secret)
        self._stopping = False
        self._listener: _Listener
        self._reservation: socket.socket | None = None
        server.exit.add_done_callback(self._notice_end)

    @classmethod
    async def start(
        cls,
        name: str,
        credentials: Credentials,
        binary: RedisBinary,
        warden: Warden,
        certificates: Certificates | None,
    ) -> RedisServer:
        """Start a server that these credentials open; over TLS where certificates are given.

        Raises:
            EmulatorError: It ended again, did not get ready, or found no port.
        """
        secret = secrets.token_hex(32)
        number = next(_NUMBERS)
        socket_path = warden.folder / f"{number}.sock"
        tls = certificates if binary.supports_tls else None
        config = configuration(socket_path, credentials, secret, tls)
        server = await warden.launch(str(number), [binary.path, "-"], config)
        redis = cls(name, server, warden, socket_path, secret)
        if certificates and not binary.supports_tls:
            redis._listener = Relay(str(socket_path), certificates.context)
        else:
            redis._listener = _OwnPort(redis, "tls-port" if certificates else "port")
        try:
            await redis._wait_until_ready()
            redis.port = await redis._listener.open(None)
        except BaseException:
            await redis.stop()
            raise
        redis.online = True
        return redis

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid.result()

    async def accept_only(self, credentials: Credentials) -> None:
        """Let these credentials open the database, no others, and cut off every client."""
        users = [
            ("ACL", "SETUSER", name, "resetpass", *hashes)
            for name, hashes in digests(credentials).items()
        ]
        await self.administer(*users, *_CUT_OFF)

    async def execute(
        self, user: RedisUser, secret: str, commands: Sequence[Command], *, atomic: bool
    ) -> list[Any]:
        """Run commands as a user, on a connection of their own."""
        async with self._own_errors(), self._client(user, secret) as client:
            client.response_callbacks.clear()  # replies shall stay as they came over the wire
            pipeline = client.pipeline(transaction=atomic)
            for command in commands:
                pipeline.execute_command(*command)
            replies = await pipeline.execute(raise_on_error=False)
        return [_reply(reply) for reply in replies]

    async def administer(self, *commands: Sequence[str]) -> None:
        """Run commands in one transaction, as the user who may do everything."""
        async with self._own_errors():
            pipeline = self._admin.pipeline(transaction=True)
            for command in commands:
                pipeline.execute_command(*command)
            await pipeline.execute()

    async def take_offline(self) -> None:
        """Refuse connections and drop those that are open."""
        if self.online:
            self.online = False
            await self._listener.close()
            self._reservation = _reserve(self.port)
        await self.administer(*_CUT_OFF)

    async def bring_online(self) -> None:
        """Accept connections again, on the same port."""
        if not self.online:
            self._release()
            await self._listener.open(self.port)
            self.online = True

    async def wipe(self) -> None:
        """Delete all data."""
        await self.administer(("FLUSHALL",))

    async def stop(self) -> None:
        """End the process; the folder with its socket is the warden's."""
        self._stopping = True
        self._release()
        if isinstance(self._listener, Relay):
            await self._listener.close()
        await self._admin.aclose()
        await self._warden.kill(self._server)

    def _release(self) -> None:
        if self._reservation:
            self._reservation.close()
            self._reservation = None

    def _client(self, user: str, secret: str) -> Redis:
        return Redis(
            unix_socket_path=str(self._socket_path),
            username=user,
            password=secret,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )

    @asynccontextmanager
    async def _own_errors(self) -> AsyncIterator[None]:
        """Turn what goes wrong between the emulator and the server into our own errors."""
        try:
            yield
        except AuthenticationError:
            raise CommandError("WRONGPASS invalid username-password pair") from None
        except ResponseError as error:
            raise _reply(error) from None
        except RedisError as error:
            await asyncio.wait((self._server.exit,), timeout=_LAST_WORDS_SECONDS)
            self._require_life()
            raise EmulatorError(f"{self._name}: {error}") from None

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while True:
            self._require_life()
            try:
                _, writer = await asyncio.open_unix_connection(self._socket_path)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise EmulatorError(f"{self._name} is not ready in time") from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                writer.close()
                return

    def _require_life(self) -> None:
        if self._server.exit.done():
            raise EmulatorError(_obituary(self._name, self._server.exit.result()))

    def _notice_end(self, exited: asyncio.Future[ServerExit]) -> None:
        if not self._stopping:
            _LOG.error("%s", _obituary(self._name, exited.result()))


class _OwnPort:
    """The server's own port, which it can open and close while it runs."""

    def __init__(self, server: RedisServer, directive: str) -> None:
        self._server = server
        self._directive = directive

    async def open(self, port: int | None) -> int:
        for _ in range(_PORT_ATTEMPTS if port is None else 1):
            number = port or _free_port()
            try:
                await self._server.administer(("CONFIG", "SET", self._directive, str(number)))
            except CommandError:
                continue  # somebody else was faster
            return number
        raise EmulatorError(f"no connection can be accepted on port {port or 'any'}")

    async def close(self) -> None:
        await self._server.administer(("CONFIG", "SET", self._directive, "0"))


def _reply(reply: Any) -> Any:  # noqa: ANN401 - whatever Redis says
    """Return a reply, an error as `CommandError` with the code that redis-py takes off."""
    if not isinstance(reply, RedisError):
        return reply
    text = str(reply)
    if isinstance(reply, NoPermissionError):
        return CommandError(f"NOPERM {text.removeprefix('NOPERM ')}")
    return CommandError(text if text.partition(" ")[0].isupper() else f"ERR {text}")


def _obituary(name: str, exited: ServerExit) -> str:
    last_words = exited.log.strip().rpartition("\n")[2]
    return f"the redis-server of {name} ended by itself (exit status {exited.code}): {last_words}"


def _reserve(port: int) -> socket.socket:
    """Keep others from a port on which no connection is accepted."""
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):  # somebody else was faster
        reservation.bind(("127.0.0.1", port))
    return reservation


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
