"""`Fault`: one way for a request to the Developer API to go wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .responses import PARTS, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .responses import Part

Operation = Literal[
    "reset",
    "get",
    "list",
    "auditlogs",
    "acl cat",
    "acl deluser",
    "acl genpass",
    "acl gentoken",
    "acl getuser",
    "acl list",
    "acl load",
    "acl log",
    "acl resttoken",
    "acl save",
    "acl setuser",
    "acl users",
    "acl whoami",
    "any",
]
OPERATIONS: Final = get_args(Operation)
KINDS: Final = (
    "status",
    "delay",
    "closed",
    "cut_off",
    "garbage",
    "body",
    "without",
    "merge",
    "rename",
    "wrap",
    "rewrite",
    "headers",
    "interim",
    "drip",
    "other_database",
    "slow_propagation",
    "stale_read",
)
"""Names of the constructors of `Fault`. The control API takes them as kinds."""


def _unchanged(response: Response) -> Response:
    return response


def _reshape_object(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[Response], Response]:
    """Return what changes the JSON object in a body. Any other body stays as it is."""

    def reshape(response: Response) -> Response:
        try:
            value = json.loads(response.body)
        except ValueError:
            return response
        if not isinstance(value, dict):
            return response
        return replace(response, body=json.dumps(change(value)).encode())

    return reshape


def _headers(values: Mapping[str, str]) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in values.items()}
    if any(re.search(r"[\r\n]", text) for item in headers.items() for text in item):
        raise ValueError("a header has no line break")
    return headers


@dataclass(frozen=True)
class Fault:
    """One way for a request to go wrong. The constructors below create it.

    `also` combines two. `dataclasses.replace` gives a fault another `kind`, the name under which
    the recorded calls have it.

    Attributes:
        kind: Name of the constructor.
        applied: Whether the emulator applies the operation, independently of the response.
        delay_before_seconds: Delay before the operation.
        delay_after_seconds: Delay between the operation and the response.
        propagation_seconds: Delay until a reset reaches Redis and REST.
        stale_reads: Number of reads after a reset that return the previous credentials.
        stale_seconds: Time after a reset in which reads return the previous credentials.
        other_database_id: The response describes this database instead of the right one.
        reshape: Turns the right response into the one that is sent.
    """

    kind: str = "none"
    applied: bool = True
    delay_before_seconds: float = 0.0
    delay_after_seconds: float = 0.0
    propagation_seconds: float = 0.0
    stale_reads: int = 0
    stale_seconds: float = 0.0
    other_database_id: str | None = None
    reshape: Callable[[Response], Response] = field(default=_unchanged, repr=False)

    @classmethod
    def status(  # noqa: PLR0913 - each of them is a part of a response
        cls,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: str | None = None,
        content_type: str = "text/plain",
        headers: Mapping[str, str] | None = None,
        applied: bool = False,
    ) -> Fault:
        """Respond with a status. With `applied`, apply the operation first.

        Args:
            status: Any status code of a final response, from 200 to 999. HTTP gives those above 599
                no meaning.
            retry_after: Value of the Retry-After header. None for no header.
            body: Body instead of the usual `{"code": …, "message": …}`.
            content_type: Media type of `body`.
            headers: Further headers, such as the Location of a redirect.
            applied: Whether the emulator applies the operation first.

        Raises:
            ValueError: No response has this status.
        """
        if not 200 <= status <= 999:  # noqa: PLR2004 - three digits; those from 100 are interim
            raise ValueError(f"{status} is not the status of a response")
        response = Response.error(status, f"a fault of the emulator: status {status}")
        if body is not None:
            response = replace(response, body=body.encode(), content_type=content_type)
        waiting = {} if retry_after is None else {"Retry-After": str(retry_after)}
        response = replace(response, headers={**waiting, **_headers(headers or {})})
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
        return cls(
            "without",
            reshape=_reshape_object(
                lambda value: {name: item for name, item in value.items() if name not in fields}
            ),
        )

    @classmethod
    def merge(cls, fields: Mapping[str, object]) -> Fault:
        """Apply the operation, then set these fields of the response's object.

        Raises:
            ValueError: A value is no JSON value.
        """
        try:
            json.dumps(added := dict(fields))
        except TypeError as error:
            raise ValueError(f"{error}") from None
        return cls("merge", reshape=_reshape_object(lambda value: {**value, **added}))

    @classmethod
    def rename(cls, names: Mapping[str, str]) -> Fault:
        """Apply the operation, then give fields of the response's object other names."""
        new_names = dict(names)
        return cls(
            "rename",
            reshape=_reshape_object(
                lambda value: {new_names.get(name, name): item for name, item in value.items()}
            ),
        )

    @classmethod
    def wrap(cls, name: str) -> Fault:
        """Apply the operation, then put the response's object into a field of another object."""
        return cls("wrap", reshape=_reshape_object(lambda value: {name: value}))

    @classmethod
    def rewrite(cls, pattern: str, replacement: str, *, encoding: str = "utf-8") -> Fault:
        r"""Apply the operation, then replace a part of the response's body.

        Args:
            pattern: Regular expression. Its first match is replaced. `\A` is the start of the body
                and `\Z` is its end.
            replacement: Text in its place, as it is.
            encoding: Encoding of the replacement, such as `latin-1`. The body itself is ASCII.

        Raises:
            ValueError: The expression is wrong, or the encoding lacks a character.
        """
        try:
            expression, content = re.compile(pattern.encode()), replacement.encode(encoding)
        except (re.error, LookupError) as error:
            raise ValueError(f"{error}") from None
        return cls(
            "rewrite",
            reshape=lambda response: replace(
                response, body=expression.sub(lambda _: content, response.body, count=1)
            ),
        )

    @classmethod
    def headers(cls, values: Mapping[str, str]) -> Fault:
        """Send the right response with further headers, such as a wrong Content-Encoding.

        Raises:
            ValueError: A header has a line break.
        """
        added = _headers(values)
        return cls(
            "headers",
            reshape=lambda response: replace(response, headers={**response.headers, **added}),
        )

    @classmethod
    def interim(cls, *statuses: int, headers: Mapping[str, str] | None = None) -> Fault:
        """Send interim responses, such as 103 Early Hints, before the right response.

        Args:
            statuses: Their statuses (100 to 199), in order.
            headers: Their headers.

        Raises:
            ValueError: A status is not interim, or a header has a line break.
        """
        if not statuses or not all(100 <= status <= 199 for status in statuses):  # noqa: PLR2004
            raise ValueError("an interim response has a status from 100 to 199")
        added = _headers(headers or {})
        return cls(
            "interim",
            reshape=lambda response: replace(response, interim=statuses, interim_headers=added),
        )

    @classmethod
    def drip(cls, part: Part, seconds: float) -> Fault:
        """Send a part of the right response byte by byte, then close the connection.

        Args:
            part: `interim` (a series of 100 Continue before the response), `headers`, `body` or
                `trailers` (headers after a chunked body).
            seconds: How long that takes.

        Raises:
            ValueError: There is no such part.
        """
        if part not in PARTS:
            raise ValueError(f"the part must be one of {', '.join(PARTS)}")
        duration = float(seconds)
        return cls(
            "drip",
            reshape=lambda response: replace(response, drip_part=part, drip_seconds=duration),
        )

    @classmethod
    def other_database(cls, database_id: str) -> Fault:
        """Apply the operation, then respond with the description of another database."""
        return cls("other_database", other_database_id=database_id)

    @classmethod
    def slow_propagation(cls, seconds: float) -> Fault:
        """Respond to a reset at once. Redis and REST accept the new credentials only later."""
        return cls("slow_propagation", propagation_seconds=float(seconds))

    @classmethod
    def stale_read(cls, *, reads: int = 0, seconds: float = 0.0) -> Fault:
        """Respond to a reset at once. Later reads still return the previous credentials.

        Redis and REST accept only the new credentials. With both arguments, the reads are stale
        until both have ended.

        Args:
            reads: Number of stale reads.
            seconds: Time in which reads are stale.

        Raises:
            ValueError: There would be no stale read.
        """
        if not (reads > 0 or seconds > 0):
            raise ValueError("a stale read needs a number of reads or of seconds")
        return cls("stale_read", stale_reads=int(reads), stale_seconds=float(seconds))

    @property
    def concerns_resets_only(self) -> bool:
        """Whether only a reset can meet it."""
        return bool(self.propagation_seconds or self.stale_reads or self.stale_seconds)

    def also(self, other: Fault) -> Fault:
        """Return both faults as one. `other` changes the response after this one.

        The operation is applied if both apply it.
        """
        return Fault(
            f"{self.kind}, {other.kind}",
            applied=self.applied and other.applied,
            delay_before_seconds=self.delay_before_seconds + other.delay_before_seconds,
            delay_after_seconds=self.delay_after_seconds + other.delay_after_seconds,
            propagation_seconds=max(self.propagation_seconds, other.propagation_seconds),
            stale_reads=max(self.stale_reads, other.stale_reads),
            stale_seconds=max(self.stale_seconds, other.stale_seconds),
            other_database_id=other.other_database_id or self.other_database_id,
            reshape=lambda response: other.reshape(self.reshape(response)),
        )


NO_FAULT: Final = Fault()
