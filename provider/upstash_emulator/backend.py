"""What stands behind a database's credentials: the part that the data plane talks to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .credentials import Credentials

RedisUser = Literal["default", "default_ro"]
Command = list[bytes]


class CommandError(Exception):
    """A Redis error reply, its code included, such as `NOPERM …`."""


class Backend(Protocol):
    """One database's data, behind one port."""

    @property
    def port(self) -> int:
        """The Redis port."""

    @property
    def online(self) -> bool:
        """Whether connections are accepted."""

    async def accept_only(self, credentials: Credentials) -> None:
        """Let these credentials open the database, no others, and cut off every client."""

    async def execute(
        self, user: RedisUser, secret: str, commands: Sequence[Command], *, atomic: bool
    ) -> list[Any]:
        """Run commands as a user; a failed one's reply is a `CommandError`.

        Raises:
            CommandError: None of them was run.
            EmulatorError: The backend is gone.
        """

    async def take_offline(self) -> None:
        """Refuse connections and drop those that are open."""

    async def bring_online(self) -> None:
        """Accept connections again, on the same port."""

    async def wipe(self) -> None:
        """Delete all data."""

    async def stop(self) -> None:
        """Leave nothing behind."""


class MemoryBackend:
    """A database without a Redis: enough to check tokens against, for fleets of thousands."""

    _ONLY: Final = (
        "ERR the emulator runs without redis-servers and knows only PING and ECHO here; "
        "start it with redis_servers=True for the rest"
    )

    def __init__(self, port: int) -> None:
        """Take a port that nothing listens on, so that Redis clients are refused."""
        self.port = port
        self.online = True

    async def accept_only(self, credentials: Credentials) -> None:
        """Do nothing: the REST API knows the tokens, and there are no clients to cut off."""

    async def execute(
        self,
        user: RedisUser,  # noqa: ARG002 - both users may do what little there is
        secret: str,  # noqa: ARG002 - checked before
        commands: Sequence[Command],
        *,
        atomic: bool,  # noqa: ARG002 - nothing comes in between
    ) -> list[Any]:
        """Answer PING and ECHO."""
        return [self._answer(command) for command in commands]

    def _answer(self, command: Command) -> bytes | CommandError:
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
        """Answer REST requests again."""
        self.online = True

    async def wipe(self) -> None:
        """Do nothing: there is no data."""

    async def stop(self) -> None:
        """Do nothing: there is no process."""
