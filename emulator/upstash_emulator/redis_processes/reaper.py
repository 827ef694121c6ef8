"""`Reaper`: controls the child process that owns the redis-servers."""

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

from upstash_emulator.errors import EmulatorError

from . import reaper_program

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
class ServerProcess:
    """A redis-server that the reaper owns.

    Attributes:
        name: Its name in the protocol of the reaper.
        pid: Its process id; set when it has started.
        exit: Set when it has ended.
    """

    name: str
    pid: asyncio.Future[int] = field(repr=False)
    exit: asyncio.Future[ServerExit] = field(repr=False)


class Reaper:
    """A child process with a private folder. Both end with this process.

    Attributes:
        folder: A folder that only this user can open.
    """

    def __init__(self, process: Process, folder: Path) -> None:
        """Use `start` instead."""
        self.folder = folder
        self._process = process
        self._servers: dict[str, ServerProcess] = {}
        self._reading = asyncio.create_task(self._read_reports())

    @classmethod
    async def start(cls) -> Reaper:
        """Start the child process in its own session, so that Ctrl-C does not reach it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            reaper_program.__file__,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=_LONGEST_REPORT,
            start_new_session=True,
        )
        first_report = await process.stdout.readline() if process.stdout else b""
        if not first_report:
            await process.wait()
            raise EmulatorError("the emulator's child process did not start")
        return cls(process, Path(json.loads(first_report)["folder"]))

    async def launch(self, name: str, argv: list[str], config: str) -> ServerProcess:
        """Start a server with this configuration on its standard input."""
        loop = asyncio.get_running_loop()
        server = self._servers[name] = ServerProcess(
            name, loop.create_future(), loop.create_future()
        )
        self._request(launch=name, argv=argv, config=config)
        await asyncio.wait((server.pid, server.exit), return_when=asyncio.FIRST_COMPLETED)
        return server

    async def kill(self, server: ServerProcess) -> None:
        """End a server and wait until it has ended."""
        if not server.exit.done():
            self._request(kill=server.name)
        await server.exit

    async def stop(self) -> None:
        """End every server and the child process. The child process removes the folder."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._reading
        await self._process.wait()

    def _request(self, **request: object) -> None:
        if self._process.stdin is not None and not self._reading.done():
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    async def _read_reports(self) -> None:
        if self._process.stdout is not None:
            async for line in self._process.stdout:
                self._receive(json.loads(line))
        for server in self._servers.values():
            self._end(server)

    def _receive(self, report: dict[str, Any]) -> None:
        server = self._servers[report["name"]]
        if "pid" in report:
            server.pid.set_result(report["pid"])
        else:
            server.exit.set_result(ServerExit(report["exit"], report["log"]))

    def _end(self, server: ServerProcess) -> None:
        """Mark a server as ended if the reaper did not report its end."""
        if not server.exit.done():
            if server.pid.done():
                with suppress(ProcessLookupError):
                    os.kill(server.pid.result(), signal.SIGKILL)
            server.exit.set_result(ServerExit(-signal.SIGKILL, "ended with the emulator"))
