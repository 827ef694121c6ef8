"""`Call`: the record of one request to the Developer API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request to the Developer API, and its outcome.

    Attributes:
        operation: `reset`, `get`, `list` or `auditlogs`; `unknown` for any other path.
        method: HTTP method.
        path: Path, without the query.
        database_id: The database in the path.
        status: Status of the response; None if the emulator closed the connection instead.
        user_agent: The client's User-Agent header.
        applied: Whether the emulator applied the operation.
        fault: Kind of the request's fault, such as `closed`, or `none`.
    """

    operation: str
    method: str
    path: str
    database_id: str | None
    status: int | None
    user_agent: str
    applied: bool
    fault: str = "none"
