"""The plugin's process: `pulumi-resource-upstash-rotation [OPTIONS] [ENGINE]`.

Pulumi's engine starts it, reads a port from the first line of its output, and ends it with SIGINT.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final

from .version import plugin_version

NAME: Final = "pulumi-resource-upstash-rotation"
LEAST_SDK: Final = "3.200"
"""The first version of Pulumi's SDK for Python that this package supports."""
GRACE_SECONDS: Final = 3.0
"""How long running calls may take after SIGINT. The engine kills this process after 5 seconds."""
_MOST_BYTES: Final = 400 << 20
"""Limit of a message, as in Pulumi's own plugins."""
_MORE_THREADS: Final = 8
"""Threads for calls that wait for nothing, such as Cancel."""


def main() -> int:
    """Serve one engine until it ends. Return the exit status."""
    arguments = sys.argv[1:]
    if "--version" in arguments:
        print(plugin_version())  # noqa: T201  `pulumi plugin install` takes it
        return 0
    if {"-h", "--help"} & {*arguments}:
        print(__doc__)  # noqa: T201  same
        return 0
    try:
        import grpc

        from . import provider
    except Exception as error:  # noqa: BLE001  another SDK may fail in any way
        sys.stderr.write(f"{NAME}: {_not_loaded(error)}\n")
        return 1
    return _serve(grpc, provider, _address(arguments))


def _serve(grpc, provider, address: str | None) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from pulumi_upstash_rotation.frontends.engine import descriptors
    from pulumi_upstash_rotation.frontends.engine.lifeline import end_with_engine
    from pulumi_upstash_rotation.frontends.engine.threads import PatientPool
    from pulumi_upstash_rotation.upstash.settings import MOST_MAX_CONCURRENCY

    calls = descriptors.calls_at_once(descriptors.raise_limit(), MOST_MAX_CONCURRENCY)
    servicer = provider.NativeProvider(address, descriptors.Slots(calls))
    server = grpc.server(
        PatientPool.started(calls + _MORE_THREADS),
        options=[
            ("grpc.max_receive_message_length", _MOST_BYTES),
            ("grpc.max_send_message_length", _MOST_BYTES),
        ],
    )
    provider.add_to(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    if address:
        end_with_engine(address)
    print(port, flush=True)  # noqa: T201  the engine reads it
    ended.wait()
    servicer.cancel_all()
    server.stop(GRACE_SECONDS).wait(GRACE_SECONDS)
    sys.stdout.flush()
    os._exit(0)  # a thread that waits for a network must not hold the process


def _address(arguments: list[str]) -> str | None:
    """Return the engine's address, which is the last argument. None if nobody gave one."""
    last = arguments[-1] if arguments else ""
    host, _, port = last.rpartition(":")
    return last if host and port.isdecimal() else None


def _not_loaded(error: Exception) -> str:
    from importlib import metadata

    try:
        version = metadata.version("pulumi")
    except metadata.PackageNotFoundError:
        version = "none"
    return (
        f"cannot start with Pulumi's SDK for Python {version} ({type(error).__name__}). It needs "
        f"{LEAST_SDK} or newer; run `pip install --upgrade pulumi`"
    )


if __name__ == "__main__":
    sys.exit(main())
