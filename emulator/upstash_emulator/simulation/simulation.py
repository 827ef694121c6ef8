"""`Simulation`: the simulated Upstash behind the APIs. It runs in one event loop."""

from __future__ import annotations

import asyncio
import secrets
import socket
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from upstash_emulator.errors import EmulatorError, RejectedError
from upstash_emulator.faults import NO_FAULT
from upstash_emulator.redis_processes.backend import Backend, MemoryBackend
from upstash_emulator.redis_processes.binary import find_redis_binary
from upstash_emulator.redis_processes.reaper import Reaper
from upstash_emulator.redis_processes.redis_server import RedisServer
from upstash_emulator.redis_processes.tls import Certificates

from .account import Account
from .fault_plan import FaultPlan
from .redis import Credentials, RedisDatabase

if TYPE_CHECKING:
    from upstash_emulator.calls import Call
    from upstash_emulator.faults import Fault, Operation
    from upstash_emulator.redis_processes.backend import Command

ResetResponse = Literal["documented", "with_credentials"]

_STARTS_AT_ONCE: Final = 8
_FIRST_ID: Final = "96ad0856-03b1-4ee7-9666-e81abd0349e1"
"""Id of the first database, from Upstash's documentation. Examples can use it."""


def _random_key(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class Settings:
    """Settings of the APIs. They may change while the emulator runs. See `Emulator`."""

    reset_response: ResetResponse = "documented"
    show_credentials_on_get: bool = True
    latency_seconds: float = 0.0
    requests_per_second: int = 0
    reset_spares_acl_users: bool = True
    removed_token_disconnects: bool = False
    acl_digests_are_of_tokens: bool = True

    def __post_init__(self) -> None:
        """Check `reset_response`."""
        if self.reset_response not in get_args(ResetResponse):
            raise EmulatorError(
                f"the response to a reset must be one of {', '.join(get_args(ResetResponse))}"
            )


@dataclass(frozen=True)
class Options:
    """Options of an emulator. See `Emulator`."""

    databases: int = 1
    redis_servers: bool = True
    tls: bool = True
    settings: Settings = field(default_factory=Settings)
    email: str = "developer@example.com"
    api_key: str = field(default_factory=lambda: _random_key("emulator"), repr=False)
    read_only_api_key: str = field(default_factory=lambda: _random_key("readonly"), repr=False)


class Simulation:
    """The account, its databases, planned faults, settings and recorded calls.

    Attributes:
        options: The options at the start.
        settings: The current settings of the APIs.
        account: The account of the first databases.
        accounts: All accounts by e-mail.
        databases: The Redis databases of all accounts by id, in the order of their creation.
        faults: The planned faults.
        calls: The requests to the Developer API and the ACL commands over REST, in the order of
            their responses.
        connections: Number of TCP connections that the Developer API has accepted.
        certificates: Certificates of Redis and REST, which clients must trust.
    """

    certificates: Certificates

    def __init__(self, options: Options) -> None:
        """Start nothing yet."""
        self.options = options
        self.settings = options.settings
        self.account = Account(options.email, options.api_key, options.read_only_api_key)
        self.accounts = {self.account.email: self.account}
        self.databases: dict[str, RedisDatabase] = {}
        self.faults = FaultPlan()
        self.calls: list[Call] = []
        self.connections = 0
        self._initial = {
            _FIRST_ID if number == 1 else str(uuid.uuid4()): f"database-{number}"
            for number in range(1, options.databases + 1)
        }
        self._numbers = count(options.databases + 1)
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def start(self) -> None:
        """Make the certificates, and get ready to start databases."""
        async with AsyncExitStack() as stack:
            self._reaper = await Reaper.start()
            stack.push_async_callback(self._reaper.stop)
            self.certificates = Certificates(self._reaper.folder)
            self._unused_port = stack.enter_context(_unused_port())
            stack.push_async_callback(self._stop_databases)
            self._stack = stack.pop_all()

    async def start_databases(self, rest_endpoint: str) -> None:
        """Start the initial databases.

        Args:
            rest_endpoint: Host and port of the REST API, the same for every database.

        Raises:
            EmulatorError: No usable redis-server was found, or one of them did not start.
        """
        self._rest_endpoint = rest_endpoint
        await self._add_initial_databases()

    async def stop(self) -> None:
        """Stop every database, and leave no process and no file behind."""
        await self._stack.aclose()

    def database(self, database_id: str) -> RedisDatabase:
        """Return a database.

        Raises:
            RejectedError: No database has this id.
        """
        try:
            return self.databases[database_id]
        except KeyError:
            raise RejectedError(404, "database not found") from None

    def add_account(self, email: str | None = None, api_key: str | None = None) -> Account:
        """Add an account without databases; see `Emulator.add_account`.

        Raises:
            EmulatorError: There is an account with this e-mail.
        """
        email = email or f"developer-{len(self.accounts) + 1}@example.com"
        added = Account(email, api_key or _random_key("emulator"), _random_key("readonly"))
        if email in self.accounts:
            raise EmulatorError(f"there is an account {email} already")
        self.accounts[email] = added
        return added

    async def add_database(
        self,
        *,
        name: str | None,
        tls: bool | None,
        credential_protection: bool,
        account: str | None = None,
    ) -> RedisDatabase:
        """Start a database; see `Emulator.add_database`.

        Raises:
            EmulatorError: There is no such account.
        """
        owner = self.account.email if account is None else account
        if owner not in self.accounts:
            raise EmulatorError(f"there is no account {owner}")
        name = name or f"database-{next(self._numbers)}"
        database = await self._new_database(name, str(uuid.uuid4()), tls=tls, owner=owner)
        database.credential_protection = credential_protection
        self.databases[database.database_id] = database
        return database

    async def delete_database(self, database: RedisDatabase) -> None:
        """Remove a database and stop its backend."""
        self.databases.pop(database.database_id, None)
        await database.stop()

    async def reset(
        self, database: RedisDatabase, *, source: str, ip: str, fault: Fault = NO_FAULT
    ) -> None:
        """Reset a database's password and add the reset to the audit log.

        Args:
            database: The database.
            source: Origin of the request, for the audit log.
            ip: The client's address.
            fault: May delay when Redis, REST and reads follow.

        Raises:
            RejectedError: The database is suspended.
            EmulatorError: Its redis-server has ended.
        """
        await database.reset(fault, spares_acl_users=self.settings.reset_spares_acl_users)
        self.accounts[database.owner].log_reset(database.name, source=source, ip=ip)

    async def run_acl(self, database: RedisDatabase, command: Command) -> Any:  # noqa: ANN401 - any reply
        """Run an ACL command with the permissions of a database's Standard token.

        Raises:
            CommandError: The command was rejected, and nothing has changed.
            EmulatorError: The redis-server has ended.
        """
        return await database.acl.run(
            command,
            removal_disconnects=self.settings.removed_token_disconnects,
            digests_are_of_tokens=self.settings.acl_digests_are_of_tokens,
        )

    async def reset_in_console(self, database: RedisDatabase, fault: Fault = NO_FAULT) -> None:
        """Reset a database's password as a user does in the web console."""
        await self.reset(database, source="console", ip="127.0.0.1", fault=fault)

    def plan_fault(
        self, fault: Fault, operation: Operation, times: int | None, database_id: str | None
    ) -> None:
        """Plan a fault; see `Emulator.fault`.

        Raises:
            EmulatorError: The fault could never hit.
        """
        for needed in {fault.other_database_id, database_id} - {None}:
            if needed not in self.databases:
                raise EmulatorError(f"there is no database {needed}")
        self.faults.add(fault, operation, times, database_id)

    async def clear(self, *, restore: bool) -> None:
        """Delete recorded calls, those in flight too, and planned faults. See `Emulator.clear`."""
        self.faults.clear()
        self.calls = []
        self.connections = 0
        for account in self.accounts.values():
            account.admitted.clear()
            account.audit_log.clear()
        for database in self.databases.values():
            database.resets = 0
        if restore:
            await self._restore()

    async def _restore(self) -> None:
        self.settings = self.options.settings
        for database in tuple(self.databases.values()):
            usable = database.database_id in self._initial and await database.restore()
            if not usable:
                await self.delete_database(database)
        self.accounts = {self.account.email: self.account}
        await self._add_initial_databases()

    async def _add_initial_databases(self) -> None:
        """Start the initial databases that are missing. Keep the order."""
        known = self.databases
        missing = [item for item in self._initial.items() if item[0] not in known]
        started = await asyncio.gather(
            *(self._new_database(name, id_) for id_, name in missing), return_exceptions=True
        )
        new = {each.database_id: each for each in started if isinstance(each, RedisDatabase)}
        self.databases = {
            id_: database for id_ in self._initial if (database := known.get(id_) or new.get(id_))
        }
        for failure in started:
            if isinstance(failure, BaseException):
                raise failure

    async def _new_database(
        self, name: str, database_id: str, *, tls: bool | None = None, owner: str | None = None
    ) -> RedisDatabase:
        tls = self.options.tls if tls is None else tls
        credentials = Credentials.generate()
        async with self._starts:
            return RedisDatabase(
                name=name,
                tls=tls,
                endpoint=self._rest_endpoint,
                backend=await self._new_backend(name, credentials, tls=tls),
                credentials=credentials,
                database_id=database_id,
                owner=owner or self.account.email,
            )

    async def _new_backend(self, name: str, credentials: Credentials, *, tls: bool) -> Backend:
        if not self.options.redis_servers:
            return MemoryBackend(self._unused_port.getsockname()[1])
        certificates = self.certificates if tls else None
        return await RedisServer.start(
            name, credentials.redis_users(), find_redis_binary(), self._reaper, certificates
        )

    async def _stop_databases(self) -> None:
        await asyncio.gather(*(database.stop() for database in self.databases.values()))


def _unused_port() -> socket.socket:
    """Return a bound socket that does not listen, so that its port refuses connections."""
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    return reserved
