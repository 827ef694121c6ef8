"""The gRPC service of the plugin, over the same handlers as the dynamic provider.

A method translates Pulumi's messages and back. It adds no rule.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from importlib import resources as package_files
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from pulumi_upstash_rotation.errors import ConfigurationError, RotationError
from pulumi_upstash_rotation.frontends.engine import descriptors, log
from pulumi_upstash_rotation.frontends.engine.context import new_context, new_operation
from pulumi_upstash_rotation.frontends.engine.failures import (
    Failure,
    failure_of,
    prepared,
)
from pulumi_upstash_rotation.frontends.engine.names import camel
from pulumi_upstash_rotation.frontends.engine.outputs import unstorable
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.upstash.settings import (
    CONFIG_KEYS,
    MOST_MAX_CONCURRENCY,
    Settings,
    resolve_settings,
)
from pulumi_upstash_rotation.values import has_unknown

from . import functions, wire
from .delivery import delivered, keep_partially, next_rotation, to_properties
from .diffs import detailed_diff
from .names import for_programs, to_camel, to_snake
from .session import Row, Session, Sessions
from .version import plugin_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from google.protobuf.struct_pb2 import Struct

    from pulumi_upstash_rotation.resources.seam import Context, Handler, Operation

PACKAGE: Final = "upstash-rotation"
"""Name of the Pulumi package."""

_HANDLERS: Final = {"RedisAclTokenRetirement": "RedisAclRetirement"}
"""Types whose handler has another name."""
_SETTINGS: Final = tuple(key.partition(":")[2] for key in CONFIG_KEYS)
_ENGINES_OWN: Final = ("version", "pluginDownloadURL", "pluginChecksums", "__internal")
"""Properties that the engine adds to the config of a provider."""
_INSTEAD: Final = (
    "Declare a token with rotateOnCreate=false and existingToken, or a user with adoptExisting; "
    "nothing has changed"
)

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def _guarded(
    method: Callable[[NativeProvider, _Request, Session], _Response],
) -> Callable[[NativeProvider, _Request, grpc.ServicerContext], _Response]:
    """Turn every exception of a method into one clear line, with the state that must be kept."""

    @functools.wraps(method)
    def guarded(
        self: NativeProvider, request: _Request, context: grpc.ServicerContext
    ) -> _Response:
        session = self._sessions.of(context.peer())
        try:
            with cancellation.ends_waits(session.cancelled):
                return method(self, request, session)
        except BaseException as error:  # noqa: BLE001  the engine would show a traceback, or hang
            failure = failure_of(error, method.__name__.lower())
        _fail(request, context, session, failure)
        raise AssertionError  # abort() has raised

    return guarded


class NativeProvider(ResourceProviderServicer):
    """Serves all resources and functions of the package."""

    def __init__(self, address: str | None = None, slots: descriptors.Slots | None = None) -> None:
        """Prepare. `address` is that of the engine that started this process, if any."""
        self._sessions = Sessions(address)
        self._slots = slots or descriptors.Slots(MOST_MAX_CONCURRENCY)

    # The plugin

    def Handshake(  # noqa: N802  the service's own name, as all below
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Start a session of an engine."""
        self._sessions.start(context.peer(), request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(  # noqa: N802
        self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext
    ) -> Empty:
        """Take the address of an engine that did not start this process."""
        self._sessions.start(context.peer(), request.address)
        return Empty()

    def GetPluginInfo(  # noqa: N802
        self, request: Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        """Return the version."""
        del request, context
        return plugin_pb2.PluginInfo(version=plugin_version())

    def GetSchema(  # noqa: N802
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Return the package's schema."""
        del request, context
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema()))

    def GetMapping(  # noqa: N802
        self, request: provider_pb2.GetMappingRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetMappingResponse:
        """Return nothing: no other tool's resources correspond to these."""
        del request, context
        return provider_pb2.GetMappingResponse()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:  # noqa: N802
        """End all waits of the session's calls. The requests in flight come to their end."""
        del request
        self._sessions.of(context.peer()).cancelled.set()
        return Empty()

    def cancel_all(self) -> None:
        """End all waits of all sessions."""
        for session in self._sessions.all():
            session.cancelled.set()

    # The account

    @_guarded
    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, _session: Session
    ) -> provider_pb2.CheckResponse:
        """Report wrong settings once, before any resource."""
        problems = _config_problems(wire.plain(request.news))
        return _checked(request.news, problems, ("apiKey",))

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Return whether the config has changed. The engine then uses the new one at once."""
        del context
        same = request.olds == request.news
        response = provider_pb2.DiffResponse
        return response(changes=response.DIFF_NONE if same else response.DIFF_SOME)

    @_guarded
    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, session: Session
    ) -> provider_pb2.ConfigureResponse:
        """Keep the config. A call that needs an account reports what is wrong with it."""
        session.config = wire.plain(request.args)
        if os.environ.get("UPSTASH_ROTATION_DEBUG", "0") not in {"", "0"}:
            log.show_details(session.address)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # Resources

    @_guarded
    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, session: Session
    ) -> provider_pb2.CheckResponse:
        """Report every wrong argument and setting."""
        handler, arguments = _handler(request.urn), _arguments(request.news)
        problems: list[RotationError] = [*handler.check(arguments, _context(request, session))]
        if not problems:
            problems += unstorable(arguments, handler.essential)
        problems += _unknown_inputs(request.news, _type(request.urn))
        try:
            _settings(session)
        except ConfigurationError as error:
            problems.append(error)
        session.checked(request.urn)
        return _checked(request.news, problems, _secret_inputs(_type(request.urn)))

    @_guarded
    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, session: Session
    ) -> provider_pb2.DiffResponse:
        """Return whether an update would do something, and which inputs are the reason."""
        response = provider_pb2.DiffResponse
        if not session.was_checked(request.urn) and request.news == request.old_inputs:
            # A refresh shows what its read has found, not what is due.
            return _diff_of_refresh(session.changed(request.urn))
        handler, arguments = _handler(request.urn), _arguments(request.news)
        outputs = _outputs(request.olds)
        diff = handler.diff(outputs, arguments, _context(request, session))
        # A dynamic resource's state gets the names of this front end.
        moved = _DYNAMIC in request.olds.fields
        later = next_rotation(outputs, arguments) != outputs.get("next_rotation_at")
        if not (diff.changes or moved or later):
            return response(changes=response.DIFF_NONE)
        replaces = [camel(name) for name in diff.replaces]
        details = {}
        if diff.by_input and not moved:
            olds, news = wire.plain(request.old_inputs), wire.plain(request.news)
            details = detailed_diff(olds, news, replaces)
        return response(
            changes=response.DIFF_SOME,
            replaces=replaces,
            detailedDiff=details,
            hasDetailedDiff=bool(details),
            diffs=sorted({path.partition(".")[0].partition("[")[0] for path in details}),
        )

    @_guarded
    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, session: Session
    ) -> provider_pb2.CreateResponse:
        """Create a resource. A preview only returns what is known."""
        handler, arguments = _handler(request.urn), _arguments(request.properties)
        if request.preview:
            planned = handler.create(arguments, _context(request, session)).outputs
            properties = to_properties(planned, arguments, handler)
            return provider_pb2.CreateResponse(properties=properties)
        with self._slots.one(), prepared(wire.struct):
            operation = _operation(request, session)
            made = handler.create(arguments, operation)
            sent = delivered(made.outputs, arguments, handler, operation.reporter)
            return provider_pb2.CreateResponse(id=made.id, properties=sent)

    @_guarded
    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, session: Session
    ) -> provider_pb2.UpdateResponse:
        """Make the change that `Diff()` found. A preview only returns what is known."""
        handler, arguments = _handler(request.urn), _arguments(request.news)
        outputs = _outputs(request.olds)
        if request.preview:
            context = _context(request, session)
            planned = handler.update(request.id, outputs, arguments, context).outputs
            properties = to_properties(planned, arguments, handler)
            return provider_pb2.UpdateResponse(properties=properties)
        with self._slots.one(), prepared(wire.struct):
            operation = _operation(request, session)
            made = handler.update(request.id, outputs, arguments, operation)
            sent = delivered(made.outputs, arguments, handler, operation.reporter)
            return provider_pb2.UpdateResponse(properties=sent)

    @_guarded
    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, session: Session
    ) -> provider_pb2.ReadResponse:
        """Return a resource as it is now, for a refresh, an import or `get()`."""
        handler, inputs = _handler(request.urn), request.inputs
        outputs = _outputs(request.properties)
        with self._slots.one():
            operation = _operation(request, session)
            found = handler.read(request.id, outputs, operation)
            if found is None and not outputs:
                raise RotationError(f"Pulumi cannot import {_type(request.urn)}. {_INSTEAD}")
            if found is None:
                return provider_pb2.ReadResponse()
            if "schema_version" not in outputs:  # an import, or `get()`
                inputs = wire.struct({"databaseId": request.id})
            arguments = _arguments(inputs)
            sent = delivered(found.outputs, arguments, handler, operation.reporter)
            stored = request.properties.fields
            names = {*stored, *sent.fields} - {_DYNAMIC}
            changed = [each for each in names if stored.get(each) != sent.fields.get(each)]
            session.read(request.urn, changed)
            return provider_pb2.ReadResponse(id=found.id, properties=sent, inputs=inputs)

    @_guarded
    def Delete(  # noqa: N802
        self, request: provider_pb2.DeleteRequest, session: Session
    ) -> Empty:
        """Delete a resource."""
        with self._slots.one():
            operation = _operation(request, session)
            _handler(request.urn).delete(_outputs(request.properties), operation)
        return Empty()

    # Functions

    @_guarded
    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, session: Session
    ) -> provider_pb2.InvokeResponse:
        """Call a function."""
        name = request.tok.rpartition(":")[2]
        if name not in functions.FUNCTIONS:
            raise RotationError(f"{PACKAGE} has no function {name!r}")
        operation = new_operation(
            Row("", session.address), None, lambda: _settings(session), session.run
        )
        with self._slots.one():
            found = functions.call(name, _arguments(request.args), operation.account)
        secret = handler_of("RedisPasswordRotation").secret_in_state
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(wire.struct(to_camel(found), {*map(camel, secret)}))
        return response


_DYNAMIC: Final = "__provider"
"""A property of every dynamic resource's state. The engine moves such a state by an alias."""


@functools.cache
def schema() -> dict[str, Any]:
    """Return the package's schema."""
    text = package_files.files(__package__).joinpath("schema.json").read_text("utf-8")
    return {**json.loads(text), "version": plugin_version()}


def _type(urn: str) -> str:
    """Return the type in a URN: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`."""
    return urn.split("::")[2].rpartition("$")[2]


def _handler(urn: str) -> Handler:
    """Return the handler of the resource with a URN.

    Raises:
        RotationError: The package has no such resource.
    """
    type_ = _type(urn)
    name = type_.rpartition(":")[2]
    with contextlib.suppress(KeyError):
        return handler_of(_HANDLERS.get(name, name))
    raise RotationError(f"{PACKAGE} has no resource {type_!r}")


def _arguments(properties: Struct) -> dict[str, Any]:
    """Return the inputs of a program as the core names them."""
    return to_snake(wire.plain(properties))


def _outputs(properties: Struct) -> dict[str, Any]:
    """Return the outputs in the state as the core names them. Those of a dynamic resource are."""
    outputs = to_snake(wire.plain(properties))
    outputs.pop(_DYNAMIC, None)
    return outputs


def _context(request: Any, session: Session) -> Context:  # noqa: ANN401  any request
    return new_context(_row(request, session), request.urn, session.run)


def _operation(request: Any, session: Session) -> Operation:  # noqa: ANN401  same
    return new_operation(
        _row(request, session), request.urn, lambda: _settings(session), session.run
    )


def _row(request: Any, session: Session) -> Row:  # noqa: ANN401  same
    return Row(request.urn, session.address)


def _settings(session: Session) -> Settings:
    """Return the settings of a session's account.

    Raises:
        ConfigurationError: One is missing or malformed, or the engine has configured nothing.
    """
    if session.config is None:
        raise ConfigurationError("the engine has not configured this plugin; nothing has changed")
    config = {f"{PACKAGE}:{name}": value for name, value in session.config.items()}
    return resolve_settings(config, os.environ, PACKAGE)


def _config_problems(config: Mapping[str, Any]) -> list[RotationError]:
    """Return what is wrong with the config of a provider. Values that are not known yet pass."""
    unused = [name for name in config if name not in (*_SETTINGS, *_ENGINES_OWN)]
    problems: list[RotationError] = [
        ConfigurationError(
            f"config {PACKAGE}:{name} is not a setting. The settings are {', '.join(_SETTINGS)}"
        )
        for name in unused
        if name.isprintable()
    ]
    if not problems and not has_unknown(config):
        try:
            _settings(Session(config=config))
        except ConfigurationError as error:
            problems.append(error)
    return problems


def _diff_of_refresh(changed: Collection[str]) -> provider_pb2.DiffResponse:
    """Return the diff by which a refresh shows the outputs that its read has found changed."""
    response = provider_pb2.DiffResponse
    if not changed:
        return response(changes=response.DIFF_NONE)
    update = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE)
    return response(
        changes=response.DIFF_SOME,
        diffs=changed,
        detailedDiff=dict.fromkeys(changed, update),
        hasDetailedDiff=True,
    )


def _inputs(type_: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the inputs of a resource by the schema."""
    inputs: Mapping[str, Mapping[str, Any]] = schema()["resources"][type_]["inputProperties"]
    return inputs


@functools.cache
def _secret_inputs(type_: str) -> frozenset[str]:
    """Return the inputs of a resource that are secret by the schema."""
    return frozenset(name for name, each in _inputs(type_).items() if each.get("secret"))


def _unknown_inputs(news: Struct, type_: str) -> list[RotationError]:
    """Return a problem for each input that the schema lacks. Not every language checks the names.

    A misspelled one would have no effect. One in the core's spelling would, but not as a secret.
    """
    names = _inputs(type_)
    return [
        RotationError(f"{name!a} is not an input. The inputs are {', '.join(names)}")
        for name in sorted(news.fields)
        if name not in names
    ]


def _checked(
    news: Struct, problems: list[RotationError], secret: Collection[str] = ()
) -> provider_pb2.CheckResponse:
    """Return the inputs, those with these names as secrets, and what is wrong with them."""
    inputs = provider_pb2.CheckResponse(inputs=news).inputs
    for name in secret:
        if name in inputs.fields:
            wire.make_secret(inputs.fields[name])
    # If a failure named its property, the engine would show the value, which may be secret.
    failures = [
        provider_pb2.CheckFailure(reason=for_programs(str(problem))) for problem in problems
    ]
    return provider_pb2.CheckResponse(inputs=inputs, failures=failures)


def _fail(
    request: Any,  # noqa: ANN401  same
    context: grpc.ServicerContext,
    session: Session,
    failure: Failure,
) -> None:
    """End a call with one line. The engine keeps the partial state, if there is one."""
    message = for_programs(failure.message)
    if failure.partial:
        inputs = request.properties if hasattr(request, "properties") else request.news
        keep_partially(
            context,
            message,
            failure.partial,
            lambda: _arguments(inputs),
            handler=_handler(request.urn),
            row=_row(request, session),
        )
    context.abort(grpc.StatusCode.UNKNOWN, message)
