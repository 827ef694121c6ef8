"""The gRPC server of the plugin, from its start to its end."""

from __future__ import annotations

import os
import queue
import signal
import sys
from typing import Final

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from pulumi_upstash_rotation.frontends.engine import descriptors
from pulumi_upstash_rotation.frontends.engine.lifeline import end_with_engine
from pulumi_upstash_rotation.frontends.engine.threads import PatientPool
from pulumi_upstash_rotation.upstash.settings import MOST_MAX_CONCURRENCY

from .provider import NativeProvider

GRACE_SECONDS: Final = 3.0
"""How long running calls may take after SIGINT. The engine kills this process after 5 seconds."""
_MOST_BYTES: Final = 400 << 20
"""Limit of a message, as in Pulumi's own plugins."""
_MORE_THREADS: Final = 1024
"""Threads for calls that wait for their turn, and for those that need none, such as Cancel."""


def serve(address: str | None) -> None:
    """Serve until SIGINT, SIGTERM or the end of the engine, then end this process.

    Args:
        address: Address of the engine, `HOST:PORT`. None if engines attach to this process.

    Raises:
        Exception: The server cannot start, for example without a free thread.
    """
    calls = descriptors.calls_at_once(descriptors.raise_limit(), MOST_MAX_CONCURRENCY)
    provider = NativeProvider(address, descriptors.Slots(calls))
    server = grpc.server(
        PatientPool.started(calls + _MORE_THREADS),
        options=[
            ("grpc.max_receive_message_length", _MOST_BYTES),
            ("grpc.max_send_message_length", _MOST_BYTES),
        ],
    )
    add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    # Not an Event: its set() would wait for a lock that the interrupted wait() may hold.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: signals.put(received))
    server.start()
    if address:
        end_with_engine(address)
    print(port, flush=True)  # noqa: T201  the engine reads it
    signals.get()
    provider.cancel_all()
    server.stop(GRACE_SECONDS).wait(GRACE_SECONDS)
    sys.stdout.flush()
    os._exit(0)  # a thread that waits for a network must not hold the process
