"""What reaches into the Pulumi SDK's process that hosts dynamic providers; nothing else does.

The SDK's public interface lets a dynamic provider neither fail without a Python traceback nor warn
on its own resource's row (pulumi/pulumi#10416). Both are possible one layer below, in the gRPC call
that the provider method serves: this module finds that call on the stack. Where the SDK looks
different it finds nothing, and a person sees the same words in a plainer place.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from types import FrameType

_GRPC_UNKNOWN: Final = 2
_SEVEN_BITS: Final = 0x7F
_STATUS_DETAILS: Final = "grpc-status-details-bin"


def fail_with(message: str) -> None:
    """Make the engine show `message` alone when the provider method raises; call it just before.

    Without it, SDK 3.260 and later show the whole traceback.
    """
    context = _local_of_caller("context")
    if hasattr(context, "set_trailing_metadata"):
        context.set_trailing_metadata(((_STATUS_DETAILS, _encoded_status(message)),))


def warn(message: str) -> None:
    """Show a warning on the row of the resource that is being served, else on stderr."""
    _show("warning", message)


def inform(message: str) -> None:
    """Show a line on the row of the resource that is being served, else on stderr."""
    _show("info", message)


def _show(severity: Literal["info", "warning"], message: str) -> None:
    urn = getattr(_local_of_caller("request"), "urn", None)
    if not (isinstance(urn, str) and urn and _log(severity, message, urn)):
        print(f"{severity}: {message}", file=sys.stderr)  # noqa: T201  the engine shows stderr


def _local_of_caller(name: str) -> Any:  # noqa: ANN401  whatever the SDK keeps there
    """Return the local variable of the SDK's frame that serves the engine's call, or None."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the only way to a caller's locals
    while frame:
        if frame.f_globals.get("DynamicResourceProviderServicer") and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return None


def _encoded_status(message: str) -> bytes:
    """Return a google.rpc.Status in protobuf's encoding; old SDKs come without that type."""
    text = message.encode()
    length = len(text)
    varint = bytearray()
    while length > _SEVEN_BITS:
        varint.append(length & _SEVEN_BITS | 0x80)
        length >>= 7
    varint.append(length)
    return bytes((0x08, _GRPC_UNKNOWN, 0x12)) + bytes(varint) + text


def _log(severity: str, message: str, urn: str) -> bool:
    """Send a message to the engine, whose address is this process's argument; say if it took it."""
    import grpc  # noqa: PLC0415  loaded by the host process anyway, not by programs
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc  # noqa: PLC0415

    level = {"info": engine_pb2.INFO, "warning": engine_pb2.WARNING}[severity]
    request = engine_pb2.LogRequest(severity=level, message=message, urn=urn)
    try:
        with grpc.insecure_channel(sys.argv[1]) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(request, timeout=5)
    except (grpc.RpcError, IndexError, ValueError):
        return False
    return True
