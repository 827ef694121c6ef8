"""`Call`: the record of one request to the Developer API, or of one ACL command over REST."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request to the Developer API or one ACL command over REST, and its outcome.

    Attributes:
        operation: `reset`, `get`, `list` or `auditlogs`; `acl` and the subcommand, such as
            `acl setuser`; `unknown` for all others.
        method: HTTP method.
        path: Path, without the query. The path of an ACL command ends after its name.
        database_id: The database in the path, or that of the token.
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
