"""What can be made to go wrong with a call, and which calls it hits."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .answers import Answer, json_answer, problem_answer
from .errors import EmulatorError

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
"""The constructors of `Fault`, which are also the kinds that the control route takes."""


def _unchanged(answer: Answer) -> Answer:
    return answer


@dataclass(frozen=True)
class Fault:
    """One way for a call to go wrong; made by the constructors below.

    Attributes:
        kind: Name of the constructor.
        applied: Whether the operation is carried out, whatever is answered.
        delay_before_seconds: Wait before it is carried out.
        delay_after_seconds: Wait after it was carried out, before the answer.
        propagation_seconds: How much later than the answer a reset reaches the data plane.
        other_database_id: The database that the answer describes instead of the right one.
        reshape: Makes the answer that is sent from the one that is due.
    """

    kind: str = "none"
    applied: bool = True
    delay_before_seconds: float = 0.0
    delay_after_seconds: float = 0.0
    propagation_seconds: float = 0.0
    other_database_id: str | None = None
    reshape: Callable[[Answer], Answer] = field(default=_unchanged, repr=False)

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
        """Answer with a status instead of doing what was asked; with `applied`, after doing it.

        Args:
            status: Any HTTP status code.
            retry_after: Value of the Retry-After header, where there shall be one.
            body: Body instead of the usual `{"code": …, "message": …}`.
            content_type: Media type of `body`.
            applied: Whether the operation is carried out first.
        """
        if not 200 <= status <= 599:  # noqa: PLR2004 - what HTTP has for final answers
            raise ValueError(f"{status} is not the status of an answer")
        answer = problem_answer(status, f"made to answer {status} by the emulator")
        if body is not None:
            answer = replace(answer, body=body.encode(), content_type=content_type)
        if retry_after is not None:
            answer = replace(answer, headers={"Retry-After": str(retry_after)})
        return cls("status", applied=applied, reshape=lambda _: answer)

    @classmethod
    def delay(cls, seconds: float, *, applied: bool = False) -> Fault:
        """Answer rightly but late: waiting comes before the operation or, with `applied`, after."""
        if applied:
            return cls("delay", delay_after_seconds=float(seconds))
        return cls("delay", delay_before_seconds=float(seconds))

    @classmethod
    def closed(cls, *, applied: bool = False) -> Fault:
        """Close the connection without an answer, before or (`applied`) after the operation."""
        return cls(
            "closed", applied=applied, reshape=lambda answer: replace(answer, ending="closed")
        )

    @classmethod
    def cut_off(cls) -> Fault:
        """Carry the operation out, then break the connection in the middle of the body."""
        return cls(
            "cut_off",
            reshape=lambda answer: replace(
                answer, body=answer.body[: len(answer.body) // 2], ending="cut_off"
            ),
        )

    @classmethod
    def garbage(cls, body: bytes | str = b"\x00\xff not JSON") -> Fault:
        """Carry the operation out, then answer 200 with these bytes."""
        content = body.encode() if isinstance(body, str) else body
        return cls("garbage", reshape=lambda answer: replace(answer, status=200, body=content))

    @classmethod
    def body(cls, value: object) -> Fault:
        """Carry the operation out, then answer 200 with this JSON value, such as `None`."""
        return cls("body", reshape=lambda _: json_answer(value))

    @classmethod
    def without(cls, *fields: str) -> Fault:
        """Carry the operation out, then leave these fields out of the answer's object."""

        def reshape(answer: Answer) -> Answer:
            value = json.loads(answer.body)
            if not isinstance(value, dict):
                return answer
            kept = {name: item for name, item in value.items() if name not in fields}
            return json_answer(kept, answer.status)

        return cls("without", reshape=reshape)

    @classmethod
    def other_database(cls, database_id: str) -> Fault:
        """Carry the operation out, then answer with the description of another database."""
        return cls("other_database", other_database_id=database_id)

    @classmethod
    def slow_propagation(cls, seconds: float) -> Fault:
        """Answer a reset at once, but let the data plane follow only after a while."""
        return cls("slow_propagation", propagation_seconds=float(seconds))

    def suits(self, operation: str) -> bool:
        """Whether the fault means anything for an operation."""
        return operation == "reset" or not self.propagation_seconds


NO_FAULT: Final = Fault()


def fault_from_json(kind: object, arguments: dict[str, Any]) -> Fault:
    """Return the fault that a control request describes.

    Args:
        kind: One of `KINDS`.
        arguments: What the constructor takes, by name; `fields` for `without`.

    Raises:
        EmulatorError: There is no such kind, or it takes other arguments.
    """
    if kind not in KINDS:
        raise EmulatorError(f"no fault of kind {kind!r}; there are {', '.join(KINDS)}")
    constructor = getattr(Fault, str(kind))
    positional = arguments.pop("fields", []) if kind == "without" else []
    try:
        fault: Fault = constructor(*positional, **arguments)
    except (TypeError, ValueError, AttributeError):
        takes = inspect.signature(constructor)
        raise EmulatorError(f"a fault of kind {kind!r} takes {takes}") from None
    return fault


@dataclass
class _Planned:
    fault: Fault
    operation: Operation
    database_id: str | None
    remaining: int | None

    def hits(self, operation: str, database_id: str | None) -> bool:
        return (
            self.operation in ("any", operation)
            and self.database_id in (None, database_id)
            and self.fault.suits(operation)
        )


class FaultPlan:
    """The faults still to come, in the order in which they were planned."""

    def __init__(self) -> None:
        """Start without any."""
        self._planned: list[_Planned] = []

    def add(
        self, fault: Fault, operation: Operation, times: int | None, database_id: str | None
    ) -> None:
        """Plan a fault; see `Emulator.fault`."""
        if operation not in OPERATIONS:
            raise EmulatorError(f"no operation {operation!r}; there are {', '.join(OPERATIONS)}")
        if times is not None and times < 1:
            raise EmulatorError("times must be at least 1, or None for a fault without end")
        self._planned.append(_Planned(fault, operation, database_id, times))

    def take(self, operation: str, database_id: str | None) -> Fault:
        """Return the fault of this call and count it; `NO_FAULT` where none is planned."""
        for planned in self._planned:
            if planned.hits(operation, database_id):
                if planned.remaining is not None:
                    planned.remaining -= 1
                    if not planned.remaining:
                        self._planned.remove(planned)
                return planned.fault
        return NO_FAULT

    def clear(self) -> None:
        """Forget every fault."""
        self._planned.clear()
