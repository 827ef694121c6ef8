"""`Call`: the record of one request to the Developer API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request to the Developer API, and what became of it.

    Attributes:
        operation: `reset`, `get`, `list` or `auditlogs`; `unknown` for any other path.
        method: HTTP method.
        path: Path, without the query.
        database_id: The database in the path.
        status: Status of the response; None if the emulator closed the connection instead.
        user_agent: The client's User-Agent header.
        applied: Whether the emulator carried the operation out.
        fault: Kind of the fault that the request met, such as `closed`; `none` without one.
    """

    operation: str
    method: str
    path: str
    database_id: str | None
    status: int | None
    user_agent: str
    applied: bool
    fault: str = "none"
