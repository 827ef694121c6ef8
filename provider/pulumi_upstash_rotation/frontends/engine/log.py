"""Reports to users while the engine works: on a resource's row, or on stderr."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub


def show(
    severity: Literal["info", "warning"], message: str, urn: str | None, address: str | None = None
) -> None:
    """Show a line on the row of a resource, else on stderr. Never raises.

    Args:
        severity: Kind of line.
        message: The line.
        urn: URN of the resource. None if it is not known.
        address: The engine's address. None for the one that started this process.
    """
    with contextlib.suppress(Exception):  # a failed report must not fail a call that has reset
        if not (urn and _send(severity, message, urn, address)):
            sys.stderr.write(f"{severity}: {message}\n")


def show_details(address: str | None = None) -> None:
    """Write this package's log to stderr. It holds no secret.

    Args:
        address: The engine's address, if it hides what this process writes to stderr. The log then
            goes to the row of the stack.
    """
    handler = _Details(address) if address else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger = logging.getLogger(__package__.partition(".")[0])
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


class _Details(logging.Handler):
    """Sends log records to the engine."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            _send("info", self.format(record), "", self._address)


def _send(severity: str, message: str, urn: str, address: str | None) -> bool:
    """Send a line to the engine. Return whether the engine accepted it.

    The address of the engine that started this process is its last argument. `--logflow` puts
    others before it.
    """
    # Slow to import. In a provider's process the SDK has already imported them.
    import grpc
    from pulumi.runtime.proto import engine_pb2

    level = {"info": engine_pb2.INFO, "warning": engine_pb2.WARNING}[severity]
    request = engine_pb2.LogRequest(severity=level, message=message, urn=urn)
    try:
        _engine(address or sys.argv[1:][-1]).Log(request, timeout=5)
    except (grpc.RpcError, IndexError, ValueError):
        return False
    return True


@functools.cache
def _engine(address: str) -> EngineStub:
    """Return a client of the engine. Its connection stays open until this process ends."""
    import grpc
    from pulumi.runtime.proto import engine_pb2_grpc

    # gRPC would send even a call of this machine to the proxy in `http_proxy`.
    options = (("grpc.enable_http_proxy", 0),)
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options))
