"""`Emulator`: the whole emulator as one object that tests start, control and inspect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .emulated_account import EmulatedAccount
from .emulated_database import EmulatedDatabase
from .errors import EmulatorError
from .server.loop_thread import LoopThread
from .server.server import Server
from .simulation.simulation import Options, Settings, Simulation

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from .calls import Call
    from .faults import Fault, Operation
    from .simulation.redis import RedisDatabase
    from .simulation.simulation import ResetResponse


class Emulator:
    """A local emulator of Upstash, with its Developer API, REST API and real Redis servers.

    It is a context manager. Any thread may use it.
    """

    def __init__(  # noqa: PLR0913 - each has a default that suits most tests
        self,
        *,
        databases: int = 1,
        latency_seconds: float = 0.0,
        requests_per_second: int = 0,
        redis_servers: bool = True,
        tls: bool = True,
        reset_response: ResetResponse = "documented",
        show_credentials_on_get: bool = True,
        reset_spares_acl_users: bool = True,
        removed_token_disconnects: bool = False,
        acl_digests_are_of_tokens: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        email: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """Configure an emulator. `start()` or a `with` statement starts it.

        Args:
            databases: Number of databases at the start.
            latency_seconds: Minimum time for a response of the Developer API, in seconds.
            requests_per_second: Limit of the Developer API. It rejects other requests with 429. 0
                means no limit.
            redis_servers: Whether a redis-server runs for each database. Without them only the
                Developer API and REST `PING` work, for fleets of any size.
            tls: Whether Redis clients connect with TLS, as at Upstash. REST clients always do.
            reset_response: `documented` returns no credentials. `with_credentials` returns them, as
                the API did until 2025.
            show_credentials_on_get: Whether `GET /v2/redis/database/{id}` returns credentials.
            reset_spares_acl_users: Whether a reset leaves the tokens of ACL users valid. The
                documentation of Upstash leaves that open. With `False` it removes all of them.
            removed_token_disconnects: Whether an ACL user loses its open connections if one of its
                passwords is removed. The documentation of Upstash leaves that open too.
            acl_digests_are_of_tokens: Whether the digests of passwords in ACL commands are the
                SHA-256 digests of the tokens. That is open too. With `False` they are others.
            host: Host of the Developer API.
            port: Port of the Developer API. 0 for any free one.
            email: User name of the Developer API. By default developer@example.com.
            api_key: Password of the Developer API. By default a random one.

        Raises:
            EmulatorError: There is no such response to a reset.
        """
        given = {"email": email, "api_key": api_key}
        self._simulation = Simulation(
            Options(
                databases=databases,
                redis_servers=redis_servers,
                tls=tls,
                settings=Settings(
                    reset_response=reset_response,
                    show_credentials_on_get=show_credentials_on_get,
                    latency_seconds=latency_seconds,
                    requests_per_second=requests_per_second,
                    reset_spares_acl_users=reset_spares_acl_users,
                    removed_token_disconnects=removed_token_disconnects,
                    acl_digests_are_of_tokens=acl_digests_are_of_tokens,
                ),
                **{name: value for name, value in given.items() if value is not None},
            )
        )
        self._server = Server(self._simulation, host, port)
        self._thread: LoopThread | None = None

    def start(self) -> None:
        """Start, once.

        Raises:
            EmulatorError: The port is taken, or there is no usable redis-server.
        """
        if self._thread is not None:
            raise EmulatorError("an emulator starts only once")
        self._thread = LoopThread()
        try:
            self._thread.run(self._server.start())
        except BaseException:
            self._thread.stop()
            raise

    def stop(self) -> None:
        """Stop, and leave no process and no file. `calls` stays readable."""
        if self._thread is not None and self._thread.is_running:
            try:
                self._thread.run(self._server.stop())
            finally:
                self._thread.stop()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def __repr__(self) -> str:
        """Return a text with its URL and without credentials."""
        if self._thread is None:
            return "<Emulator, not started>"
        return f"<Emulator {self.url} with {len(self.databases)} databases>"

    @property
    def url(self) -> str:
        """Base URL of the Developer API."""
        return self._server.url

    @property
    def email(self) -> str:
        """User name of the Developer API."""
        return self._simulation.account.email

    @property
    def api_key(self) -> str:
        """Password of the Developer API."""
        return self._simulation.account.api_key

    @property
    def read_only_api_key(self) -> str:
        """A read-only password of the Developer API. The API rejects resets with it."""
        return self._simulation.account.read_only_api_key

    @property
    def ca_bundle(self) -> Path:
        """PEM file for clients to trust, with the authorities of the emulator and the machine."""
        return self._simulation.certificates.bundle

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point a program at this emulator."""
        return {
            "UPSTASH_EMAIL": self.email,
            "UPSTASH_API_KEY": self.api_key,
            "UPSTASH_API_URL": self.url,
            "SSL_CERT_FILE": str(self.ca_bundle),
        }

    @property
    def databases(self) -> list[EmulatedDatabase]:
        """The databases of all accounts, in the order of their creation."""
        return [self._handle(each) for each in tuple(self._simulation.databases.values())]

    @property
    def calls(self) -> list[Call]:
        """The requests to the Developer API so far, in the order of their responses.

        Each ACL command over REST is a call too.
        """
        return list(self._simulation.calls)

    @property
    def connections(self) -> int:
        """How many TCP connections the Developer API has accepted."""
        return self._simulation.connections

    @property
    def resets(self) -> int:
        """Number of resets of all databases."""
        return sum(database.resets for database in self.databases)

    @property
    def reset_response(self) -> ResetResponse:
        """Response to a reset. It may be set."""
        return self._simulation.settings.reset_response

    @reset_response.setter
    def reset_response(self, response: ResetResponse) -> None:
        self._change_settings(reset_response=response)

    @property
    def show_credentials_on_get(self) -> bool:
        """Whether `GET /v2/redis/database/{id}` returns credentials. It may be set."""
        return self._simulation.settings.show_credentials_on_get

    @show_credentials_on_get.setter
    def show_credentials_on_get(self, on: bool) -> None:
        self._change_settings(show_credentials_on_get=on)

    @property
    def latency_seconds(self) -> float:
        """Minimum time for a response of the Developer API, in seconds. It may be set."""
        return self._simulation.settings.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self._change_settings(latency_seconds=seconds)

    @property
    def requests_per_second(self) -> int:
        """Limit of the Developer API. 0 means no limit. It may be set."""
        return self._simulation.settings.requests_per_second

    @requests_per_second.setter
    def requests_per_second(self, number: int) -> None:
        self._change_settings(requests_per_second=number)

    @property
    def reset_spares_acl_users(self) -> bool:
        """Whether a reset leaves the tokens of ACL users valid. It may be set."""
        return self._simulation.settings.reset_spares_acl_users

    @reset_spares_acl_users.setter
    def reset_spares_acl_users(self, on: bool) -> None:
        self._change_settings(reset_spares_acl_users=on)

    @property
    def removed_token_disconnects(self) -> bool:
        """Whether the removal of a password disconnects its ACL user. It may be set."""
        return self._simulation.settings.removed_token_disconnects

    @removed_token_disconnects.setter
    def removed_token_disconnects(self, on: bool) -> None:
        self._change_settings(removed_token_disconnects=on)

    @property
    def acl_digests_are_of_tokens(self) -> bool:
        """Whether ACL commands have the SHA-256 digests of the tokens. It may be set."""
        return self._simulation.settings.acl_digests_are_of_tokens

    @acl_digests_are_of_tokens.setter
    def acl_digests_are_of_tokens(self, on: bool) -> None:
        self._change_settings(acl_digests_are_of_tokens=on)

    def add_account(self, email: str | None = None, api_key: str | None = None) -> EmulatedAccount:
        """Add another account. It has no databases, and does not see those of other accounts.

        Args:
            email: User name of the Developer API. By default a numbered one.
            api_key: Password of the Developer API. By default a random one.

        Raises:
            EmulatorError: There is an account with this e-mail.
        """
        self._running()
        account = self._simulation.add_account(email, api_key)
        ours = {"UPSTASH_EMAIL": account.email, "UPSTASH_API_KEY": account.api_key}
        return EmulatedAccount(account.email, account.api_key, {**self.environment, **ours})

    def add_database(
        self,
        name: str | None = None,
        *,
        tls: bool | None = None,
        credential_protection: bool = False,
        account: EmulatedAccount | None = None,
    ) -> EmulatedDatabase:
        """Start another database.

        Args:
            name: Name of the database. By default a numbered one.
            tls: Whether Redis clients connect with TLS. By default as for the other databases.
            credential_protection: Whether only the response to a reset has credentials.
            account: The account that owns it. By default the emulator's first one.

        Raises:
            EmulatorError: The account is gone.
        """
        return self._handle(
            self._running().run(
                self._simulation.add_database(
                    name=name,
                    tls=tls,
                    credential_protection=credential_protection,
                    account=account.email if account else None,
                )
            )
        )

    def fault(
        self,
        fault: Fault,
        *,
        operation: Operation = "any",
        times: int | None = 1,
        database_id: str | None = None,
    ) -> None:
        """Plan a fault for coming requests to the Developer API or for ACL commands over REST.

        Each request meets the first fault that is planned for it. The fault is then used up, even
        if the API rejects the request, for example for a wrong API key.

        Args:
            fault: The fault.
            operation: Only requests of this operation meet it. `any` for all operations.
            times: Number of requests that meet it. None for all requests until `clear()`.
            database_id: Only requests for this database meet it. None for all databases.

        Raises:
            EmulatorError: No request could ever meet the fault.
        """
        self._simulation.plan_fault(fault, operation, times, database_id)

    def clear(self, *, restore: bool = False) -> None:
        """Delete calls, faults and audit logs, and count resets and connections from zero.

        Args:
            restore: Also undo every other change. Accounts, databases and settings are then those
                from the start. Each database is active, reachable and empty.
        """
        self._running().run(self._simulation.clear(restore=restore))

    def _change_settings(self, **changes: Any) -> None:  # noqa: ANN401 - of each setting's type
        self._simulation.settings = replace(self._simulation.settings, **changes)

    def _handle(self, database: RedisDatabase) -> EmulatedDatabase:
        return EmulatedDatabase(database, self._simulation, self._running())

    def _running(self) -> LoopThread:
        if self._thread is None:
            raise EmulatorError("the emulator is not started")
        return self._thread
