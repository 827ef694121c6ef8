"""The Redis commands in a REST request, and the JSON of their replies."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from upstash_emulator.faults import OPERATIONS
from upstash_emulator.redis_processes.backend import CommandError

if TYPE_CHECKING:
    from aiohttp import web

    from upstash_emulator.redis_processes.backend import Command

_BATCHES: Final = {"/pipeline": False, "/multi-exec": True}
"""Paths for several commands. True if the commands are one transaction."""

_CONNECTION_COMMANDS: Final = frozenset(
    b"AUTH CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PUNSUBSCRIBE QUIT RESET SELECT "
    b"SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE UNSUBSCRIBE UNWATCH WATCH".split()
)
"""Commands about a connection. REST has no connections, so it rejects them."""


@dataclass(frozen=True)
class RestRequest:
    """The commands of one request.

    Attributes:
        commands: The commands, in order.
        batch: Whether the response is a list of replies.
        atomic: Whether the commands are one transaction.
    """

    commands: list[Command]
    batch: bool = False
    atomic: bool = False

    @property
    def acl_operations(self) -> list[str]:
        """The ACL commands among them, by the names of their operations."""
        return [_acl_operation(command) for command in self.commands if is_acl(command)]


async def parse(request: web.Request) -> RestRequest:
    """Return the commands of a request, from its path or from the JSON in its body.

    Raises:
        CommandError: The request has none of the documented forms.
    """
    body = await request.read()
    path = request.rel_url.raw_path.rstrip("/")
    if path in _BATCHES:
        commands = [_command(item) for item in _json_list(body)]
        return RestRequest(commands, batch=True, atomic=_BATCHES[path])
    if not path:
        return RestRequest([_command(_json_list(body))])
    command = [unquote_to_bytes(part) for part in path[1:].split("/")]
    if body:
        command.append(body)
    for name, value in request.query.items():
        if name != "_token":
            command += [name.encode(), value.encode()] if value else [name.encode()]
    return RestRequest([_command(command)])


def is_acl(command: Command) -> bool:
    """Return whether it is an ACL command."""
    return command[0].upper() == b"ACL"


def _acl_operation(command: Command) -> str:
    name = " ".join(part.decode(errors="replace").lower() for part in command[:2])
    return name if name in OPERATIONS else "unknown"


def to_json(reply: Any, *, as_base64: bool) -> dict[str, Any]:  # noqa: ANN401 - any value of the Redis protocol
    """Return a reply as the API writes it: `result` or `error`."""
    if isinstance(reply, CommandError):
        return {"error": str(reply)}
    return {"result": _value(reply, as_base64=as_base64)}


def _value(reply: Any, *, as_base64: bool) -> Any:  # noqa: ANN401 - any value of the Redis protocol
    if isinstance(reply, bytes):
        if as_base64 and reply != b"OK":
            return base64.b64encode(reply).decode()
        return reply.decode(errors="replace")
    if isinstance(reply, list):
        return [_value(item, as_base64=as_base64) for item in reply]
    return reply if isinstance(reply, int) else None


def _json_list(body: bytes) -> list[Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, list) or not value:
        raise CommandError("ERR the body must be a JSON array")
    return value


def _command(items: object) -> Command:
    if not isinstance(items, list) or not items:
        raise CommandError("ERR a command must be a JSON array")
    command = [_argument(item) for item in items]
    name = command[0].upper()
    if name in _CONNECTION_COMMANDS:
        raise CommandError(f"ERR {name.decode()} is not available over REST in the emulator")
    return command


def _argument(item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return repr(item).encode()
    raise CommandError("ERR arguments of a command must be strings or numbers")
