"""What a test holds of one database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .databases import Database
    from .loop_thread import LoopThread
    from .service import Service


class EmulatedDatabase:
    """A database of the emulator, as its owner knows it; may be used from any thread."""

    def __init__(self, database: Database, service: Service, thread: LoopThread) -> None:
        """Use `Emulator.databases` or `Emulator.add_database` instead."""
        self._database = database
        self._service = service
        self._thread = thread

    def __repr__(self) -> str:
        """Say which database it is; no credentials."""
        return f"<EmulatedDatabase {self.name} {self.id} port={self.port} {self.state}>"

    def __eq__(self, other: object) -> bool:
        """Whether it is the same database."""
        return isinstance(other, EmulatedDatabase) and self._database is other._database

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._database)

    @property
    def id(self) -> str:
        """The database id, a UUID."""
        return self._database.database_id

    @property
    def name(self) -> str:
        """The database name."""
        return self._database.name

    @property
    def password(self) -> str:
        """The password that the last reset made."""
        return self._database.credentials.password

    @property
    def rest_token(self) -> str:
        """The standard REST token that the last reset made."""
        return self._database.credentials.rest_token

    @property
    def read_only_rest_token(self) -> str:
        """The read-only REST token that the last reset made."""
        return self._database.credentials.read_only_rest_token

    @property
    def tls(self) -> bool:
        """Whether Redis is served over TLS; REST always is."""
        return self._database.tls

    @property
    def port(self) -> int:
        """The Redis port, on 127.0.0.1."""
        return self._database.backend.port

    @property
    def endpoint(self) -> str:
        """Host and port of the REST API."""
        return self._database.endpoint

    @property
    def url(self) -> str:
        """Redis URL without credentials, such as `rediss://127.0.0.1:40123`."""
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        """Base URL of the REST API."""
        return f"https://{self.endpoint}"

    @property
    def state(self) -> str:
        """`active` or `suspended`."""
        return self._database.state

    @property
    def resets(self) -> int:
        """How often the password has changed since the start or the last `Emulator.clear`."""
        return self._database.resets

    @property
    def credential_protection(self) -> bool:
        """Whether credentials are shown only by the reset that makes them; may be set."""
        return self._database.credential_protection

    @credential_protection.setter
    def credential_protection(self, on: bool) -> None:
        self._database.credential_protection = on

    def reset_in_console(self) -> None:
        """Change the password as a person does in the web console, past the Developer API."""
        self._thread.run(self._service.reset_in_console(self._database))

    def suspend(self) -> None:
        """Have resets refused."""
        self._database.state = "suspended"

    def resume(self) -> None:
        """Have resets applied again."""
        self._database.state = "active"

    def take_offline(self) -> None:
        """Make the data plane unreachable: Redis refuses connections, REST closes them."""
        self._thread.run(self._database.backend.take_offline())

    def bring_online(self) -> None:
        """Make the data plane reachable again, on the same ports."""
        self._thread.run(self._database.backend.bring_online())

    def delete(self) -> None:
        """Delete the database: its id is unknown from now on and its Redis is gone."""
        self._thread.run(self._service.delete_database(self._database))
