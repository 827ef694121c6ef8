"""`Backend`: the data and users of one database. `MemoryBackend` has no process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from upstash_emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

Command = list[bytes]


class CommandError(EmulatorError):
    """A Redis error reply, its code included, such as `NOPERM …`."""


@dataclass(frozen=True)
class RedisUser:
    """A user of a Redis server.

    Attributes:
        name: Its name.
        secrets: Its passwords. Each of them opens the database.
        rules: Its permissions, as rules of `ACL SETUSER`.
    """

    name: str
    secrets: tuple[str, ...] = field(repr=False)
    rules: str


class Backend(Protocol):
    """One database's data, behind one port."""

    @property
    def port(self) -> int:
        """The Redis port."""

    @property
    def online(self) -> bool:
        """Whether it accepts connections."""

    async def accept_only(self, users: Sequence[RedisUser]) -> None:
        """Replace the secrets of these users, and cut off every client.

        Raises:
            EmulatorError: The backend has ended.
        """

    async def administer(self, *commands: Sequence[str]) -> list[Any]:
        """Run commands in one transaction, as the user with all rights, and return the replies.

        Raises:
            CommandError: The first command that failed.
            EmulatorError: The backend has ended.
        """

    async def execute(
        self, user: str, secret: str, commands: Sequence[Command], *, atomic: bool
    ) -> list[Any]:
        """Run commands as a user; the reply to a failed one is a `CommandError`.

        Raises:
            CommandError: None of them was run.
            EmulatorError: The backend has ended.
        """

    async def take_offline(self) -> None:
        """Refuse connections and drop those that are open."""

    async def bring_online(self) -> None:
        """Accept connections again, on the same port."""

    async def wipe(self) -> None:
        """Delete all data, and all users but those of the start."""

    async def stop(self) -> None:
        """Leave nothing behind."""


class MemoryBackend:
    """A database without a Redis server. It only checks tokens, so a fleet may have thousands."""

    _ONLY: Final = (
        "ERR the emulator runs without redis-servers and serves only PING and ECHO; "
        "start it with redis_servers=True for the rest"
    )

    def __init__(self, port: int) -> None:
        """Take a port without a listener, so that Redis clients are refused."""
        self.port = port
        self.online = True

    async def accept_only(self, users: Sequence[RedisUser]) -> None:
        """Do nothing. The REST API checks the tokens, and there are no clients to disconnect."""

    async def administer(self, *commands: Sequence[str]) -> list[Any]:  # noqa: ARG002 - no server
        """Reject every command."""
        raise CommandError(self._ONLY)

    async def execute(
        self,
        user: str,  # noqa: ARG002 - every user may do the little there is
        secret: str,  # noqa: ARG002 - the REST API has checked it
        commands: Sequence[Command],
        *,
        atomic: bool,  # noqa: ARG002 - no other client can come in between
    ) -> list[Any]:
        """Reply to PING and ECHO."""
        return [self._reply(command) for command in commands]

    def _reply(self, command: Command) -> bytes | CommandError:
        match [command[0].upper(), *command[1:]]:
            case [b"PING"]:
                return b"PONG"
            case [b"PING" | b"ECHO", message]:
                return message
            case _:
                return CommandError(self._ONLY)

    async def take_offline(self) -> None:
        """Drop REST requests."""
        self.online = False

    async def bring_online(self) -> None:
        """Serve REST requests again."""
        self.online = True

    async def wipe(self) -> None:
        """Do nothing, because there is no data."""

    async def stop(self) -> None:
        """Do nothing, because there is no process."""
