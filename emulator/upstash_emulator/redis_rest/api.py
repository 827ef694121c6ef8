"""`RestApi`: the REST API of all Redis databases. The token selects the database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aiohttp import web

from upstash_emulator.calls import Call
from upstash_emulator.errors import EmulatorError
from upstash_emulator.faults import NO_FAULT
from upstash_emulator.redis_processes.backend import CommandError
from upstash_emulator.redis_processes.tls import abort
from upstash_emulator.responses import Response
from upstash_emulator.sending import send

from .commands import is_acl, parse, to_json

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from upstash_emulator.faults import Fault
    from upstash_emulator.redis_processes.backend import Command
    from upstash_emulator.simulation.redis import RedisDatabase
    from upstash_emulator.simulation.simulation import Simulation

    from .commands import RestRequest

_METHODS: Final = ("HEAD", "GET", "POST", "PUT")
_LARGEST_BODY: Final = 10 * 1024**2
_WRONG_TOKEN: Final = "WRONGPASS invalid password"  # noqa: S105 - an error's text
_LOOPBACK: Final = "127.0.0.1"


class RestApi:
    """The REST API on one port. As at Upstash, it always uses TLS.

    Attributes:
        endpoint: Its host and port.
    """

    endpoint: str

    def __init__(self, simulation: Simulation, context: ssl.SSLContext) -> None:
        """Prepare. `start()` listens.

        Args:
            simulation: Serves the databases of this simulation.
            context: TLS settings.
        """
        self._simulation = simulation
        self._context = context
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listen."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, _LOOPBACK, 0, ssl_context=self._context)
        await site.start()
        self.endpoint = f"{_LOOPBACK}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the port and every connection, without waiting for clients."""
        for transport in self._transports:
            abort(transport)
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method not in _METHODS:
            return await send(_error(405, f"ERR method {request.method} is not allowed"), request)
        if request.transport is not None:
            self._transports.add(request.transport)
        session = self._log_in(_token(request))
        if session and not session.database.backend.online and request.transport is not None:
            abort(request.transport)
            return web.Response()
        try:
            parsed = await parse(request)
        except CommandError as error:
            response = _error(400, str(error)) if session else _error(401, _WRONG_TOKEN)
        else:
            response = await self._respond(request, parsed, session)
        return await send(response, request)

    def _log_in(self, token: str) -> _Session | None:
        for database in self._simulation.databases.values():
            login = database.login(token)
            if login is not None:
                return _Session(database, *login)
        return None

    async def _respond(
        self, request: web.Request, parsed: RestRequest, session: _Session | None
    ) -> Response:
        """Return the response to a request. Its ACL commands are recorded, and may meet a fault."""
        calls = self._simulation.calls  # a call in flight is forgotten with those before it
        database_id = session.database.database_id if session else None
        operations = parsed.acl_operations
        fault = self._fault(operations, database_id)
        await asyncio.sleep(fault.delay_before_seconds)
        if fault.applied:
            as_base64 = request.headers.get("Upstash-Encoding") == "base64"
            session = self._log_in(_token(request))  # a reset may have come in between
            response, applied = await self._perform(parsed, session, as_base64=as_base64)
            await asyncio.sleep(fault.delay_after_seconds)
        else:
            response, applied = Response(), False
        if response.status == HTTPStatus.OK:
            response = fault.reshape(response)
        calls.extend(
            Call(
                operation=operation,
                method=request.method,
                path="/".join(request.path.split("/")[:3]),  # the rest may hold a token
                database_id=database_id,
                status=None if response.ending == "closed" else response.status,
                user_agent=request.headers.get("User-Agent", ""),
                applied=applied,
                fault=fault.kind,
            )
            for operation in operations
        )
        return response

    def _fault(self, operations: Sequence[str], database_id: str | None) -> Fault:
        """Return the fault of a request. The first ACL command for which one is planned has it."""
        faults = (self._simulation.faults.take(each, database_id) for each in operations)
        return next((fault for fault in faults if fault is not NO_FAULT), NO_FAULT)

    async def _perform(
        self, parsed: RestRequest, session: _Session | None, *, as_base64: bool
    ) -> tuple[Response, bool]:
        """Return the response, and whether every command of the request was applied."""
        if session is None:
            return _error(401, _WRONG_TOKEN), False
        try:
            replies = await self._run(parsed, session)
        except EmulatorError as error:
            return await _failed(session, error), False
        results = [to_json(reply, as_base64=as_base64) for reply in replies]
        applied = not any("error" in result for result in results)
        if parsed.batch:
            return Response.json(results), applied
        return Response.json(results[0], 200 if applied else 400), applied

    async def _run(self, parsed: RestRequest, session: _Session) -> list[Any]:
        """Return the replies to the commands. Only the Standard token runs ACL commands."""
        backend, user, secret = session.database.backend, session.user, session.secret
        if user != "default":
            commands = [_known_to_redis(command) for command in parsed.commands]
            return await backend.execute(user, secret, commands, atomic=parsed.atomic)
        if parsed.atomic and parsed.acl_operations:
            raise CommandError("ERR ACL is not available in a transaction in the emulator")
        replies: list[Any] = []
        for administers, group in groupby(parsed.commands, is_acl):
            if administers:
                replies += [await self._run_acl(session.database, each) for each in group]
            else:
                replies += await backend.execute(user, secret, list(group), atomic=parsed.atomic)
        return replies

    async def _run_acl(self, database: RedisDatabase, command: Command) -> Any:  # noqa: ANN401 - any reply
        try:
            return await self._simulation.run_acl(database, command)
        except CommandError as error:
            return error


@dataclass(frozen=True)
class _Session:
    """The login of one request.

    Attributes:
        database: The database of the token.
        user: Its Redis user.
        secret: The password of the user.
    """

    database: RedisDatabase
    user: str
    secret: str = field(repr=False)


async def _failed(session: _Session, error: EmulatorError) -> Response:
    """Return the response to a request none of whose commands has a reply."""
    if _is_wrong_password(error) or await _has_ended(session):
        return _error(401, _WRONG_TOKEN)
    if isinstance(error, CommandError):
        return _error(400, str(error))
    return _error(500, f"ERR {error}")


async def _has_ended(session: _Session) -> bool:
    """Return whether the server no longer accepts a login.

    A reset, for example, then cuts off a request in flight.
    """
    try:
        await session.database.backend.execute(
            session.user, session.secret, [[b"PING"]], atomic=False
        )
    except EmulatorError as error:
        return _is_wrong_password(error)
    return False


def _is_wrong_password(error: EmulatorError) -> bool:
    return isinstance(error, CommandError) and str(error).startswith("WRONGPASS")


def _known_to_redis(command: Command) -> Command:
    """Return a command that Redis checks like this one. Redis lacks two of the subcommands."""
    if [part.upper() for part in command[:2]] in ([b"ACL", b"GENTOKEN"], [b"ACL", b"RESTTOKEN"]):
        return [b"ACL", b"SETUSER", *command[2:]]
    return command


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query.get("_token", "")


def _error(status: int, message: str) -> Response:
    return Response.json({"error": message}, status)
