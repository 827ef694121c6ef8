"""The plugin's server: what it listens on, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from pulumi_upstash_rotation.frontends.native import main as plugin

from ...support.native import TYPE, clear, sent
from ...support.payloads import BEFORE_A_RESET, DATABASE_ID, WITH_CREDENTIALS
from ...support.servers import LocalServer, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE = [sys.executable, "-m", plugin.__name__]
URN = f"urn:pulumi:dev::test::{TYPE}::cache"
SECONDS = 60
"""How long a test waits for what comes soon. No test depends on the time itself."""


class Plugin:
    """A running plugin."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout
        self.port = int(process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub: Any = ResourceProviderStub(self._channel)  # type: ignore[no-untyped-call]

    def configure(self, api_url: str) -> None:
        config = {"email": "a@b.c", "apiKey": "key-canary", "apiUrl": api_url}
        self.stub.Configure(provider_pb2.ConfigureRequest(args=sent(config)), timeout=SECONDS)

    def create(self) -> Any:
        news = sent({"databaseId": DATABASE_ID, "verify": False})
        request = provider_pb2.CreateRequest(urn=URN, properties=news)
        return self.stub.Create(request, timeout=SECONDS)

    def ended(self) -> int:
        """Wait for the end, and return the exit status."""
        self._channel.close()
        return self.process.wait(SECONDS)


@contextmanager
def running(*arguments: str) -> Iterator[Plugin]:
    environ = {name: text for name, text in os.environ.items() if "UPSTASH" not in name}
    process = subprocess.Popen(
        [*MODULE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    try:
        yield Plugin(process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def engine() -> Iterator[str]:
    """The address of an engine that takes no line."""
    served = grpc.server(ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(engine_pb2_grpc.EngineServicer(), served)  # type: ignore[no-untyped-call]
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        served.stop(0).wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it(number: int) -> None:
    with engine() as address, running("--logtostderr", "-v=9", address) as started:
        info = started.stub.GetPluginInfo(empty_pb2.Empty(), timeout=SECONDS)
        assert info.version
        started.process.send_signal(number)
        assert started.ended() == 0
        assert started.process.stderr
        assert started.process.stderr.read() == ""


def test_it_serves_without_an_engine() -> None:
    with running() as started:
        assert started.stub.GetPluginInfo(empty_pb2.Empty(), timeout=SECONDS).version
        started.process.send_signal(signal.SIGINT)
        assert started.ended() == 0


def test_it_listens_on_the_loopback_interface_only() -> None:
    with running() as started:
        sockets = {
            str(each.readlink()) for each in Path(f"/proc/{started.process.pid}/fd").iterdir()
        }
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]
            if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in sockets
        ]
        (address,) = listening  # of IPv4, or IPv4 in IPv6
        assert address.endswith(f"0100007F:{started.port:04X}")


def _until(condition: Callable[[], bool]) -> None:
    waits = threading.Event()
    for _ in range(100 * SECONDS):
        if condition():
            return
        waits.wait(0.01)
    raise TimeoutError


def test_signal_lets_a_call_in_flight_come_to_its_end() -> None:
    with LocalServer() as api, running() as started, ThreadPoolExecutor(1) as pool:
        api.responses = [Response(body=json.dumps(BEFORE_A_RESET).encode())]
        api.response = Response(body=json.dumps(WITH_CREDENTIALS).encode(), delay_seconds=0.5)
        started.configure(api.url)
        call = pool.submit(started.create)
        _until(lambda: any("reset" in each.path for each in api.received))
        started.process.send_signal(signal.SIGINT)
        made = call.result(SECONDS)
        assert clear(made.properties)["password"] == WITH_CREDENTIALS["password"]
        assert started.ended() == 0


def test_signal_ends_the_wait_of_a_call() -> None:
    with LocalServer() as api, running() as started, ThreadPoolExecutor(1) as pool:
        api.response = Response(429, headers={"Retry-After": "60"})
        started.configure(api.url)
        call = pool.submit(started.create)
        _until(lambda: bool(api.received))
        started.process.send_signal(signal.SIGINT)
        with pytest.raises(grpc.RpcError, match="the run was cancelled; nothing has changed"):
            call.result(SECONDS)
        assert started.ended() == 0
        assert len(api.received) == 1


ENGINE = """
import socket, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""


def test_it_ends_with_an_engine_that_is_killed() -> None:
    killed = subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True)
    try:
        assert killed.stdout
        address = f"127.0.0.1:{killed.stdout.readline().strip()}"
        with running(address) as started:
            killed.kill()
            killed.wait(SECONDS)
            assert started.ended() == 1
    finally:
        killed.kill()
        killed.communicate()
