"""The emulator's parts, put together; everything here runs in the emulator's event loop."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, get_args

from aiohttp import web

from .backend import Backend, MemoryBackend
from .certificates import Certificates
from .control_plane import ControlPlane
from .credentials import Credentials
from .data_plane import DataPlane
from .databases import Account, AnswerShape, Database
from .errors import EmulatorError
from .faults import FaultPlan
from .recording import Recorder
from .redis_binary import find_redis_binary
from .redis_server import RedisServer
from .steering import Steering
from .warden import Warden

if TYPE_CHECKING:
    from .faults import Fault, Operation

_BACKLOG: Final = 1024
_STARTS_AT_ONCE: Final = 8
_FIRST_ID: Final = "96ad0856-03b1-4ee7-9666-e81abd0349e1"
"""Of the first database, so that an example can name it: the one in Upstash's documentation."""


def _made_up_key(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class Options:
    """How an emulator is set up; see `Emulator`."""

    databases: int = 1
    latency_seconds: float = 0.0
    requests_per_second: int = 0
    redis_servers: bool = True
    tls: bool = True
    answer: AnswerShape = "documented"
    show_credentials_on_get: bool = True
    host: str = "127.0.0.1"
    port: int = 0
    email: str = "developer@example.com"
    api_key: str = field(default_factory=lambda: _made_up_key("emulator"), repr=False)
    read_only_api_key: str = field(default_factory=lambda: _made_up_key("readonly"), repr=False)


class Service:
    """The Developer API, the REST API and the databases behind both.

    Attributes:
        account: The account that is served.
        recorder: What was asked of the Developer API.
        control_plane: The Developer API.
        url: Base URL of the Developer API.
    """

    account: Account
    control_plane: ControlPlane
    certificates: Certificates
    url: str

    def __init__(self, options: Options) -> None:
        """Serve nothing yet."""
        self.options = options
        self.account = Account(options.email, options.api_key, options.read_only_api_key)
        self.recorder = Recorder()
        self._faults = FaultPlan()
        self.control_plane = ControlPlane(self.account, self._faults, self.recorder)
        self._initial = {
            _FIRST_ID if number == 1 else str(uuid.uuid4()): f"database-{number}"
            for number in range(1, options.databases + 1)
        }
        self._numbers = count(options.databases + 1)
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)
        self._apply_options()

    async def start(self) -> None:
        """Serve.

        Raises:
            EmulatorError: The port is taken, or there is no usable redis-server.
        """
        async with AsyncExitStack() as stack:
            self._warden = await Warden.start()
            stack.push_async_callback(self._warden.stop)
            self.certificates = Certificates(self._warden.folder)
            self._unused_port = stack.enter_context(_unused_port())
            self._data_plane = DataPlane(self.account, self.certificates.context)
            stack.push_async_callback(self._data_plane.stop)
            await self._data_plane.start()
            stack.push_async_callback(self._stop_databases)
            await self._add_initial_databases()
            await self._listen(stack)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Serve no more and leave nothing behind."""
        await self._stack.aclose()

    async def add_database(
        self, *, name: str | None, tls: bool | None, credential_protection: bool
    ) -> Database:
        """Start a database; see `Emulator.add_database`."""
        name = name or f"database-{next(self._numbers)}"
        database = await self._new_database(name, str(uuid.uuid4()), tls=tls)
        database.credential_protection = credential_protection
        self.account.databases[database.database_id] = database
        return database

    async def delete_database(self, database: Database) -> None:
        """Forget a database and stop what stands behind it."""
        self.account.databases.pop(database.database_id, None)
        await database.stop()

    async def reset_in_console(self, database: Database) -> None:
        """Reset a database's password as a person does in the web console."""
        await self.account.reset(database.database_id, source="console", ip="127.0.0.1")

    def plan(
        self, fault: Fault, operation: Operation, times: int | None, database_id: str | None
    ) -> None:
        """Plan a fault; see `Emulator.fault`."""
        for wanted in {fault.other_database_id, database_id} - {None}:
            if wanted not in self.account.databases:
                raise EmulatorError(f"there is no database {wanted}")
        self._faults.add(fault, operation, times, database_id)

    async def clear(self, *, restore: bool) -> None:
        """Forget what happened; see `Emulator.clear`."""
        self._faults.clear()
        self.recorder.clear()
        self.account.audit_log.clear()
        for database in self.account.databases.values():
            database.resets = 0
        if restore:
            await self._restore()

    async def _restore(self) -> None:
        self._apply_options()
        for database in tuple(self.account.databases.values()):
            usable = database.database_id in self._initial and await database.restore()
            if not usable:
                await self.delete_database(database)
        await self._add_initial_databases()

    def change_settings(
        self,
        *,
        answer: AnswerShape | None = None,
        show_credentials_on_get: bool | None = None,
        latency_seconds: float | None = None,
        requests_per_second: int | None = None,
    ) -> None:
        """Answer otherwise from now on; what is None stays as it is."""
        if answer is not None:
            if answer not in get_args(AnswerShape):
                raise EmulatorError(f"answer must be one of {', '.join(get_args(AnswerShape))}")
            self.account.answer = answer
        if show_credentials_on_get is not None:
            self.account.show_credentials_on_get = show_credentials_on_get
        if latency_seconds is not None:
            self.control_plane.latency_seconds = latency_seconds
        if requests_per_second is not None:
            self.control_plane.requests_per_second = requests_per_second

    def _apply_options(self) -> None:
        self.change_settings(
            answer=self.options.answer,
            show_credentials_on_get=self.options.show_credentials_on_get,
            latency_seconds=self.options.latency_seconds,
            requests_per_second=self.options.requests_per_second,
        )

    async def _add_initial_databases(self) -> None:
        """Start those of the initial databases that are not there; keep them in their order."""
        known = self.account.databases
        missing = [item for item in self._initial.items() if item[0] not in known]
        started = await asyncio.gather(
            *(self._new_database(name, id_) for id_, name in missing), return_exceptions=True
        )
        new = {each.database_id: each for each in started if isinstance(each, Database)}
        self.account.databases = {
            id_: database for id_ in self._initial if (database := known.get(id_) or new.get(id_))
        }
        for failure in started:
            if isinstance(failure, BaseException):
                raise failure

    async def _new_database(
        self, name: str, database_id: str, *, tls: bool | None = None
    ) -> Database:
        tls = self.options.tls if tls is None else tls
        credentials = Credentials.generate()
        async with self._starts:
            return Database(
                name=name,
                tls=tls,
                endpoint=self._data_plane.endpoint,
                backend=await self._new_backend(name, credentials, tls=tls),
                credentials=credentials,
                database_id=database_id,
            )

    async def _new_backend(self, name: str, credentials: Credentials, *, tls: bool) -> Backend:
        if not self.options.redis_servers:
            return MemoryBackend(self._unused_port.getsockname()[1])
        certificates = self.certificates if tls else None
        binary = find_redis_binary()
        return await RedisServer.start(name, credentials, binary, self._warden, certificates)

    async def _stop_databases(self) -> None:
        await asyncio.gather(*(database.stop() for database in self.account.databases.values()))

    async def _listen(self, stack: AsyncExitStack) -> None:
        app = web.Application()
        Steering(self).add_routes(app)
        self.control_plane.add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)

        def accept() -> asyncio.Protocol:
            self.recorder.connections += 1
            assert runner.server is not None  # noqa: S101 - set up above
            return runner.server()

        host, port = self.options.host, self.options.port
        try:
            server = await asyncio.get_running_loop().create_server(
                accept, host, port, backlog=_BACKLOG
            )
        except OSError as error:
            reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror
            raise EmulatorError(
                f"cannot listen on port {port} of {host}: {reason}; port 0 is any free one"
            ) from None
        stack.callback(server.close)
        address = f"[{host}]" if ":" in host else host
        self.url = f"http://{address}:{server.sockets[0].getsockname()[1]}"


def _unused_port() -> socket.socket:
    """Return a bound socket that does not listen: connections to its port are refused."""
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    return reserved
