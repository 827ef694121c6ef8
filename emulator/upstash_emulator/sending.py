"""`send`: sends a `Response`, however it ends."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .responses import Response

_MISSING_BYTES: Final = 64
"""Bytes that a cut-off body lacks, compared with its Content-Length."""
_STEPS_PER_SECOND: Final = 50
_INTERIM_RESPONSES: Final = 64


async def send(response: Response, request: web.Request) -> web.StreamResponse:
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
