"""One database's redis-server, with its configuration, users and port."""

from __future__ import annotations

import asyncio
import hashlib
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

from upstash_emulator.errors import EmulatorError

from .backend import CommandError, RedisUser
from .binary import free_port, tls_directives
from .relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from .backend import Command
    from .binary import RedisBinary
    from .reaper import Reaper, ServerExit, ServerProcess
    from .tls import Certificates

_LOG = logging.getLogger(__name__)
_NUMBERS: Final = count(1)
_START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.005
_END_SECONDS: Final = 0.5
"""Maximum wait for the report of a server's end, after its connection was lost."""
_PORT_ATTEMPTS: Final = 20


class _Listener(Protocol):
    async def open(self, port: int | None) -> int:
        """Accept connections on a port, any free one for None, and return it."""

    async def close(self) -> None:
        """Refuse connections."""


class RedisServer:
    """A redis-server that knows its passwords only as SHA-256 digests and saves nothing.

    The emulator connects through a Unix socket, as a separate user. Clients connect to the server's
    own port. If the program does not serve TLS, they connect to a TLS relay.
    """

    def __init__(
        self, name: str, server: ServerProcess, reaper: Reaper, socket_path: Path, admin: RedisUser
    ) -> None:
        """Use `start` instead."""
        self._name = name
        self.port = 0
        self.online = False
        self._server = server
        self._reaper = reaper
        self._socket_path = socket_path
        self._admin_name = admin.name
        self._admin = self._client(admin.name, *admin.secrets)
        self._user_names: tuple[str, ...] = ()
        self._stopping = False
        self._listener: _Listener
        self._reservation: socket.socket | None = None
        server.exit.add_done_callback(self._report_end)

    @classmethod
    async def start(
        cls,
        name: str,
        users: Sequence[RedisUser],
        binary: RedisBinary,
        reaper: Reaper,
        certificates: Certificates | None,
    ) -> RedisServer:
        """Start a server for these users. With certificates it serves TLS.

        Raises:
            EmulatorError: The server ended, did not get ready, or found no port.
        """
        # No client can guess the emulator's own user, so no ACL command of a client changes it.
        secret = secrets.token_hex(32)
        admin = RedisUser(f"emulator-{secrets.token_hex(16)}", (secret,), "~* &* +@all")
        number = next(_NUMBERS)
        socket_path = reaper.folder / f"{number}.sock"
        config = _configuration(socket_path, [*users, admin])
        if certificates and binary.has_tls:
            config += tls_directives(certificates)
        server = await reaper.launch(str(number), [binary.path, "-"], config)
        redis = cls(name, server, reaper, socket_path, admin)
        redis._user_names = tuple(user.name for user in users)
        if certificates and not binary.has_tls:
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

    async def accept_only(self, users: Sequence[RedisUser]) -> None:
        """Replace the secrets of these users, and cut off every client."""
        changes = [
            ("ACL", "SETUSER", user.name, "resetpass", *_digests(user.secrets)) for user in users
        ]
        await self.administer(*changes, *_cut_off(self._user_names))

    async def administer(self, *commands: Sequence[str]) -> list[Any]:
        """Run commands in one transaction, as the user with all rights, and return the replies.

        Raises:
            CommandError: The first command that failed.
            EmulatorError: The server has ended.
        """
        async with self._own_errors():
            pipeline = self._admin.pipeline(transaction=True)
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, RedisError):
                    raise reply
        return replies

    async def execute(
        self, user: str, secret: str, commands: Sequence[Command], *, atomic: bool
    ) -> list[Any]:
        """Run commands as a user, on a new connection."""
        async with self._own_errors(), self._client(user, secret) as client:
            client.response_callbacks.clear()  # no conversion of replies
            pipeline = client.pipeline(transaction=atomic)
            for command in commands:
                pipeline.execute_command(*command)
            replies = await pipeline.execute(raise_on_error=False)
        return [_reply(reply) for reply in replies]

    async def set_port(self, directive: str, port: int) -> None:
        """Open the server's own port, or close it with 0.

        Raises:
            CommandError: The port is taken.
        """
        await self.administer(("CONFIG", "SET", directive, str(port)))

    async def take_offline(self) -> None:
        """Refuse connections and drop those that are open."""
        if self.online:
            self.online = False
            await self._listener.close()
            self._reservation = _reserve(self.port)
        await self.administer(*_cut_off([*self._user_names, *await self._acl_users()]))

    async def bring_online(self) -> None:
        """Accept connections again, on the same port."""
        if not self.online:
            self._release()
            await self._listener.open(self.port)
            self.online = True

    async def wipe(self) -> None:
        """Delete all data, and all users but those of the start."""
        deletions = [("ACL", "DELUSER", name) for name in await self._acl_users()]
        await self.administer(("FLUSHALL",), *deletions)

    async def stop(self) -> None:
        """End the process. The reaper removes the folder with the socket."""
        self._stopping = True
        self._release()
        if isinstance(self._listener, Relay):
            await self._listener.close()
        await self._admin.aclose()
        await self._reaper.kill(self._server)

    async def _acl_users(self) -> list[str]:
        """Return the users that were added after the start."""
        (names,) = await self.administer(("ACL", "USERS"))
        first = (*self._user_names, self._admin_name)
        return [name.decode() for name in names if name.decode() not in first]

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
        """Turn an error of the Redis client into a `CommandError` or `EmulatorError`."""
        try:
            yield
        except ResponseError as error:
            raise _reply(error) from None
        except RedisError as error:
            # Over a Unix socket, some versions of redis-py wrap the error of a login.
            if any(isinstance(each, AuthenticationError) for each in (error, error.__cause__)):
                raise CommandError("WRONGPASS invalid username-password pair") from None
            await asyncio.wait((self._server.exit,), timeout=_END_SECONDS)
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
                    raise EmulatorError(
                        f"the redis-server of {self._name} is not ready after {_START_SECONDS:g} s"
                    ) from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                writer.close()
                return

    def _require_life(self) -> None:
        if self._server.exit.done():
            raise EmulatorError(_end_message(self._name, self._server.exit.result()))

    def _report_end(self, exited: asyncio.Future[ServerExit]) -> None:
        if not self._stopping:
            _LOG.error("%s", _end_message(self._name, exited.result()))


class _OwnPort:
    """The server's own port, which it can open and close while it runs."""

    def __init__(self, server: RedisServer, directive: str) -> None:
        self._server = server
        self._directive = directive

    async def open(self, port: int | None) -> int:
        for _ in range(_PORT_ATTEMPTS if port is None else 1):
            number = port or free_port()
            try:
                await self._server.set_port(self._directive, number)
            except CommandError:
                continue  # another process was faster
            return number
        raise EmulatorError(f"no connection can be accepted on port {port or 'any'}")

    async def close(self) -> None:
        await self._server.set_port(self._directive, 0)


def _cut_off(users: Iterable[str]) -> list[tuple[str, ...]]:
    return [("CLIENT", "KILL", "USER", name) for name in users]


def _configuration(socket_path: Path, users: Iterable[RedisUser]) -> str:
    """Return the configuration of a server that listens only on a Unix socket and saves nothing.

    The emulator opens a port later. Every password in the text is a SHA-256 digest.
    """
    lines = [
        "port 0",
        "bind 127.0.0.1",
        f'unixsocket "{socket_path}"',
        "unixsocketperm 700",
        'save ""',
        "appendonly no",
        "databases 1",
        "acl-pubsub-default resetchannels",  # Redis 6.2 would start users with all channels
        *(f"user {user.name} on {' '.join(_digests(user.secrets))} {user.rules}" for user in users),
    ]
    return "\n".join(lines) + "\n"


def _digests(passwords: Iterable[str]) -> list[str]:
    """Return passwords as digests, in the form that ACL rules take."""
    return ["#" + hashlib.sha256(password.encode()).hexdigest() for password in passwords]


def _reply(reply: Any) -> Any:  # noqa: ANN401 - any value of the Redis protocol
    """Return a reply. An error becomes a `CommandError`, with the code that redis-py removes."""
    if not isinstance(reply, RedisError):
        return reply
    text = str(reply)
    if isinstance(reply, NoPermissionError):
        return CommandError(f"NOPERM {text.removeprefix('NOPERM ')}")
    return CommandError(text if text.partition(" ")[0].isupper() else f"ERR {text}")


def _end_message(name: str, exited: ServerExit) -> str:
    last_line = exited.log.strip().rpartition("\n")[2]
    return f"the redis-server of {name} ended by itself (exit status {exited.code}): {last_line}"


def _reserve(port: int) -> socket.socket:
    """Reserve a port without accepting connections on it."""
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):  # another process was faster
        reservation.bind(("127.0.0.1", port))
    return reservation
