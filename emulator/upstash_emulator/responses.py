"""`Response`: a response of the Developer API, which may be complete, cut off or absent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Part = Literal["interim", "headers", "body", "trailers"]
PARTS: Final = get_args(Part)


@dataclass(frozen=True)
class Response:
    """The response to one request.

    Attributes:
        status: HTTP status code.
        body: The body's bytes. They may hold credentials, so the repr leaves them out.
        content_type: Media type of the body.
        headers: Further headers.
        interim: Statuses (100 to 199) that come first, each as a response of its own.
        interim_headers: Their headers.
        drip_part: What is sent byte by byte. `interim` stands for a series of 100 Continue, and
            `trailers` for the headers after a chunked body. None: everything comes at once.
        drip_seconds: How long that takes.
        ending: `complete`, `cut_off` or `closed`. With `cut_off` the connection closes in the
            middle of the body. With `closed` it closes without a response.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    interim: tuple[int, ...] = ()
    interim_headers: Mapping[str, str] = field(default_factory=dict)
    drip_part: Part | None = None
    drip_seconds: float = 0.0
    ending: Literal["complete", "cut_off", "closed"] = "complete"

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        """Return the response whose body is a JSON value."""
        return cls(status=status, body=json.dumps(value).encode())

    @classmethod
    def error(cls, status: int, message: str) -> Response:
        """Return the API's error response: a JSON object of code and message."""
        return cls.json({"code": status, "message": message}, status)
