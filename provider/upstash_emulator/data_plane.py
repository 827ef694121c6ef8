"""The REST API of all databases; a request's token says which one it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aiohttp import web

from .backend import CommandError, RedisUser
from .errors import EmulatorError
from .rest_request import parse, to_json
from .transports import abort

if TYPE_CHECKING:
    import asyncio
    import ssl

    from .databases import Account, Database

_METHODS: Final = ("HEAD", "GET", "POST", "PUT")
_LARGEST_BODY: Final = 10 * 1024**2
_WRONG_TOKEN: Final = "WRONGPASS invalid or missing auth token"  # noqa: S105 - an error's text
_LOOPBACK: Final = "127.0.0.1"


class DataPlane:
    """The REST API on one port; over TLS even for databases whose Redis port is not, as for real.

    Attributes:
        endpoint: Its host and port.
    """

    endpoint: str

    def __init__(self, account: Account, context: ssl.SSLContext) -> None:
        """Listen nowhere yet.

        Args:
            account: Whose databases are served.
            context: The TLS to serve.
        """
        self._account = account
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
        """Listen no more, and wait for no client's goodbye."""
        for transport in self._transports:
            abort(transport)
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method not in _METHODS:
            return _error(405, f"ERR method {request.method} is not allowed")
        if request.transport is not None:
            self._transports.add(request.transport)
        found = self._find(_token(request))
        if found is None:
            return _error(401, _WRONG_TOKEN)
        database, user, token = found
        if not database.backend.online and request.transport is not None:
            abort(request.transport)
            return web.Response()
        return await _run(request, database, user, token)

    def _find(self, token: str) -> tuple[Database, RedisUser, str] | None:
        """Return the database that a token opens, and as which user."""
        for database in self._account.databases.values():
            if token == database.accepted.rest_token:
                return database, "default", token
            if token == database.accepted.read_only_rest_token:
                return database, "default_ro", token
        return None


async def _run(
    request: web.Request, database: Database, user: RedisUser, token: str
) -> web.StreamResponse:
    as_base64 = request.headers.get("Upstash-Encoding") == "base64"
    try:
        asked = await parse(request)
        replies = await database.backend.execute(user, token, asked.commands, atomic=asked.atomic)
    except CommandError as error:
        return _error(401 if str(error).startswith("WRONGPASS") else 400, str(error))
    except EmulatorError as error:
        return _error(500, f"ERR {error}")
    answers = [to_json(reply, as_base64=as_base64) for reply in replies]
    if asked.batch:
        return web.json_response(answers)
    return web.json_response(answers[0], status=400 if "error" in answers[0] else 200)


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query.get("_token", "")


def _error(status: int, message: str) -> web.Response:
    value: dict[str, Any] = {"error": message}
    return web.json_response(value, status=status)
