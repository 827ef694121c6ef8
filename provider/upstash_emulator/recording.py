"""What was asked of the Developer API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One call of the Developer API.

    Attributes:
        operation: `reset`, `get`, `list` or `auditlogs`; `unknown` for any other path.
        method: HTTP method.
        path: Path, without the query.
        database_id: The database in the path.
        status: Status of the answer; None where the connection was closed instead.
        user_agent: What the client calls itself.
        applied: Whether the operation was carried out.
        fault: Kind of the fault that it met, such as `closed`; `none`.
    """

    operation: str
    method: str
    path: str
    database_id: str | None
    status: int | None
    user_agent: str
    applied: bool
    fault: str = "none"


class Recorder:
    """Everything that was asked so far.

    Attributes:
        calls: The calls, in the order of their answers.
        connections: How many TCP connections were accepted.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.calls: list[Call] = []
        self.connections = 0

    def clear(self) -> None:
        """Forget everything."""
        self.calls.clear()
        self.connections = 0
