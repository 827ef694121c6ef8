"""What reaches into the Pulumi SDK's process that hosts dynamic providers; nothing else does.

The SDK's public interface lets a dynamic provider neither fail without a Python traceback nor warn
on its own resource's row (pulumi/pulumi#10416). Both are possible one layer below, in the gRPC call
that the provider method serves: this module finds that call on the stack. Where the SDK looks
different it finds nothing, and a person sees the same words in a plainer place.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

_GRPC_UNKNOWN: Final = 2
_MESSAGE_FIELD: Final = 0x12
_DETAILS_FIELD: Final = 0x1A
_SEVEN_BITS: Final = 0x7F
_STATUS_DETAILS: Final = "grpc-status-details-bin"


def serve_at_once(calls: int) -> bool:
    """Let this process serve so many of the engine's calls at once, instead of the SDK's 4.

    Says whether it could: the SDK keeps its pool of threads in the main thread's variable `server`.
    """
    main = threading.main_thread().ident or 0
    frame = sys._current_frames().get(main)  # noqa: SLF001  another thread's: no public way
    while frame:
        state: Any = getattr(frame.f_locals.get("server"), "_state", None)
        pool = getattr(state, "thread_pool", None)
        if isinstance(pool, ThreadPoolExecutor):
            if pool._max_workers < calls:  # noqa: SLF001  what a pool may have, only it knows
                _serve_those_that_wait(pool, calls)
                state.thread_pool = ThreadPoolExecutor(calls)
            return True
        frame = frame.f_back
    return False


def _serve_those_that_wait(pool: ThreadPoolExecutor, threads: int) -> None:
    """Let a pool have more threads, and one more at once for each call that waits for one.

    A refresh begins with more calls than the SDK has threads: a higher limit alone comes too late
    for them. And before Python 3.12 a pool counts each as an idle thread later, hence the new one.
    """
    pool._max_workers = threads  # noqa: SLF001  the SDK made it, and has set that for good
    for _ in range(pool._work_queue.qsize()):  # noqa: SLF001  no public count of what waits
        pool.submit(int)  # nothing in particular


def fail_with(message: str, *, partial: tuple[str, Mapping[str, object]] | None = None) -> None:
    """Make the engine show `message` alone when the provider method raises; call it just before.

    Without it, SDK 3.260 and later show the whole traceback.

    Args:
        message: What a person sees.
        partial: Id and outputs of a resource that exists in spite of the failure: the engine keeps
            them, and calls `update` at the next run even if nothing has changed by then.
    """
    context = _local_of_caller("context")
    if hasattr(context, "set_trailing_metadata"):
        details = _init_failed(message, *partial) if partial else []
        context.set_trailing_metadata(((_STATUS_DETAILS, _encoded_status(message, details)),))


def warn(message: str) -> None:
    """Show a warning on the row of the resource that is being served, else on stderr."""
    _show("warning", message)


def inform(message: str) -> None:
    """Show a line on the row of the resource that is being served, else on stderr."""
    _show("info", message)


def _show(severity: Literal["info", "warning"], message: str) -> None:
    urn = getattr(_local_of_caller("request"), "urn", None)
    if not (isinstance(urn, str) and urn and _log(severity, message, urn)):
        sys.stderr.write(f"{severity}: {message}\n")  # the engine shows it


def _local_of_caller(name: str) -> object:
    """Return the local variable of the SDK's frame that serves the engine's call, or None."""
    frame = inspect.currentframe()
    while frame:
        if frame.f_globals.get("DynamicResourceProviderServicer") and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return None


def _encoded_status(message: str, details: Sequence[bytes]) -> bytes:
    """Return a google.rpc.Status in protobuf's encoding; old SDKs come without that type."""
    fields = [(_MESSAGE_FIELD, message.encode()), *((_DETAILS_FIELD, each) for each in details)]
    code = bytes((0x08, _GRPC_UNKNOWN))
    return code + b"".join(bytes((tag,)) + _varint(len(data)) + data for tag, data in fields)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > _SEVEN_BITS:
        encoded.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _init_failed(reason: str, id_: str, outputs: Mapping[str, object]) -> list[bytes]:
    """Return the detail by which the engine knows that a resource exists in spite of a failure."""
    provider = _local_of_caller("props") or _local_of_caller("news")
    if not isinstance(provider, dict) or "__provider" not in provider:
        return []
    from google.protobuf.any_pb2 import Any as AnyMessage  # as for grpc below
    from pulumi.runtime import rpc
    from pulumi.runtime.proto import provider_pb2

    properties = asyncio.run(
        rpc.serialize_properties({**outputs, "__provider": provider["__provider"]}, {})
    )
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=id_, properties=properties, reasons=[reason])
    )
    return [detail.SerializeToString()]


def _log(severity: str, message: str, urn: str) -> bool:
    """Send a message to the engine, whose address is this process's argument; say if it took it."""
    import grpc  # loaded by the host process anyway, not by programs
    from pulumi.runtime.proto import engine_pb2

    level = {"info": engine_pb2.INFO, "warning": engine_pb2.WARNING}[severity]
    request = engine_pb2.LogRequest(severity=level, message=message, urn=urn)
    try:
        _engine(sys.argv[1]).Log(request, timeout=5)
    except (grpc.RpcError, IndexError, ValueError):
        return False
    return True


@functools.cache
def _engine(address: str) -> EngineStub:
    """Return the engine to talk to, over a connection that lasts as long as this process."""
    import grpc
    from pulumi.runtime.proto import engine_pb2_grpc

    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
