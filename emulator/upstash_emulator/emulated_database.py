"""`EmulatedDatabase`: one database of the emulator, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .faults import NO_FAULT
from .redis_rest.commands import to_json

if TYPE_CHECKING:
    from .acl_user import AclUser
    from .faults import Fault
    from .server.loop_thread import LoopThread
    from .simulation.redis import RedisDatabase
    from .simulation.simulation import Simulation


class EmulatedDatabase:
    """A database of the emulator, with its credentials. Any thread may use it."""

    def __init__(self, database: RedisDatabase, simulation: Simulation, thread: LoopThread) -> None:
        """Use `Emulator.databases` or `Emulator.add_database` instead."""
        self._database = database
        self._simulation = simulation
        self._thread = thread

    def __repr__(self) -> str:
        """Return a text that names the database, without credentials."""
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
        """The password from the last reset."""
        return self._database.credentials.password

    @property
    def rest_token(self) -> str:
        """The standard REST token from the last reset."""
        return self._database.credentials.rest_token

    @property
    def read_only_rest_token(self) -> str:
        """The read-only REST token from the last reset."""
        return self._database.credentials.read_only_rest_token

    @property
    def tls(self) -> bool:
        """Whether Redis clients connect with TLS. REST clients always do."""
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
        """Number of resets since the start or the last `Emulator.clear`."""
        return self._database.resets

    @property
    def credential_protection(self) -> bool:
        """Whether only the response to a reset has credentials. It may be set."""
        return self._database.credential_protection

    @credential_protection.setter
    def credential_protection(self, on: bool) -> None:
        self._database.credential_protection = on

    @property
    def acl_users(self) -> list[AclUser]:
        """The ACL users, with their live tokens, in alphabetical order."""
        return self._thread.run(self._database.acl.users())

    def user(self, name: str) -> AclUser | None:
        """Return an ACL user, with its live tokens. None if it does not exist."""
        return next((user for user in self.acl_users if user.name == name), None)

    def acl(self, *arguments: str) -> Any:  # noqa: ANN401 - any reply
        """Run an ACL command as a user does in the web console. No fault hits it.

        Args:
            arguments: Such as `"SETUSER", "app", "~cache:*"`.

        Returns:
            The reply, as the REST API writes it.

        Raises:
            EmulatorError: The command was rejected, with the API's message.
        """
        command = [argument.encode() for argument in ("ACL", *arguments)]
        reply = self._thread.run(self._simulation.run_acl(self._database, command))
        return to_json(reply, as_base64=False)["result"]

    def reset_in_console(self, fault: Fault = NO_FAULT) -> None:
        """Reset the password as a user does in the web console, outside the Developer API.

        Args:
            fault: `Fault.stale_read` or `Fault.slow_propagation` delays what follows the reset.
        """
        self._thread.run(self._simulation.reset_in_console(self._database, fault))

    def suspend(self) -> None:
        """Make the Developer API reject resets."""
        self._database.state = "suspended"

    def resume(self) -> None:
        """Make the Developer API accept resets again."""
        self._database.state = "active"

    def take_offline(self) -> None:
        """Make the database unreachable. Redis refuses connections, and REST closes them."""
        self._thread.run(self._database.backend.take_offline())

    def bring_online(self) -> None:
        """Make the database reachable again, on the same ports."""
        self._thread.run(self._database.backend.bring_online())

    def delete(self) -> None:
        """Delete the database. The APIs then return 404 for its id, and its redis-server ends."""
        self._thread.run(self._simulation.delete_database(self._database))
