"""`DeveloperApi`: handles every request, from authentication to the response."""

from __future__ import annotations

import asyncio
import base64
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from upstash_emulator.calls import Call
from upstash_emulator.errors import EmulatorError, RejectedError
from upstash_emulator.responses import Response

from .operation import Operation
from .redis import redis_operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from upstash_emulator.faults import Fault
    from upstash_emulator.simulation.account import Account
    from upstash_emulator.simulation.simulation import Simulation

_READS: Final = ("GET", "HEAD")
_JSON_RANGES: Final = ("application/json", "application/*", "*/*")
_MISSING_BYTES: Final = 64
"""Bytes that a cut-off body lacks, compared with its Content-Length."""
_STEPS_PER_SECOND: Final = 50
_INTERIM_RESPONSES: Final = 64


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
            return await _send(response, request)

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


async def _send(response: Response, request: web.Request) -> web.StreamResponse:
    """Send a response with all that precedes it, and with its `ending`."""
    if response.interim and request.transport is not None:
        headers = _as_bytes(response.interim_headers)
        for status in response.interim:
            request.transport.write(_status_line(status) + headers + b"\r\n")
    if response.drip_part:
        return await _drip(response, request)
    if response.ending == "complete":
        return web.Response(
            status=response.status,
            body=response.body,
            content_type=response.content_type,
            headers=response.headers,
        )
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    if response.ending == "cut_off":
        stream.content_type = response.content_type
        stream.content_length = len(response.body) + _MISSING_BYTES
        await stream.prepare(request)
        await stream.write(response.body)
    if request.transport is not None:
        request.transport.close()
    return stream


async def _drip(response: Response, request: web.Request) -> web.StreamResponse:
    """Send a response by hand, one of its parts byte by byte, and close the connection."""
    parts = _parts(response)
    transport = request.transport
    for name, content in parts.items():
        seconds = response.drip_seconds if name == response.drip_part else 0.0
        steps = max(1, min(len(content), math.ceil(seconds * _STEPS_PER_SECOND)))
        for step in range(steps):
            if transport is None or transport.is_closing():
                break
            transport.write(
                content[len(content) * step // steps : len(content) * (step + 1) // steps]
            )
            await asyncio.sleep(seconds / steps)
    if transport is not None:
        transport.close()
    return web.StreamResponse()


def _parts(response: Response) -> dict[str, bytes]:
    """Return the bytes of a response, in order. Only what is dripped has interim and trailers."""
    body, framing, interim, trailers = response.body, {}, b"", b""
    if response.drip_part == "interim":
        interim = (_status_line(HTTPStatus.CONTINUE) + b"\r\n") * _INTERIM_RESPONSES
    if response.drip_part == "trailers":
        framing = {"Transfer-Encoding": "chunked"}
        body = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
        trailers = _as_bytes({f"X-Trailer-{number}": "x" * 32 for number in range(8)}) + b"\r\n"
    else:
        framing = {"Content-Length": str(len(body))}
    headers = {
        "Content-Type": response.content_type,
        **framing,
        "Connection": "close",
        **response.headers,
    }
    head = _status_line(response.status) + _as_bytes(headers) + b"\r\n"
    return {"interim": interim, "headers": head, "body": body, "trailers": trailers}


def _status_line(status: int) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    return f"HTTP/1.1 {int(status)} {reason}\r\n".encode()


def _as_bytes(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")
