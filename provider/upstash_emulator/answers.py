"""Answers of the Developer API, from whole ones to none at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

_MISSING_BYTES = 64
"""By how much a cut-off answer's Content-Length exceeds the body that is sent."""


@dataclass(frozen=True)
class Answer:
    """What is sent back for one call.

    Attributes:
        status: HTTP status code.
        body: The body's bytes; may hold credentials, hence not in the repr.
        content_type: Media type of the body.
        headers: Further headers.
        ending: `complete`; `cut_off`, where the connection closes in the middle of the body; or
            `closed`, where it closes instead of an answer.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Literal["complete", "cut_off", "closed"] = "complete"


def json_answer(value: object, status: int = 200) -> Answer:
    """Return the answer whose body is a JSON value."""
    return Answer(status=status, body=json.dumps(value).encode())


def problem_answer(status: int, message: str) -> Answer:
    """Return the API's error answer: a JSON object of code and message."""
    return json_answer({"code": status, "message": message}, status)


async def send(answer: Answer, request: web.Request) -> web.StreamResponse:
    """Send an answer the way it is meant to end."""
    if answer.ending == "complete":
        return web.Response(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            headers=answer.headers,
        )
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    if answer.ending == "cut_off":
        response.content_type = answer.content_type
        response.content_length = len(answer.body) + _MISSING_BYTES
        await response.prepare(request)
        await response.write(answer.body)
    if request.transport is not None:
        request.transport.close()
    return response
