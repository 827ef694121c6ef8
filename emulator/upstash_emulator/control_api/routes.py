"""The routes of the control API: JSON in and out, without authentication."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from upstash_emulator.errors import EmulatorError, RejectedError
from upstash_emulator.faults import KINDS, NO_FAULT, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upstash_emulator.simulation.redis import RedisDatabase
    from upstash_emulator.simulation.simulation import Simulation

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlApi:
    """The control routes. Their JSON never holds a credential."""

    def __init__(self, simulation: Simulation) -> None:
        """Control this simulation."""
        self._simulation = simulation

    def add_routes(self, app: web.Application) -> None:
        """Serve the routes."""
        for method, path, handler in (
            ("GET", "", self._state),
            ("GET", "/", self._state),
            ("GET", "/calls", self._calls),
            ("POST", "/clear", self._clear),
            ("POST", "/faults", self._plan_fault),
            ("PATCH", "/settings", self._change_settings),
            ("POST", "/accounts", self._add_account),
            ("POST", "/databases", self._add_database),
            ("PATCH", "/databases/{id}", self._change_database),
            ("DELETE", "/databases/{id}", self._delete_database),
            ("POST", "/databases/{id}/{action}", self._act),
        ):
            app.router.add_route(method, f"/emulator{path}", _with_errors_as_json(handler))

    async def _state(self, _request: web.Request) -> web.StreamResponse:
        databases = self._simulation.databases.values()
        return web.json_response(
            {
                "databases": [_summary(database) for database in databases],
                "resets": sum(database.resets for database in databases),
                "connections": self._simulation.connections,
            }
        )

    async def _calls(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response([dataclasses.asdict(call) for call in self._simulation.calls])

    async def _clear(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, restore=False)
        await self._simulation.clear(restore=bool(body["restore"]))
        return await self._state(request)

    async def _plan_fault(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, kind=None, operation="any", times=1, database_id=None)
        plan = {name: body.pop(name) for name in ("operation", "times", "database_id")}
        fault = _fault(body)
        self._simulation.plan_fault(fault, **plan)
        return web.json_response({"planned": fault.kind, **plan}, status=201)

    async def _change_settings(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        changes = {name: value for name, value in body.items() if value is not None}
        self._simulation.settings = dataclasses.replace(self._simulation.settings, **changes)
        return web.json_response(body)

    async def _add_account(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, email=None)
        if not body.get("api_key"):
            raise EmulatorError("an account needs an api_key, because no response returns one")
        account = self._simulation.add_account(**body)
        return web.json_response({"email": account.email}, status=201)

    async def _add_database(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, name=None, tls=None, credential_protection=False, account=None)
        database = await self._simulation.add_database(**body)
        return web.json_response(_summary(database), status=201)

    async def _change_database(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        database = self._database(request)
        if list(body) != ["credential_protection"]:
            raise EmulatorError("only credential_protection can be changed")
        database.credential_protection = bool(body["credential_protection"])
        return web.json_response(_summary(database))

    async def _delete_database(self, request: web.Request) -> web.StreamResponse:
        await self._simulation.delete_database(self._database(request))
        return web.json_response({})

    async def _act(self, request: web.Request) -> web.StreamResponse:
        database = self._database(request)
        match request.match_info["action"]:
            case "reset-in-console":
                body = await _body(request)
                fault = _fault(body) if body else NO_FAULT
                await self._simulation.reset_in_console(database, fault)
            case "suspend":
                database.state = "suspended"
            case "resume":
                database.state = "active"
            case "take-offline":
                await database.backend.take_offline()
            case "bring-online":
                await database.backend.bring_online()
            case action:
                raise EmulatorError(f"no action {action!r}")
        return web.json_response(_summary(database))

    def _database(self, request: web.Request) -> RedisDatabase:
        return self._simulation.database(request.match_info["id"])


def _summary(database: RedisDatabase) -> dict[str, object]:
    return {
        "id": database.database_id,
        "name": database.name,
        "account": database.owner,
        "endpoint": database.endpoint,
        "port": database.backend.port,
        "tls": database.tls,
        "state": database.state,
        "online": database.backend.online,
        "credential_protection": database.credential_protection,
        "resets": database.resets,
    }


def _fault(described: dict[str, Any]) -> Fault:
    """Return the fault of a JSON object.

    `kind` names its constructor, `also` describes another fault, and the rest are the constructor's
    arguments by name. Arguments without a name come as a list, such as the `fields` of `without`.

    Raises:
        EmulatorError: The kind or an argument does not exist.
    """
    arguments = dict(described)
    kind, also = arguments.pop("kind", None), arguments.pop("also", None)
    if kind not in KINDS:
        raise EmulatorError(f"no fault of kind {kind!r}; there are {', '.join(KINDS)}")
    constructor = getattr(Fault, str(kind))
    takes = inspect.signature(constructor)
    positional: list[Any] = []
    for name, parameter in takes.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional = arguments.pop(name, [])
    try:
        fault: Fault = constructor(*positional, **arguments)
    except (TypeError, ValueError, AttributeError):
        raise EmulatorError(f"a fault of kind {kind!r} takes {takes}") from None
    return fault if also is None else fault.also(_fault(also))


async def _body(request: web.Request, **defaults: object) -> dict[str, Any]:
    """Return the JSON object in a request's body, with defaults for missing names."""
    text = await request.text()
    try:
        body = json.loads(text or "{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise EmulatorError("the body must be a JSON object")
    return {**defaults, **body}


def _with_errors_as_json(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except RejectedError as rejected:
            return web.json_response({"error": str(rejected)}, status=rejected.status)
        except (EmulatorError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
