"""An engine in front of the native plugin's servicer: it calls, and keeps what it is sent."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from google.protobuf import struct_pb2
from pulumi import output
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from pulumi_upstash_rotation.frontends.native.provider import NativeProvider

from .payloads import DATABASE_ID
from .statuses import kept_resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc
    import pytest

CONFIG: Final = {"email": "a@b.c", "apiKey": "key-canary"}
TYPE: Final = "upstash-rotation:index:RedisPasswordRotation"


class _AbortedError(Exception):
    """A gRPC call has ended."""


HANDLER = "pulumi_upstash_rotation.resources.redis_password_rotation.handler"
NEWS = {"databaseId": DATABASE_ID, "triggers": {"release": "canary-1"}}
DAYS = {**NEWS, "rotationDays": 10}
SECRET = {"password", "restToken", "readOnlyRestToken", "redisUrl", "triggers", "extraAttributes"}


class FailedCallError(Exception):
    """A call failed.

    Attributes:
        message: The line that users see.
        id: Id of the resource that the engine keeps. None if it keeps nothing.
        properties: Its properties.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call.details)
        self.message = call.details or ""
        self.id: str | None = None
        self.properties = struct_pb2.Struct()
        for _, encoded in call.metadata:
            (kept,) = kept_resources(encoded, self.message)
            self.id, self.properties = kept.id, kept.properties


@dataclass
class Call:
    """One gRPC call, as its servicer sees it."""

    address: str
    details: str | None = None
    metadata: Any = field(default=(), repr=False)

    def peer(self) -> str:
        return self.address

    def abort(self, _code: grpc.StatusCode, details: str) -> NoReturn:
        self.details = details
        raise _AbortedError

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata


class Engine:
    """One connection of an engine.

    Args:
        servicer: The plugin. A new one if None.
        config: The provider's config.
        peer: Address of the connection.
        address: The engine's own address.
    """

    def __init__(
        self,
        servicer: NativeProvider | None = None,
        config: Mapping[str, Any] = CONFIG,
        peer: str = "ipv4:127.0.0.1:1",
        address: str = "",
    ) -> None:
        self.servicer = servicer or NativeProvider()
        self.peer = peer
        self.urn = f"urn:pulumi:dev::test::{TYPE}::cache"
        self.call("Handshake", provider_pb2.ProviderHandshakeRequest(engine_address=address))
        self.call("Configure", provider_pb2.ConfigureRequest(args=sent(config)))

    def call(self, method: str, request: Any) -> Any:
        """Return the response, or raise `FailedCallError`."""
        call = Call(self.peer)
        with contextlib.suppress(_AbortedError):
            return getattr(self.servicer, method)(request, call)
        raise FailedCallError(call)

    def check(self, news: Mapping[str, Any]) -> list[str]:
        request = provider_pb2.CheckRequest(urn=self.urn, news=sent(news))
        return [each.reason for each in self.call("Check", request).failures]

    def diff(
        self, olds: Mapping[str, Any], news: Mapping[str, Any], old_inputs: Any = None
    ) -> provider_pb2.DiffResponse:
        """Check and diff, as an update does."""
        self.check(news)
        return self.bare_diff(olds, news, old_inputs)

    def bare_diff(
        self, olds: Mapping[str, Any], news: Mapping[str, Any], old_inputs: Any = None
    ) -> provider_pb2.DiffResponse:
        """Diff without a check, as a refresh does."""
        inputs = sent(news if old_inputs is None else old_inputs)
        request = provider_pb2.DiffRequest(
            id="id", urn=self.urn, olds=sent(olds), news=sent(news), old_inputs=inputs
        )
        response: provider_pb2.DiffResponse = self.call("Diff", request)
        return response

    def create(
        self, news: Mapping[str, Any], *, preview: bool = False
    ) -> provider_pb2.CreateResponse:
        request = provider_pb2.CreateRequest(urn=self.urn, properties=sent(news), preview=preview)
        response: provider_pb2.CreateResponse = self.call("Create", request)
        return response

    def update(
        self, olds: Mapping[str, Any], news: Mapping[str, Any], *, preview: bool = False
    ) -> provider_pb2.UpdateResponse:
        request = provider_pb2.UpdateRequest(
            id="id", urn=self.urn, olds=sent(olds), news=sent(news), preview=preview
        )
        response: provider_pb2.UpdateResponse = self.call("Update", request)
        return response

    def read(
        self, id_: str, olds: Mapping[str, Any] = {}, inputs: Mapping[str, Any] = {}
    ) -> provider_pb2.ReadResponse:
        request = provider_pb2.ReadRequest(
            id=id_, urn=self.urn, properties=sent(olds), inputs=sent(inputs)
        )
        response: provider_pb2.ReadResponse = self.call("Read", request)
        return response

    def invoke(self, name: str, arguments: Mapping[str, Any]) -> struct_pb2.Struct:
        tok = f"upstash-rotation:index:{name}"
        request = provider_pb2.InvokeRequest(tok=tok, args=sent(arguments))
        response: struct_pb2.Struct = getattr(self.call("Invoke", request), "return")
        return response


def sent(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return plain values as the engine sends them."""
    properties = struct_pb2.Struct()
    properties.update(dict(values))
    return properties


def clear(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Return properties as the SDK for Python reads them, secrets in clear."""
    found = rpc.deserialize_properties(properties, keep_unknowns=True)
    values = {name: rpc.unwrap_rpc_secret(value) for name, value in found.items()}
    return {
        name: rpc.UNKNOWN if isinstance(value, output.Unknown) else value
        for name, value in values.items()
    }


def secrets(properties: struct_pb2.Struct) -> set[str]:
    """Return the names of the properties that are marked as secrets."""
    found = rpc.deserialize_properties(properties, keep_unknowns=True)
    return {name for name, value in found.items() if rpc.is_rpc_secret(value)}


def let_handler(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    for method in ("create", "update", "read"):
        monkeypatch.setattr(f"{HANDLER}.RedisPasswordRotationHandler.{method}", act)
