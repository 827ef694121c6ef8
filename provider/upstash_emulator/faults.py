"""`Fault`: one way for a request to the Developer API to go wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from .responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

Operation = Literal["reset", "get", "list", "auditlogs", "any"]
OPERATIONS: Final = get_args(Operation)
KINDS: Final = (
    "status",
    "delay",
    "closed",
    "cut_off",
    "garbage",
    "body",
    "without",
    "other_database",
    "slow_propagation",
)
"""Names of the constructors of `Fault`. The control API takes them as kinds."""


def _unchanged(response: Response) -> Response:
    return response


@dataclass(frozen=True)
class Fault:
    """One way for a request to go wrong. The constructors below create it.

    Attributes:
        kind: Name of the constructor.
        applied: Whether the emulator applies the operation, independently of the response.
        delay_before_seconds: Delay before the operation.
        delay_after_seconds: Delay between the operation and the response.
        propagation_seconds: Delay until a reset reaches Redis and REST.
        other_database_id: The response describes this database instead of the right one.
        reshape: Turns the right response into the one that is sent.
    """

    kind: str = "none"
    applied: bool = True
    delay_before_seconds: float = 0.0
    delay_after_seconds: float = 0.0
    propagation_seconds: float = 0.0
    other_database_id: str | None = None
    reshape: Callable[[Response], Response] = field(default=_unchanged, repr=False)

    @classmethod
    def status(
        cls,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: str | None = None,
        content_type: str = "text/plain",
        applied: bool = False,
    ) -> Fault:
        """Respond with a status. With `applied`, apply the operation first.

        Args:
            status: Any HTTP status code of a response, from 200 to 599.
            retry_after: Value of the Retry-After header. None for no header.
            body: Body instead of the usual `{"code": …, "message": …}`.
            content_type: Media type of `body`.
            applied: Whether the emulator applies the operation first.

        Raises:
            ValueError: No response has this status.
        """
        if not 200 <= status <= 599:  # noqa: PLR2004 - the statuses of final responses in HTTP
            raise ValueError(f"{status} is not the status of a response")
        response = Response.error(status, f"a fault of the emulator: status {status}")
        if body is not None:
            response = replace(response, body=body.encode(), content_type=content_type)
        if retry_after is not None:
            response = replace(response, headers={"Retry-After": str(retry_after)})
        return cls("status", applied=applied, reshape=lambda _: response)

    @classmethod
    def delay(cls, seconds: float, *, applied: bool = False) -> Fault:
        """Send the right response late. With `applied`, the delay follows the operation."""
        if applied:
            return cls("delay", delay_after_seconds=float(seconds))
        return cls("delay", delay_before_seconds=float(seconds))

    @classmethod
    def closed(cls, *, applied: bool = False) -> Fault:
        """Close the connection without a response. With `applied`, apply the operation first."""
        return cls(
            "closed", applied=applied, reshape=lambda response: replace(response, ending="closed")
        )

    @classmethod
    def cut_off(cls) -> Fault:
        """Apply the operation, then close the connection in the middle of the body."""
        return cls(
            "cut_off",
            reshape=lambda response: replace(
                response, body=response.body[: len(response.body) // 2], ending="cut_off"
            ),
        )

    @classmethod
    def garbage(cls, body: bytes | str = b"\x00\xff not JSON") -> Fault:
        """Apply the operation, then respond 200 with these bytes."""
        content = body.encode() if isinstance(body, str) else body
        return cls("garbage", reshape=lambda response: replace(response, status=200, body=content))

    @classmethod
    def body(cls, value: object) -> Fault:
        """Apply the operation, then respond 200 with this JSON value, such as `None`."""
        return cls("body", reshape=lambda _: Response.json(value))

    @classmethod
    def without(cls, *fields: str) -> Fault:
        """Apply the operation, then leave these fields out of the response's object."""

        def reshape(response: Response) -> Response:
            value = json.loads(response.body)
            if not isinstance(value, dict):
                return response
            kept = {name: item for name, item in value.items() if name not in fields}
            return Response.json(kept, response.status)

        return cls("without", reshape=reshape)

    @classmethod
    def other_database(cls, database_id: str) -> Fault:
        """Apply the operation, then respond with the description of another database."""
        return cls("other_database", other_database_id=database_id)

    @classmethod
    def slow_propagation(cls, seconds: float) -> Fault:
        """Respond to a reset at once. Redis and REST accept the new credentials only later."""
        return cls("slow_propagation", propagation_seconds=float(seconds))


NO_FAULT: Final = Fault()
