"""`RestApi`: the REST API of all Redis databases. The token selects the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aiohttp import web

from upstash_emulator.errors import EmulatorError
from upstash_emulator.redis_processes.backend import CommandError
from upstash_emulator.redis_processes.tls import abort

from .commands import parse, to_json

if TYPE_CHECKING:
    import asyncio
    import ssl

    from upstash_emulator.simulation.redis import RedisDatabase
    from upstash_emulator.simulation.simulation import Simulation

_METHODS: Final = ("HEAD", "GET", "POST", "PUT")
_LARGEST_BODY: Final = 10 * 1024**2
_WRONG_TOKEN: Final = "WRONGPASS invalid or missing auth token"  # noqa: S105 - an error's text
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
            return _error(405, f"ERR method {request.method} is not allowed")
        if request.transport is not None:
            self._transports.add(request.transport)
        token = _token(request)
        for database in self._simulation.databases.values():
            user = database.accepted.user_of(token)
            if user is not None:
                return await _serve(request, database, user, token)
        return _error(401, _WRONG_TOKEN)


async def _serve(
    request: web.Request, database: RedisDatabase, user: str, token: str
) -> web.StreamResponse:
    if not database.backend.online and request.transport is not None:
        abort(request.transport)
        return web.Response()
    as_base64 = request.headers.get("Upstash-Encoding") == "base64"
    try:
        parsed = await parse(request)
        replies = await database.backend.execute(user, token, parsed.commands, atomic=parsed.atomic)
    except CommandError as error:
        return _error(401 if str(error).startswith("WRONGPASS") else 400, str(error))
    except EmulatorError as error:
        return _error(500, f"ERR {error}")
    results = [to_json(reply, as_base64=as_base64) for reply in replies]
    if parsed.batch:
        return web.json_response(results)
    return web.json_response(results[0], status=400 if "error" in results[0] else 200)


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query.get("_token", "")


def _error(status: int, message: str) -> web.Response:
    value: dict[str, Any] = {"error": message}
    return web.json_response(value, status=status)
