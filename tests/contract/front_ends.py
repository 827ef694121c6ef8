"""The front ends that the contract holds for: one entry each, behind one small harness."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import json
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol
from unittest.mock import patch

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

import pulumi_upstash_rotation.provider
from pulumi_upstash_rotation.errors import ConfigurationError, PartialFailureError, RotationError
from pulumi_upstash_rotation.frontends.engine import context as engine_context
from pulumi_upstash_rotation.frontends.engine import log
from pulumi_upstash_rotation.frontends.engine.names import snake
from pulumi_upstash_rotation.frontends.native import names
from pulumi_upstash_rotation.frontends.native import provider as native
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.seam import Run
from pulumi_upstash_rotation.values import UNKNOWN, mark_unknown

from ..support.statuses import kept_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pulumi_upstash_rotation.resources.seam import Resource
    from pulumi_upstash_rotation.upstash.account import Account
    from pulumi_upstash_rotation.upstash.settings import Settings

    from ..support.account import ScriptedUpstash


@dataclass(frozen=True)
class Observed:
    """What one call of a front end did, in words that all of them share.

    Attributes:
        id: Id of the resource. None where there is none.
        outputs: Its outputs after the engine's wire, secrets in clear. `UNKNOWN` marks what a
            preview does not know.
        secret: Names of the outputs that are marked as secrets.
        problems: What `check` reports, a line each.
        failure: The line by which the call failed. None where it succeeded.
        kept: A failed call made the engine keep the id and the outputs.
        changes: What `diff` returned.
        replaces: Likewise.
        lines: Severity and text of each line that users see.
        calls: The calls of the Developer API.
    """

    id: str | None = None
    outputs: Mapping[str, Any] | None = None
    secret: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    failure: str | None = None
    kept: bool = False
    changes: bool = False
    replaces: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    calls: tuple[str, ...] = ()


class FrontEnd(Protocol):
    """One resource behind one front end, for one run of the engine.

    A preview of a front end that never carries one out is what the engine calls instead.
    """

    def __init__(
        self, resource: str, upstash: ScriptedUpstash, *, credentials: bool = True
    ) -> None:
        """Serve a resource with an account. Without credentials, each call of the API fails."""

    def check(self, arguments: Mapping[str, Any]) -> Observed:
        """Check arguments, which may hold `UNKNOWN`."""

    def diff(self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> Observed:
        """Compare outputs with arguments, which may hold `UNKNOWN`."""

    def preview_create(self, arguments: Mapping[str, Any]) -> Observed:
        """Preview a creation."""

    def create(self, arguments: Mapping[str, Any]) -> Observed:
        """Create a resource."""

    def preview_update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        """Preview an update."""

    def update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        """Update a resource."""

    def read(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        """Read a resource. Without outputs, it is the read of `get()`."""

    def delete(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        """Delete a resource."""


class HandlerItself:
    """No front end at all: the handler, with the SDK's wire behind it."""

    def __init__(
        self, resource: str, upstash: ScriptedUpstash, *, credentials: bool = True
    ) -> None:
        self._handler = handler_of(resource)
        self._upstash = upstash
        self._run = Run()
        if not credentials:
            upstash.before_call = self._reject

    @staticmethod
    def _reject() -> NoReturn:
        raise ConfigurationError("no credentials")

    def check(self, arguments: Mapping[str, Any]) -> Observed:
        problems = self._handler.check(arguments, self._upstash.preview(self._run))
        return self._observed(problems=tuple(map(str, problems)))

    def diff(self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> Observed:
        assert id_
        context = self._upstash.preview(run=self._run)
        try:
            diff = self._handler.diff(outputs, arguments, context)
        except RotationError as error:
            return self._observed(failure=str(error))
        return self._observed(changes=diff.changes, replaces=diff.replaces)

    def preview_create(self, arguments: Mapping[str, Any]) -> Observed:
        return self._carried_out(self._handler.create, arguments, preview=True)

    def create(self, arguments: Mapping[str, Any]) -> Observed:
        return self._carried_out(self._handler.create, arguments)

    def preview_update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        return self._carried_out(self._handler.update, id_, outputs, arguments, preview=True)

    def update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        return self._carried_out(self._handler.update, id_, outputs, arguments)

    def read(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        return self._carried_out(self._handler.read, id_, outputs)

    def delete(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        assert id_
        return self._carried_out(self._handler.delete, outputs)

    def _carried_out(
        self, method: Callable[..., Resource | None], *arguments: Any, preview: bool = False
    ) -> Observed:
        try:
            surroundings = self._upstash.preview if preview else self._upstash.operation
            made = method(*arguments, surroundings(run=self._run))
        except PartialFailureError as error:
            kept = self._resource(error.id, error.outputs)
            return replace(kept, failure=str(error), kept=True)
        except RotationError as error:
            return self._observed(failure=str(error))
        return self._resource(made.id, made.outputs) if made else self._observed()

    def _resource(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        secret = self._handler.secret_in_state
        marked = {
            name: rpc.wrap_rpc_secret(value) if name in secret else value
            for name, value in _on_the_wire(outputs).items()
        }
        sent, names = _received(asyncio.run(rpc.serialize_properties(marked, {})))
        return self._observed(id=id_, outputs=sent, secret=names)

    def _observed(self, **facts: Any) -> Observed:
        upstash = self._upstash
        return Observed(**facts, lines=tuple(upstash.reporter.lines), calls=tuple(upstash.calls))


class _ServedFrontEnd:
    """What the harnesses of both front ends share: an account, lines, and the engine's clock."""

    _urn: str

    def __init__(self, upstash: ScriptedUpstash) -> None:
        self._upstash = upstash
        self._lines: list[tuple[str, str]] = []
        self._previews = False

    def _observed(self, **facts: Any) -> Observed:
        return Observed(**facts, lines=tuple(self._lines), calls=tuple(self._upstash.calls))

    @contextmanager
    def _preview(self) -> Iterator[None]:
        self._previews = True
        try:
            yield
        finally:
            self._previews = False

    @contextmanager
    def _served(self, environ: Mapping[str, str], *patches: Any) -> Iterator[None]:
        """Let calls see this environment, account and clock, and nothing of the machine's."""
        others = {name: text for name, text in os.environ.items() if "UPSTASH" not in name}
        with ExitStack() as stack:
            for each in (
                patch.dict(os.environ, {**others, **environ}, clear=True),
                patch.object(engine_context, "open_account", self._open_account),
                patch.object(engine_context, "now", self._upstash.clock.now),
                patch.object(log, "show", self._show),
                *patches,
            ):
                stack.enter_context(each)
            yield

    def _open_account(self, settings: Callable[[], Settings], _report: object) -> Account:
        assert not self._previews, "a preview opens no account"
        self._upstash.before_call = settings
        return self._upstash.account

    def _show(
        self, severity: str, message: str, urn: str | None, address: str | None = None
    ) -> None:
        assert urn == self._urn
        assert address is None
        self._lines.append((severity, message))


class DynamicFrontEnd(_ServedFrontEnd):
    """Pulumi's dynamic provider: the SDK's own servicer, called as the engine calls it."""

    def __init__(
        self, resource: str, upstash: ScriptedUpstash, *, credentials: bool = True
    ) -> None:
        super().__init__(upstash)
        self._run = Run()
        self._urn = f"urn:pulumi:dev::test::pulumi-python:dynamic/upstash:{resource}::it"
        self._environ = {"UPSTASH_EMAIL": "a@b.c", "UPSTASH_API_KEY": "key-canary"}
        if not credentials:
            self._environ = {}
        provider = getattr(pulumi_upstash_rotation.provider, f"{resource}Provider")()
        self._provider = {"__provider": serialize_provider(provider)}
        self._servicer = _sdk().DynamicResourceProviderServicer()

    def check(self, arguments: Mapping[str, Any]) -> Observed:
        news = self._properties(arguments)
        request = provider_pb2.CheckRequest(urn=self._urn, news=news)
        with self._preview():
            response, observed = self._call("Check", request)
        if response is None:
            return observed
        for failure in response.failures:
            assert not failure.property  # the engine would print its value
        assert response.inputs.fields.keys() <= news.fields.keys()
        return replace(observed, problems=tuple(each.reason for each in response.failures))

    def diff(self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> Observed:
        olds, news = self._properties(outputs), self._properties(arguments)
        request = provider_pb2.DiffRequest(id=id_, urn=self._urn, olds=olds, news=news)
        with self._preview():
            response, observed = self._call("Diff", request)
        if response is None:
            return observed
        return replace(
            observed,
            changes=response.changes != provider_pb2.DiffResponse.DIFF_NONE,
            replaces=tuple(response.replaces),
        )

    def preview_create(self, arguments: Mapping[str, Any]) -> Observed:
        return self.check(arguments)

    def create(self, arguments: Mapping[str, Any]) -> Observed:
        properties = self._properties(arguments)
        request = provider_pb2.CreateRequest(urn=self._urn, properties=properties)
        response, observed = self._call("Create", request)
        return self._resource(response.id, response.properties) if response else observed

    def preview_update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        return self.diff(id_, outputs, arguments)

    def update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        olds, news = self._properties(outputs), self._properties(arguments)
        request = provider_pb2.UpdateRequest(id=id_, urn=self._urn, olds=olds, news=news)
        response, observed = self._call("Update", request)
        return self._resource(id_, response.properties) if response else observed

    def read(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        properties = self._properties(outputs)
        request = provider_pb2.ReadRequest(id=id_, urn=self._urn, properties=properties)
        response, observed = self._call("Read", request)
        if response is None or not response.id:
            return observed
        return self._resource(response.id, response.properties)

    def delete(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        properties = self._properties(outputs)
        request = provider_pb2.DeleteRequest(id=id_, urn=self._urn, properties=properties)
        return self._call("Delete", request)[1]

    def _properties(self, values: Mapping[str, Any]) -> struct_pb2.Struct:
        properties = struct_pb2.Struct()
        properties.update(_on_the_wire({**values, **self._provider}))
        return properties

    def _call(self, method: str, request: Any) -> tuple[Any, Observed]:
        call = _Call()
        response = None
        run = patch.object(engine_context, "_RUN", self._run)
        with self._served(self._environ, run):
            try:
                response = getattr(self._servicer, method)(request, call)
            except _AbortedError:
                pass
            except Exception as error:  # noqa: BLE001  an older SDK lets it pass
                call.error = error
        if call.error is None:
            return response, self._observed()
        assert type(call.error) is RotationError, repr(call.error)
        ((name, encoded),) = call.metadata
        assert name == "grpc-status-details-bin"
        line = str(call.error)
        for kept in kept_resources(encoded, line):
            observed = self._resource(kept.id, kept.properties)
            return None, replace(observed, failure=line, kept=True)
        return None, self._observed(failure=line)

    def _resource(self, id_: str, properties: struct_pb2.Struct) -> Observed:
        outputs, secret = _received(properties)
        assert outputs.pop("__provider") == self._provider["__provider"]
        return self._observed(id=id_, outputs=outputs, secret=secret)


class NativeFrontEnd(_ServedFrontEnd):
    """The native plugin: its servicer, called as the engine calls it."""

    def __init__(
        self, resource: str, upstash: ScriptedUpstash, *, credentials: bool = True
    ) -> None:
        super().__init__(upstash)
        names = {"RedisAclRetirement": "RedisAclTokenRetirement"}
        type_ = f"upstash-rotation:index:{names.get(resource, resource)}"
        self._urn = f"urn:pulumi:dev::test::{type_}::it"
        config = {"email": "a@b.c", "apiKey": "key-canary"} if credentials else {}
        self._servicer = native.NativeProvider()
        self._call("Handshake", provider_pb2.ProviderHandshakeRequest())
        self._call("Configure", provider_pb2.ConfigureRequest(args=self._properties(config)))

    def check(self, arguments: Mapping[str, Any]) -> Observed:
        news = self._properties(arguments)
        with self._preview():
            request = provider_pb2.CheckRequest(urn=self._urn, news=news)
            response, observed = self._call("Check", request)
        if response is None:
            return observed
        assert _as_text(response.inputs) == _as_text(news)
        for failure in response.failures:
            assert not failure.property  # the engine would print its value
        problems = tuple(_with_core_name(each.reason) for each in response.failures)
        return replace(observed, problems=problems)

    def diff(self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> Observed:
        with self._preview():
            for session in self._servicer._sessions.all():  # a check has come before
                session.checked(self._urn)
            olds, news = self._properties(outputs), self._properties(arguments)
            request = provider_pb2.DiffRequest(id=id_, urn=self._urn, olds=olds, news=news)
            response, observed = self._call("Diff", request)
        if response is None:
            return observed
        return replace(
            observed,
            changes=response.changes != provider_pb2.DiffResponse.DIFF_NONE,
            replaces=tuple(map(snake, response.replaces)),
        )

    def preview_create(self, arguments: Mapping[str, Any]) -> Observed:
        with self._preview():
            return self._create(arguments, preview=True)

    def create(self, arguments: Mapping[str, Any]) -> Observed:
        return self._create(arguments, preview=False)

    def _create(self, arguments: Mapping[str, Any], *, preview: bool) -> Observed:
        properties = self._properties(arguments)
        request = provider_pb2.CreateRequest(urn=self._urn, properties=properties, preview=preview)
        response, observed = self._call("Create", request)
        return self._resource(response.id, response.properties) if response else observed

    def preview_update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        with self._preview():
            return self._update(id_, outputs, arguments, preview=True)

    def update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Observed:
        return self._update(id_, outputs, arguments, preview=False)

    def _update(
        self, id_: str, outputs: Mapping[str, Any], arguments: Mapping[str, Any], *, preview: bool
    ) -> Observed:
        olds, news = self._properties(outputs), self._properties(arguments)
        request = provider_pb2.UpdateRequest(
            id=id_, urn=self._urn, olds=olds, news=news, preview=preview
        )
        response, observed = self._call("Update", request)
        return self._resource(id_, response.properties) if response else observed

    def read(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        properties = self._properties(outputs)
        request = provider_pb2.ReadRequest(id=id_, urn=self._urn, properties=properties)
        response, observed = self._call("Read", request)
        if response is None or not response.id:
            return observed
        return self._resource(response.id, response.properties)

    def delete(self, id_: str, outputs: Mapping[str, Any]) -> Observed:
        properties = self._properties(outputs)
        request = provider_pb2.DeleteRequest(id=id_, urn=self._urn, properties=properties)
        return self._call("Delete", request)[1]

    @staticmethod
    def _properties(values: Mapping[str, Any]) -> struct_pb2.Struct:
        properties = struct_pb2.Struct()
        properties.update(_on_the_wire(names.to_camel(values)))
        return properties

    def _call(self, method: str, request: Any) -> tuple[Any, Observed]:
        call = _Call()
        response = None
        with self._served({}), contextlib.suppress(_AbortedError):
            response = getattr(self._servicer, method)(request, call)
        if call.details is None:
            return response, self._observed()
        assert call.metadata or call.details
        for _, encoded in call.metadata or ():
            (kept,) = kept_resources(encoded, call.details)
            observed = self._resource(kept.id, kept.properties)
            return None, replace(observed, failure=call.details, kept=True)
        return None, self._observed(failure=call.details)

    def _resource(self, id_: str, properties: struct_pb2.Struct) -> Observed:
        outputs, secret = _received(properties)
        return self._observed(
            id=id_ or None,
            outputs=names.to_snake(outputs),
            secret=frozenset(map(snake, secret)),
        )


def _as_text(properties: struct_pb2.Struct) -> str:
    """Return properties in clear as text, in which NaN equals NaN."""
    return json.dumps(native.wire.plain(properties), sort_keys=True, default=repr)


def _with_core_name(problem: str) -> str:
    name, space, rest = problem.partition(" ")
    return f"{snake(name)}{space}{rest}"


class _AbortedError(Exception):
    """A gRPC call has ended."""


class _Call:
    """The gRPC call that the SDK's servicer serves."""

    error: BaseException | None = None
    details: str | None = None
    metadata: Any = None

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def abort(self, _code: grpc.StatusCode, details: str) -> NoReturn:
        self.error = sys.exc_info()[1]
        self.details = details
        raise _AbortedError

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata


@functools.cache
def _sdk() -> Any:
    """Return the SDK's module for a provider's process, without the server that it starts."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with patch.object(grpc, "server", side_effect=_AbortedError):
        try:
            spec.loader.exec_module(module)
        except _AbortedError:
            return module
    raise AssertionError("the SDK started a server")


def _on_the_wire(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the engine sends them: what is unknown is a text of its own."""
    wire: dict[str, Any] = json_ready(values)
    return wire


def json_ready(value: Any) -> Any:
    if value is UNKNOWN:
        return rpc.UNKNOWN
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value


def _received(properties: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[str]]:
    """Return properties in clear, and the names of those that are marked as secrets."""
    values = json_format.MessageToDict(properties)
    secret = frozenset(name for name, value in values.items() if rpc.is_rpc_secret(value))
    clear = {
        name: rpc.unwrap_rpc_secret(value) if name in secret else value
        for name, value in values.items()
    }
    return mark_unknown(clear, lambda value: value == rpc.UNKNOWN), secret


FRONT_ENDS: Final[Mapping[str, type[FrontEnd]]] = {
    "handler": HandlerItself,
    "dynamic": DynamicFrontEnd,
    "native": NativeFrontEnd,
}
