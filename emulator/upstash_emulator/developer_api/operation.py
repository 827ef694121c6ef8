"""`Operation`: one operation of the Developer API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from upstash_emulator.faults import Fault
    from upstash_emulator.responses import Response
    from upstash_emulator.simulation.account import Account


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: Its name in recorded calls and planned faults.
        method: Its HTTP method; `*` for any.
        path: Its path; `{id}` stands for the id of a database.
        perform: Applies the operation for an account and returns the right response. A fault may
            change it later.
    """

    name: str
    method: str
    path: str
    perform: Callable[[web.Request, Account, Fault], Awaitable[Response]]
