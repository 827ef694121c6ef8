"""Statuses of failed gRPC calls, as the engine reads them."""

from __future__ import annotations

from google.rpc import status_pb2
from pulumi.runtime.proto import provider_pb2


def kept_resources(encoded: bytes, line: str) -> list[provider_pb2.ErrorResourceInitFailed]:
    """Return the resources that a status makes the engine keep. It shows only this line."""
    status = status_pb2.Status.FromString(encoded)
    assert status.message == line
    found = []
    for detail in status.details:
        kept = provider_pb2.ErrorResourceInitFailed()
        assert detail.Unpack(kept)
        assert list(kept.reasons) == [line]
        found.append(kept)
    return found
