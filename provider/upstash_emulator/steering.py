"""The control routes under `/emulator/`, with which any language steers the emulator."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import ApiProblem, EmulatorError
from .faults import fault_from_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .databases import Database
    from .service import Service

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Steering:
    """The control routes; their JSON never holds a credential."""

    def __init__(self, service: Service) -> None:
        """Steer this emulator."""
        self._service = service

    def add_routes(self, app: web.Application) -> None:
        """Serve the routes."""
        for method, path, handler in (
            ("GET", "", self._state),
            ("GET", "/", self._state),
            ("GET", "/calls", self._calls),
            ("POST", "/clear", self._clear),
            ("POST", "/faults", self._plan_fault),
            ("PATCH", "/settings", self._change_settings),
            ("POST", "/databases", self._add_database),
            ("PATCH", "/databases/{id}", self._change_database),
            ("DELETE", "/databases/{id}", self._delete_database),
            ("POST", "/databases/{id}/{action}", self._act),
        ):
            app.router.add_route(method, f"/emulator{path}", _refusing_in_json(handler))

    async def _state(self, _request: web.Request) -> web.StreamResponse:
        databases = self._service.account.databases.values()
        return web.json_response(
            {
                "databases": [_summary(database) for database in databases],
                "resets": sum(database.resets for database in databases),
                "connections": self._service.recorder.connections,
            }
        )

    async def _calls(self, _request: web.Request) -> web.StreamResponse:
        calls = self._service.recorder.calls
        return web.json_response([dataclasses.asdict(call) for call in calls])

    async def _clear(self, request: web.Request) -> web.StreamResponse:
        order = await _order(request, restore=False)
        await self._service.clear(restore=bool(order["restore"]))
        return await self._state(request)

    async def _plan_fault(self, request: web.Request) -> web.StreamResponse:
        order = await _order(request, kind=None, operation="any", times=1, database_id=None)
        plan = {name: order.pop(name) for name in ("operation", "times", "database_id")}
        fault = fault_from_json(order.pop("kind"), order)
        self._service.plan(fault, **plan)
        return web.json_response({"planned": fault.kind, **plan}, status=201)

    async def _change_settings(self, request: web.Request) -> web.StreamResponse:
        order = await _order(request)
        self._service.change_settings(**order)
        return web.json_response(order)

    async def _add_database(self, request: web.Request) -> web.StreamResponse:
        order = await _order(request, name=None, tls=None, credential_protection=False)
        database = await self._service.add_database(**order)
        return web.json_response(_summary(database), status=201)

    async def _change_database(self, request: web.Request) -> web.StreamResponse:
        order = await _order(request)
        database = self._database(request)
        if list(order) != ["credential_protection"]:
            raise EmulatorError("only credential_protection can be changed")
        database.credential_protection = bool(order["credential_protection"])
        return web.json_response(_summary(database))

    async def _delete_database(self, request: web.Request) -> web.StreamResponse:
        await self._service.delete_database(self._database(request))
        return web.json_response({})

    async def _act(self, request: web.Request) -> web.StreamResponse:
        database = self._database(request)
        match request.match_info["action"]:
            case "reset-in-console":
                await self._service.reset_in_console(database)
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

    def _database(self, request: web.Request) -> Database:
        return self._service.account.database(request.match_info["id"])


def _summary(database: Database) -> dict[str, object]:
    return {
        "id": database.database_id,
        "name": database.name,
        "endpoint": database.endpoint,
        "port": database.backend.port,
        "tls": database.tls,
        "state": database.state,
        "online": database.backend.online,
        "credential_protection": database.credential_protection,
        "resets": database.resets,
    }


async def _order(request: web.Request, **defaults: object) -> dict[str, Any]:
    """Return the JSON object in a request's body, with defaults for what it leaves out."""
    text = await request.text()
    try:
        order = json.loads(text or "{}")
    except ValueError:
        order = None
    if not isinstance(order, dict):
        raise EmulatorError("the body must be a JSON object")
    return {**defaults, **order}


def _refusing_in_json(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiProblem as problem:
            return web.json_response({"error": str(problem)}, status=problem.status)
        except (EmulatorError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
