"""All access to parts of Pulumi's Python SDK that are not public.

The SDK offers a dynamic provider neither an error without a traceback nor a warning on its own
resource's row (pulumi/pulumi#10416). Both are possible one layer below, in the gRPC call that a
provider method serves. This module finds that call on the stack. Where the SDK looks different it
finds nothing, and users see the same words in a plainer place.
"""

from __future__ import annotations

import inspect
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi import output
from pulumi.runtime import mocks, rpc, settings

from pulumi_upstash_rotation.frontends.engine.failures import encoded_status, init_failed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pulumi_upstash_rotation.frontends.engine.failures import Failure

_STATUS_DETAILS: Final = "grpc-status-details-bin"


# --- the provider's process ---


def serve_at_once(calls: int) -> bool:
    """Let this process serve so many of the engine's calls at once, instead of the SDK's 4.

    Returns whether it could. The SDK keeps its pool of threads in the main thread's variable
    `server`.
    """
    main = threading.main_thread().ident or 0
    frame = sys._current_frames().get(main)  # noqa: SLF001  another thread's: no public way
    while frame:
        state: Any = getattr(frame.f_locals.get("server"), "_state", None)
        pool = getattr(state, "thread_pool", None)
        if isinstance(pool, ThreadPoolExecutor):
            if pool._max_workers < calls:  # noqa: SLF001  what a pool may have, only it knows
                _serve_waiting_calls(pool, calls)
                state.thread_pool = ThreadPoolExecutor(calls)
            return True
        frame = frame.f_back
    return False


def _serve_waiting_calls(pool: ThreadPoolExecutor, threads: int) -> None:
    """Let a pool have more threads, and one more at once for each call that waits for one.

    A refresh begins with more calls than the SDK has threads: a higher limit alone comes too late
    for them. Before Python 3.12 a pool counts each as an idle thread later, hence the new one.
    """
    pool._max_workers = threads  # noqa: SLF001  the SDK made it, and has set that for good
    for _ in range(pool._work_queue.qsize()):  # noqa: SLF001  no public count of what waits
        pool.submit(int)  # nothing in particular


def urn_of_call() -> str | None:
    """Return the URN of the resource whose call this thread serves. None where it is not known."""
    urn = getattr(_local_of_caller("request"), "urn", None)
    return urn if isinstance(urn, str) and urn else None


def fail_call(failure: Failure) -> None:
    """Make the engine show a failure as one line when the provider method raises.

    A method calls this just before it raises. Without it, SDK 3.260 and later show the whole
    traceback.
    """
    context = _local_of_caller("context")
    if hasattr(context, "set_trailing_metadata"):
        provider = _local_of_caller("props") or _local_of_caller("news")
        details = []
        if failure.partial and isinstance(provider, dict) and "__provider" in provider:
            id_, outputs = failure.partial
            outputs = {**outputs, "__provider": provider["__provider"]}
            details = [init_failed(failure.message, id_, outputs)]
        status = encoded_status(failure.message, details)
        context.set_trailing_metadata(((_STATUS_DETAILS, status),))


def _local_of_caller(name: str) -> Any:  # noqa: ANN401  whatever the SDK has there
    """Return a local variable of the SDK's frame that serves the engine's call, or None."""
    frame = inspect.currentframe()
    while frame:
        if frame.f_globals.get("DynamicResourceProviderServicer") and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return None


def is_unknown(value: object) -> bool:
    """Return whether a value stands for one that the engine does not know yet."""
    return isinstance(value, output.Unknown) or value == rpc.UNKNOWN


def encrypted(outputs: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return outputs with some of them marked as secrets, whatever options a program gives."""
    return {
        name: rpc.wrap_rpc_secret(value) if name in names else value
        for name, value in outputs.items()
    }


# --- a program's process ---


def running_program() -> pulumi.Resource | None:
    """Return the root resource of the running program, which stands for it.

    None in tests with mocks, which are one program to Pulumi and may each declare the same.
    """
    program: pulumi.Resource | None = pulumi.runtime.get_root_resource()
    if program is None or isinstance(settings.get_monitor(), mocks.MockMonitor):
        return None
    return program


def do_not_wait_for(value: object) -> None:
    """Spare the SDK's wait for the end of a program one output, where the SDK allows it.

    The SDK looks at each outstanding output whenever one is done. So a fleet with sixty outputs a
    resource costs the square of its size. The outputs become known together with the id, for which
    the program still waits.
    """
    untrack = getattr(value, "_untrack", None)
    if untrack is not None:
        untrack()
