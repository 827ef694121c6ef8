"""`Server`: the simulation and the APIs in front of it, put together."""

from __future__ import annotations

import asyncio
import errno
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from aiohttp import web

from upstash_emulator.control_api.routes import ControlApi
from upstash_emulator.developer_api.api import DeveloperApi
from upstash_emulator.errors import EmulatorError
from upstash_emulator.redis_rest.api import RestApi

if TYPE_CHECKING:
    from upstash_emulator.simulation.simulation import Simulation

_BACKLOG: Final = 1024


class Server:
    """The Developer API and the control API on one port, REST on another.

    Attributes:
        url: Base URL of the Developer API.
    """

    url: str

    def __init__(self, simulation: Simulation, host: str, port: int) -> None:
        """Prepare. `start()` listens.

        Args:
            simulation: Serves this simulation.
            host: Where the Developer API listens.
            port: Its port; 0 for any free one.
        """
        self._simulation = simulation
        self._host = host
        self._port = port

    async def start(self) -> None:
        """Start the databases, then listen.

        Raises:
            EmulatorError: The port is taken, or there is no usable redis-server.
        """
        async with AsyncExitStack() as stack:
            await self._simulation.start()
            stack.push_async_callback(self._simulation.stop)
            rest = RestApi(self._simulation, self._simulation.certificates.context)
            await rest.start()
            stack.push_async_callback(rest.stop)
            await self._simulation.start_databases(rest.endpoint)
            await self._listen(stack)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Close every port, and leave no process and no file behind."""
        await self._stack.aclose()

    async def _listen(self, stack: AsyncExitStack) -> None:
        app = web.Application()
        ControlApi(self._simulation).add_routes(app)
        DeveloperApi(self._simulation).add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)

        def accept() -> asyncio.Protocol:
            self._simulation.connections += 1
            assert runner.server is not None  # noqa: S101 - set up above
            return runner.server()

        host, port = self._host, self._port
        try:
            server = await asyncio.get_running_loop().create_server(
                accept, host, port, backlog=_BACKLOG
            )
        except OSError as error:
            reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror
            raise EmulatorError(
                f"cannot listen on port {port} of {host}: {reason}. Use port 0 for any free port"
            ) from None
        stack.callback(server.close)
        address = f"[{host}]" if ":" in host else host
        self.url = f"http://{address}:{server.sockets[0].getsockname()[1]}"
