"""`DeveloperApi`: handles every request, from authentication to the response."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final

from upstash_emulator.calls import Call
from upstash_emulator.errors import EmulatorError, RejectedError
from upstash_emulator.responses import Response
from upstash_emulator.sending import send

from .operation import Operation
from .redis import redis_operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from upstash_emulator.faults import Fault
    from upstash_emulator.simulation.account import Account
    from upstash_emulator.simulation.simulation import Simulation

_READS: Final = ("GET", "HEAD")
_JSON_RANGES: Final = ("application/json", "application/*", "*/*")


class DeveloperApi:
    """Responds to requests to the Developer API, correctly or with a planned fault."""

    def __init__(self, simulation: Simulation) -> None:
        """Serve this simulation's account."""
        self._simulation = simulation

    def add_routes(self, app: web.Application) -> None:
        """Serve the API's paths, and respond 404 to every other path."""
        for operation in (
            *redis_operations(self._simulation),
            Operation("auditlogs", "GET", "/auditlogs", _auditlogs),
            Operation("unknown", "*", "/{anything:.*}", _unknown),
        ):
            app.router.add_route("*", operation.path, self._handler(operation))

    def _handler(
        self, operation: Operation
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            calls = self._simulation.calls  # a call in flight is forgotten with those before it
            database_id = request.match_info.get("id")
            fault = self._simulation.faults.take(operation.name, database_id)
            response, applied = await self._respond(operation, request, fault)
            calls.append(
                Call(
                    operation=operation.name,
                    method=request.method,
                    path=request.path,
                    database_id=database_id,
                    status=None if response.ending == "closed" else response.status,
                    user_agent=request.headers.get("User-Agent", ""),
                    applied=applied,
                    fault=fault.kind,
                )
            )
            return await send(response, request)

        return handle

    async def _respond(
        self, operation: Operation, request: web.Request, fault: Fault
    ) -> tuple[Response, bool]:
        """Return the response to a request, and whether the operation was applied."""
        latency_seconds = self._simulation.settings.latency_seconds
        await asyncio.sleep(latency_seconds + fault.delay_before_seconds)
        if not fault.applied:
            return fault.reshape(Response()), False
        try:
            account = self._admit(operation, request)
            response = await operation.perform(request, account, fault)
        except RejectedError as rejected:
            return Response.error(rejected.status, str(rejected)), False
        except EmulatorError as error:
            return Response.error(500, str(error)), False
        await asyncio.sleep(fault.delay_after_seconds)
        return fault.reshape(response), True

    def _admit(self, operation: Operation, request: web.Request) -> Account:
        """Return the account of a request, or reject it whatever its operation is."""
        email, api_key = _basic_credentials(request)
        account = self._simulation.accounts.get(email)
        access = account.access(email, api_key) if account else None
        if account is None or access is None:
            raise RejectedError(401, "Unauthorized: wrong e-mail or API key")
        if access == "read_only" and request.method not in _READS:
            raise RejectedError(403, "Readonly API key cannot be used for this operation")
        if self._is_rate_limited(account):
            raise RejectedError(429, "Too many requests")
        if operation.method not in ("*", request.method):
            raise RejectedError(405, f"method {request.method} is not allowed here")
        if not _accepts_json(request):
            raise RejectedError(406, "only application/json is available")
        return account

    def _is_rate_limited(self, account: Account) -> bool:
        """Return whether an account exceeds the rate. If not, count this request."""
        limit = self._simulation.settings.requests_per_second
        if not limit:
            return False
        now = asyncio.get_running_loop().time()
        admitted = account.admitted
        while admitted and admitted[0] <= now - 1:
            admitted.popleft()
        if len(admitted) >= limit:
            return True
        admitted.append(now)
        return False


async def _auditlogs(_request: web.Request, account: Account, _fault: Fault) -> Response:
    return Response.json(account.audit_log)


async def _unknown(request: web.Request, _account: Account, _fault: Fault) -> Response:
    raise RejectedError(404, f"the emulator does not know {request.path}")


def _basic_credentials(request: web.Request) -> tuple[str, str]:
    """Return the e-mail and the API key of a request, or two empty strings."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        email, _, api_key = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (email, api_key) if scheme.lower() == "basic" else ("", "")


def _accepts_json(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "*/*").split(",")
    return any(item.partition(";")[0].strip() in _JSON_RANGES for item in accepted)
