"""`FaultPlan`: decides which fault a request to the Developer API meets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from upstash_emulator.errors import EmulatorError
from upstash_emulator.faults import NO_FAULT, OPERATIONS

if TYPE_CHECKING:
    from upstash_emulator.faults import Fault, Operation


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
            and (operation == "reset" or not self.fault.concerns_resets_only)
        )


class FaultPlan:
    """The planned faults, in the order of their planning."""

    def __init__(self) -> None:
        """Start without any."""
        self._planned: list[_Planned] = []

    def add(
        self, fault: Fault, operation: Operation, times: int | None, database_id: str | None
    ) -> None:
        """Plan a fault; see `Emulator.fault`.

        Raises:
            EmulatorError: There is no such operation, or `times` is below 1.
        """
        if operation not in OPERATIONS:
            raise EmulatorError(f"no operation {operation!r}; there are {', '.join(OPERATIONS)}")
        if times is not None and times < 1:
            raise EmulatorError("times must be at least 1, or None for a fault without end")
        self._planned.append(_Planned(fault, operation, database_id, times))

    def take(self, operation: str, database_id: str | None) -> Fault:
        """Return the fault for one request and count it. `NO_FAULT` if none is planned."""
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
