"""`Emulator`: the whole emulator as one object that tests start, steer and question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .emulated_database import EmulatedDatabase
from .errors import EmulatorError
from .loop_thread import LoopThread
from .service import Options, Service

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from .databases import AnswerShape, Database
    from .faults import Fault, Operation
    from .recording import Call


class Emulator:
    """A local stand-in for Upstash: Developer API, REST API and real Redis servers.

    A context manager; every part of it may be used from any thread.
    """

    def __init__(  # noqa: PLR0913 - each has a default that suits most tests
        self,
        *,
        databases: int = 1,
        latency_seconds: float = 0.0,
        requests_per_second: int = 0,
        redis_servers: bool = True,
        tls: bool = True,
        answer: AnswerShape = "documented",
        show_credentials_on_get: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        email: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """Set an emulator up; `start` or a `with` statement starts it.

        Args:
            databases: How many databases there are from the start.
            latency_seconds: How long every answer of the Developer API takes at least.
            requests_per_second: How many requests the Developer API lets through in a second, the
                others being answered 429; 0 for any number.
            redis_servers: Whether real redis-servers stand behind the databases; without them
                only the Developer API and REST `PING` work, for fleets of any size.
            tls: Whether Redis is reached over TLS, as real databases are; REST always is.
            answer: Whether a reset's answer is as documented, without credentials, or as it was
                before, `with_credentials`.
            show_credentials_on_get: Whether `GET /v2/redis/database/{id}` shows credentials.
            host: Where the Developer API listens.
            port: Its port; 0 for any free one.
            email: Its user name; made up by default.
            api_key: Its password; made up by default.
        """
        given = {"email": email, "api_key": api_key}
        self._service = Service(
            Options(
                databases=databases,
                latency_seconds=latency_seconds,
                requests_per_second=requests_per_second,
                redis_servers=redis_servers,
                tls=tls,
                answer=answer,
                show_credentials_on_get=show_credentials_on_get,
                host=host,
                port=port,
                **{name: value for name, value in given.items() if value is not None},
            )
        )
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
            self._thread.run(self._service.start())
        except BaseException:
            self._thread.stop()
            raise

    def stop(self) -> None:
        """Stop, and leave no process and no file behind; what was recorded stays readable."""
        if self._thread is not None and self._thread.is_running:
            try:
                self._thread.run(self._service.stop())
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
        """Say where it listens; no credentials."""
        if self._thread is None:
            return "<Emulator, not started>"
        return f"<Emulator {self.url} with {len(self.databases)} databases>"

    @property
    def url(self) -> str:
        """Base URL of the Developer API."""
        return self._service.url

    @property
    def email(self) -> str:
        """User name of the Developer API."""
        return self._service.account.email

    @property
    def api_key(self) -> str:
        """Password of the Developer API."""
        return self._service.account.api_key

    @property
    def read_only_api_key(self) -> str:
        """Another password of the Developer API, refused on resets."""
        return self._service.account.read_only_api_key

    @property
    def ca_bundle(self) -> Path:
        """PEM file for clients to trust: the emulator's authority and this machine's usual ones."""
        return self._service.certificates.bundle

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
        """The databases, in the order of their creation."""
        return [self._handle(each) for each in tuple(self._service.account.databases.values())]

    @property
    def calls(self) -> list[Call]:
        """The calls of the Developer API so far, in the order of their answers."""
        return list(self._service.recorder.calls)

    @property
    def connections(self) -> int:
        """How many TCP connections the Developer API has accepted."""
        return self._service.recorder.connections

    @property
    def resets(self) -> int:
        """How often a password has changed, over all databases."""
        return sum(database.resets for database in self.databases)

    @property
    def answer(self) -> AnswerShape:
        """Shape of a reset's answer; may be set."""
        return self._service.account.answer

    @answer.setter
    def answer(self, shape: AnswerShape) -> None:
        self._service.change_settings(answer=shape)

    @property
    def show_credentials_on_get(self) -> bool:
        """Whether `GET /v2/redis/database/{id}` shows credentials; may be set."""
        return self._service.account.show_credentials_on_get

    @show_credentials_on_get.setter
    def show_credentials_on_get(self, on: bool) -> None:
        self._service.change_settings(show_credentials_on_get=on)

    @property
    def latency_seconds(self) -> float:
        """How long every answer of the Developer API takes at least; may be set."""
        return self._service.control_plane.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self._service.change_settings(latency_seconds=seconds)

    @property
    def requests_per_second(self) -> int:
        """How many requests the Developer API lets through in a second; 0 for any; may be set."""
        return self._service.control_plane.requests_per_second

    @requests_per_second.setter
    def requests_per_second(self, number: int) -> None:
        self._service.change_settings(requests_per_second=number)

    def add_database(
        self,
        name: str | None = None,
        *,
        tls: bool | None = None,
        credential_protection: bool = False,
    ) -> EmulatedDatabase:
        """Start another database.

        Args:
            name: Its name; a numbered one by default.
            tls: Whether it is reached over TLS; by default like the others.
            credential_protection: Whether credentials are shown only by the reset that makes them.
        """
        return self._handle(
            self._running().run(
                self._service.add_database(
                    name=name, tls=tls, credential_protection=credential_protection
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
        """Make coming calls go wrong.

        A call takes the first fault that was planned for it. One that is refused anyway, with a
        wrong API key for instance, uses it up all the same.

        Args:
            fault: What happens.
            operation: To which operation; `any` for all of them.
            times: To how many calls; None for all of them until `clear`.
            database_id: Only to calls about this database.
        """
        self._service.plan(fault, operation, times, database_id)

    def clear(self, *, restore: bool = False) -> None:
        """Forget calls, faults and the audit log, and count resets and connections from zero.

        Args:
            restore: Also undo what was steered: there are as many databases as at the start,
                active, reachable and empty, and answers are as they were set up.
        """
        self._running().run(self._service.clear(restore=restore))

    def _handle(self, database: Database) -> EmulatedDatabase:
        return EmulatedDatabase(database, self._service, self._running())

    def _running(self) -> LoopThread:
        if self._thread is None:
            raise EmulatorError("the emulator is not started")
        return self._thread
