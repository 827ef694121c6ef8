"""A Pulumi policy pack that writes all that it receives to a file, and rejects nothing."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2 as messages
from pulumi.runtime.proto.analyzer_pb2_grpc import (
    AnalyzerServicer,
    add_AnalyzerServicer_to_server,
)
from pulumi.runtime.proto.plugin_pb2 import PluginInfo

NAME = "received"


def write_pack(folder: Path) -> dict[str, str]:
    """Write the pack to a folder; return the variables that the engine needs to run it."""
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text(f"name: {NAME}\nruntime: {NAME}\nversion: 0.0.1\n")
    program = folder / f"pulumi-analyzer-policy-{NAME}"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {__file__}\n")
    program.chmod(0o755)
    path = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {"PATH": os.pathsep.join(path), "RECEIVED": str(folder / NAME)}


class _Pack(AnalyzerServicer):
    def GetAnalyzerInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        policy = messages.PolicyInfo(name=NAME, enforcementLevel=messages.ADVISORY)
        return messages.AnalyzerInfo(name=NAME, version="0.0.1", policies=[policy])

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return PluginInfo(version="0.0.1")

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return messages.AnalyzerHandshakeResponse()

    def ConfigureStack(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return messages.AnalyzerStackConfigureResponse()

    def Configure(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return Empty()

    def Remediate(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return messages.RemediateResponse()

    def Analyze(self, request: Any, _context: Any) -> Any:  # noqa: N802
        with Path(os.environ["RECEIVED"]).open("a") as received:
            received.write(str(request))
        return messages.AnalyzeResponse()

    AnalyzeStack = Analyze


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    add_AnalyzerServicer_to_server(_Pack(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 - the engine reads it
    with suppress(KeyboardInterrupt):  # how the engine ends it
        server.wait_for_termination()


if __name__ == "__main__":
    main()
