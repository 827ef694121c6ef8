"""A TLS relay in front of a Unix socket, for a redis-server that does not serve TLS."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .tls import abort

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter

_CHUNK_BYTES: Final = 1 << 16
_BACKLOG: Final = 512
_GOODBYE_SECONDS: Final = 1.0
"""How long a client may take to confirm the end of the TLS connection."""


class Relay:
    """Accepts TLS connections on the loopback interface and passes them on."""

    def __init__(self, socket_path: str, context: ssl.SSLContext) -> None:
        """Prepare. `open()` starts to accept connections."""
        self._socket_path = socket_path
        self._context = context
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, port: int | None) -> int:
        """Accept connections on a port, any free one for None, and return it."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port or 0, ssl=self._context, backlog=_BACKLOG
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Refuse connections and drop those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            # A task that ends cancelled, by `close`, is logged as a crash by asyncio's streams.
            with suppress(OSError, asyncio.TimeoutError, asyncio.CancelledError):
                await self._pass_on(reader, writer)
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), _GOODBYE_SECONDS)
        finally:
            abort(writer.transport)

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_unix_connection(self._socket_path)
        ways = [
            asyncio.create_task(_pump(reader, redis_writer)),
            asyncio.create_task(_pump(redis_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            redis_writer.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
