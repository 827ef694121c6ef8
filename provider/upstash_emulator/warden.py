"""The emulator's end of the warden: launching redis-servers and hearing of their end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import warden_program
from .errors import EmulatorError

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_LONGEST_REPORT = 1 << 20


@dataclass(frozen=True)
class ServerExit:
    """How a server ended.

    Attributes:
        code: Exit status; negative for a signal.
        log: The last lines that it wrote.
    """

    code: int
    log: str


@dataclass(frozen=True)
class Server:
    """A process that the warden owns.

    Attributes:
        name: What the warden calls it.
        pid: Its process id; settled when it has started.
        exit: Settled when it has ended.
    """

    name: str
    pid: asyncio.Future[int] = field(repr=False)
    exit: asyncio.Future[ServerExit] = field(repr=False)


class Warden:
    """A child process with a private folder, both gone as soon as this process is.

    Attributes:
        folder: A folder that only this user can open.
    """

    def __init__(self, process: Process, folder: Path) -> None:
        """Use `start` instead."""
        self.folder = folder
        self._process = process
        self._servers: dict[str, Server] = {}
        self._reading = asyncio.create_task(self._read_reports())

    @classmethod
    async def start(cls) -> Warden:
        """Start the child process, in a session of its own so that Ctrl-C does not reach it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            warden_program.__file__,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=_LONGEST_REPORT,
            start_new_session=True,
        )
        greeting = await process.stdout.readline() if process.stdout else b""
        if not greeting:
            await process.wait()
            raise EmulatorError("the emulator's child process did not start")
        return cls(process, Path(json.loads(greeting)["folder"]))

    async def launch(self, name: str, argv: list[str], config: str) -> Server:
        """Start a server with this configuration on its standard input."""
        loop = asyncio.get_running_loop()
        server = self._servers[name] = Server(name, loop.create_future(), loop.create_future())
        self._order(launch=name, argv=argv, config=config)
        await asyncio.wait((server.pid, server.exit), return_when=asyncio.FIRST_COMPLETED)
        return server

    async def kill(self, server: Server) -> None:
        """End a server and wait until it has ended."""
        if not server.exit.done():
            self._order(kill=server.name)
        await server.exit

    async def stop(self) -> None:
        """End every server and the child process, and with it the folder."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._reading
        await self._process.wait()

    def _order(self, **order: object) -> None:
        if self._process.stdin is not None and not self._reading.done():
            self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read_reports(self) -> None:
        if self._process.stdout is not None:
            async for line in self._process.stdout:
                self._hear(json.loads(line))
        for server in self._servers.values():
            self._abandon(server)

    def _hear(self, report: dict[str, Any]) -> None:
        server = self._servers[report["name"]]
        if "pid" in report:
            server.pid.set_result(report["pid"])
        else:
            server.exit.set_result(ServerExit(report["exit"], report["log"]))

    def _abandon(self, server: Server) -> None:
        """Make sure of a server whose end the warden did not report."""
        if not server.exit.done():
            if server.pid.done():
                with suppress(ProcessLookupError):
                    os.kill(server.pid.result(), signal.SIGKILL)
            server.exit.set_result(ServerExit(-signal.SIGKILL, "ended with the emulator"))
