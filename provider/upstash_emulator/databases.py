"""The account and its databases: state, and the rules of a reset."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .credentials import Credentials
from .errors import ApiProblem, EmulatorError

if TYPE_CHECKING:
    from .backend import Backend

AnswerShape = Literal["documented", "with_credentials"]
DatabaseState = Literal["active", "suspended"]


@dataclass(eq=False)
class Database:
    """One Redis database.

    Attributes:
        database_id: Its id, a UUID.
        name: Its name.
        tls: Whether Redis clients must come over TLS.
        endpoint: Host and port of its REST API.
        backend: Its data.
        credentials: What the account shows and a reset answers.
        accepted: What the data plane lets in; lags behind while a reset propagates.
        credential_protection: Whether credentials are shown by the reset that makes them only.
        state: Suspended databases cannot be reset.
        resets: How often its password has changed.
        created_at: Unix time.
    """

    name: str
    tls: bool
    endpoint: str
    backend: Backend = field(repr=False)
    credentials: Credentials = field(repr=False)
    database_id: str
    credential_protection: bool = False
    state: DatabaseState = "active"
    resets: int = 0
    created_at: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        """Let the first credentials in."""
        self.accepted = self.credentials
        self._changing = asyncio.Lock()
        self._propagation: asyncio.Task[None] | None = None

    async def reset(self, propagation_seconds: float = 0.0) -> None:
        """Replace all credentials; the data plane follows at once or after a while."""
        async with self._changing:
            await self._cancel_propagation()
            credentials = Credentials.generate()
            if propagation_seconds:
                task = asyncio.create_task(self._propagate(credentials, propagation_seconds))
                self._propagation = task
            else:
                await self._accept_only(credentials)
            self.credentials = credentials
            self.resets += 1

    async def restore(self) -> bool:
        """Be like a new database with the same id; False where that is no longer possible."""
        try:
            async with self._changing:
                await self._cancel_propagation()
                await self._accept_only(self.credentials)
            await self.backend.bring_online()
            await self.backend.wipe()
        except EmulatorError:
            return False
        self.state = "active"
        self.credential_protection = False
        return True

    async def stop(self) -> None:
        """Leave nothing behind."""
        await self._cancel_propagation()
        await self.backend.stop()

    async def _propagate(self, credentials: Credentials, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._accept_only(credentials)

    async def _accept_only(self, credentials: Credentials) -> None:
        await self.backend.accept_only(credentials)
        self.accepted = credentials

    async def _cancel_propagation(self) -> None:
        if self._propagation is not None:
            self._propagation.cancel()
            with suppress(asyncio.CancelledError):
                await self._propagation
            self._propagation = None


@dataclass
class Account:
    """An Upstash account.

    Attributes:
        email: User name of the Developer API.
        api_key: Password of the Developer API.
        read_only_api_key: Another one, refused on writes.
        answer: Whether a reset's answer carries credentials.
        show_credentials_on_get: Whether `GET /v2/redis/database/{id}` may carry them.
        databases: By id, in the order of their creation.
        audit_log: What was done, newest first.
    """

    email: str
    api_key: str = field(repr=False)
    read_only_api_key: str = field(repr=False)
    answer: AnswerShape = "documented"
    show_credentials_on_get: bool = True
    databases: dict[str, Database] = field(default_factory=dict)
    audit_log: list[dict[str, object]] = field(default_factory=list, repr=False)

    def database(self, database_id: str) -> Database:
        """Return a database.

        Raises:
            ApiProblem: There is none with this id.
        """
        try:
            return self.databases[database_id]
        except KeyError:
            raise ApiProblem(404, "database not found") from None

    async def reset(
        self, database_id: str, *, source: str, ip: str, propagation_seconds: float = 0.0
    ) -> Database:
        """Reset a database's password and note it in the audit log.

        Raises:
            ApiProblem: There is no such database, or it is suspended.
        """
        database = self.database(database_id)
        if database.state == "suspended":
            raise ApiProblem(
                400, f"database {database.name} is suspended; its password cannot be reset"
            )
        await database.reset(propagation_seconds)
        self.audit_log.insert(0, _audit_entry(self.email, database.name, source, ip))
        return database


_AUDIT_LOG_SECONDS = 7 * 24 * 3600
"""How long an entry is kept on the free plan."""
_RESET_ACTION = 8
"""No source tells the number of this action; any will do."""


def _audit_entry(email: str, name: str, source: str, ip: str) -> dict[str, object]:
    now = int(time.time())
    return {
        "log_id": str(uuid.uuid4()),
        "customer_id": email,
        "actor": email,
        "timestamp": now,
        "action": _RESET_ACTION,
        "action_string": "Reset Database Password",
        "source": source,
        "entity": name,
        "secondary_entity": "NA",
        "third_entity": "",
        "readable_format": "",
        "ip": ip,
        "ttl": now + _AUDIT_LOG_SECONDS,
        "reason": "",
        "notes": "",
    }
