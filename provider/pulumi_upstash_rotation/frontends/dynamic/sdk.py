"""All access to parts of Pulumi's Python SDK that are not public.

With the SDK alone, a dynamic provider cannot raise an error without a traceback. Nor can it show a
warning on its resource's row (pulumi/pulumi#10416). Both are possible in the gRPC call that a
provider method serves. This module finds that call on the stack. If another version of the SDK is
built differently, it finds nothing. Users then see the same text on stderr or in a traceback.
"""

from __future__ import annotations

import inspect
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi import output
from pulumi.runtime import mocks, rpc, settings

from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.frontends.engine.failures import (
    encoded_status,
    init_failed,
    serialized,
)
from pulumi_upstash_rotation.frontends.engine.threads import PatientPool

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pulumi_upstash_rotation.frontends.engine.failures import Failure

_SERVICER: Final = "DynamicResourceProviderServicer"
_STATUS_DETAILS: Final = "grpc-status-details-bin"


# --- the provider's process ---


def serve_at_once(calls: int) -> bool:
    """Let this process serve up to `calls` of the engine's calls at once. The SDK allows 4.

    Returns False if it does not find the SDK's pool of threads, or no thread can start. The main
    thread keeps the pool in its variable `server`.
    """
    main = threading.main_thread().ident or 0
    frame = sys._current_frames().get(main)  # noqa: SLF001  another thread's: no public way
    while frame:
        state: Any = getattr(frame.f_locals.get("server"), "_state", None)
        pool = getattr(state, "thread_pool", None)
        if isinstance(pool, ThreadPoolExecutor):
            if not isinstance(pool, PatientPool):
                try:
                    state.thread_pool = PatientPool.started(calls)
                except RuntimeError:
                    return False
                state.thread_pool.take_over(pool)
            return True
        frame = frame.f_back
    return False


def urn_of_call() -> str | None:
    """Return the URN of the resource whose call this thread serves. None if it is not known."""
    urn = getattr(_local_of_caller("request"), "urn", None)
    return urn if isinstance(urn, str) and urn else None


def fail_call(failure: Failure) -> None:
    """Make the engine show a failure as one line when the provider method raises.

    A method calls this just before it raises. Without it, SDK 3.260 and later show the whole
    traceback.

    Raises:
        Exception: The partial state of the failure cannot be sent. Another call can replace it.
    """
    context = _local_of_caller("context")
    if hasattr(context, "set_trailing_metadata"):
        provider = _local_of_caller("props") or _local_of_caller("news")
        details = []
        if failure.partial and isinstance(provider, dict) and "__provider" in provider:
            id_, outputs = failure.partial
            outputs = {**outputs, "__provider": provider["__provider"]}
            details = [init_failed(failure.message, id_, serialized(outputs))]
        status = encoded_status(failure.message, details)
        context.set_trailing_metadata(((_STATUS_DETAILS, status),))


def show_errors_as_lines() -> None:
    """Let the SDK show an error of this package as one line, even if `fail_call()` has failed.

    The SDK's module formats every error as a traceback. Errors of other packages stay as they are.
    """
    host = sys.modules["__main__"]
    if hasattr(host, _SERVICER) and getattr(host, "traceback", None) is traceback:
        host.traceback = _Traceback()  # type: ignore[attr-defined]


class _Traceback:
    """The module `traceback`, but for errors of this package."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any part of the module
        return getattr(traceback, name)

    @staticmethod
    def format_exc(*arguments: Any, **options: Any) -> str:  # noqa: ANN401  the module's own
        error = sys.exc_info()[1]
        if isinstance(error, RotationError):
            return str(error)
        return traceback.format_exc(*arguments, **options)


def _local_of_caller(name: str) -> Any:  # noqa: ANN401  any object of the SDK
    """Return a local variable of the SDK's frame that serves the engine's call, or None."""
    frame = inspect.currentframe()
    while frame:
        if frame.f_globals.get(_SERVICER) and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return None


def is_unknown(value: object) -> bool:
    """Return whether a value stands for one that the engine does not know yet."""
    return isinstance(value, output.Unknown) or value == rpc.UNKNOWN


def encrypted(outputs: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return outputs in which those with these names are marked as secrets."""
    return {
        name: rpc.wrap_rpc_secret(value) if name in names else value
        for name, value in outputs.items()
    }


# --- a program's process ---


def running_program() -> pulumi.Resource | None:
    """Return the root resource of the running program, which identifies the program.

    None in tests with Pulumi's mocks. All tests share one root resource and may declare the same
    database.
    """
    program: pulumi.Resource | None = pulumi.runtime.get_root_resource()
    if program is None or isinstance(settings.get_monitor(), mocks.MockMonitor):
        return None
    return program


def name_of(resource: pulumi.Resource) -> str:
    """Return the name that a program gave a resource."""
    name: str = resource._name  # noqa: SLF001  no public way in all supported versions
    return name


def family_of(resource: pulumi.Resource) -> list[pulumi.Resource]:
    """Return a resource with all its children, as far as the program has declared them."""
    children = tuple(resource._childResources)  # noqa: SLF001  same
    return [resource, *(each for child in children for each in family_of(child))]


def outputs_of(resource: pulumi.Resource) -> list[pulumi.Output[Any]]:
    """Return the outputs of a resource and of all its children."""
    values = [value for each in family_of(resource) for value in vars(each).values()]
    return [value for value in values if isinstance(value, pulumi.Output)]


def do_not_wait_for(value: object) -> None:
    """Let the program end without a wait for this output, if the SDK allows that.

    Whenever an output is done, the SDK checks every outstanding one. So the wait for a fleet takes
    time that grows with the square of its size. The outputs become known together with the id. The
    program still waits for the id.
    """
    # Of the class: an output has every attribute, because it lifts those of its value.
    untrack = getattr(type(value), "_untrack", None)
    if untrack is not None:
        untrack(value)
