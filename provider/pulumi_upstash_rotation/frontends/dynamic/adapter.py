"""A dynamic provider over a handler: it translates the SDK's calls and results.

Programs import this module to declare a resource. Only the provider's own process needs requests
and pydantic. So the calls that need them import them.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from pulumi_upstash_rotation.errors import ConfigurationError, RotationError
from pulumi_upstash_rotation.frontends.engine import log
from pulumi_upstash_rotation.frontends.engine.context import new_context, new_operation
from pulumi_upstash_rotation.frontends.engine.failures import failure_of
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.upstash.settings import (
    CONFIG_KEYS,
    MOST_MAX_CONCURRENCY,
    Settings,
    resolve_settings,
)
from pulumi_upstash_rotation.values import mark_unknown

from . import sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.dynamic import ConfigureRequest

    from pulumi_upstash_rotation.resources.seam import Handler, Operation

_Method = TypeVar("_Method", bound="Callable[..., Any]")


def _guarded(method: _Method) -> _Method:
    """Turn every exception of a provider method into one clear line.

    The engine would hang if a method raised `SystemExit` or another error that is no `Exception`.
    """

    @functools.wraps(method)
    def guarded(self: DynamicProvider, *args: Any) -> Any:  # noqa: ANN401  as the wrapped method
        try:
            return method(self, *args)
        except BaseException as error:  # noqa: BLE001  see above
            failure = failure_of(error, method.__name__)
        if failure.partial:
            id_, outputs = failure.partial
            marked = sdk.encrypted(outputs, self.handler.secret_in_state)
            failure = replace(failure, partial=(id_, marked))
        sdk.fail_call(failure)
        raise RotationError(failure.message)

    return cast("_Method", guarded)


class DynamicProvider(ResourceProvider):
    """Serves one resource.

    It has no attributes, because Pulumi pickles them into the state. `configure()` runs later, in
    the provider's own process.
    """

    resource: ClassVar[str]
    """Name of the resource, as programs know it."""

    serialize_as_secret_always = False
    """The pickle holds only the name of the class. The engine would encrypt it twice for each
    resource whenever it writes the state. That would cost a sixth of its time."""

    _config: Mapping[str, object]

    @property
    def handler(self) -> Handler:
        """The rules of the resource."""
        return handler_of(self.resource)

    @_guarded
    def configure(self, req: ConfigureRequest) -> None:
        """Keep the part of the stack's config that this package reads."""
        self._config = {key: req.config.get(key) for key in CONFIG_KEYS}
        sdk.serve_at_once(MOST_MAX_CONCURRENCY)  # so that the engine's --parallel is the only limit
        if os.environ.get("UPSTASH_ROTATION_DEBUG", "0") not in {"", "0"}:
            log.show_details()

    @_guarded
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Report every wrong argument and setting, already in a preview."""
        problems: list[RotationError] = [*self.handler.check(_plain(news), new_context(_Row()))]
        try:
            self._settings()
        except ConfigurationError as error:
            problems.append(error)
        # If a failure named its property, the engine would show the value, which may be secret.
        return CheckResult(news, [CheckFailure("", str(problem)) for problem in problems])

    @_guarded
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Return whether an update would do something."""
        diff = self.handler.diff(olds, _plain(news), new_context(_Row()))
        # None lets the engine find the changed inputs, so that it can show them.
        changes = (None if diff.by_input else True) if diff.changes else False
        return DiffResult(changes=changes, replaces=list(diff.replaces) or None)

    @_guarded
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the resource. The SDK never calls this in a preview."""
        made = self.handler.create(_plain(props), self._operation())
        return CreateResult(made.id, self._encrypted(made.outputs))

    @_guarded
    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Make the change that `diff()` found. The SDK never calls this in a preview."""
        made = self.handler.update(id_, olds, _plain(news), self._operation())
        return UpdateResult(self._encrypted(made.outputs))

    @_guarded
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the current outputs, for a refresh or `get()`."""
        found = self.handler.read(id_, props, self._operation())
        if found is None:
            return ReadResult(None, {})
        return ReadResult(found.id, self._encrypted(found.outputs))

    @_guarded
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Delete the resource."""
        self.handler.delete(props, self._operation())

    def _operation(self) -> Operation:
        return new_operation(_Row(), self._settings)

    def _settings(self) -> Settings:
        return resolve_settings(self._config, os.environ)

    def _encrypted(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        return sdk.encrypted(outputs, self.handler.secret_in_state)


class _Row:
    """Reports on the row of the resource whose call created it."""

    def __init__(self) -> None:
        self._urn = sdk.urn_of_call()

    def info(self, message: str) -> None:
        log.show("info", message, self._urn)

    def warning(self, message: str) -> None:
        log.show("warning", message, self._urn)


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's properties with `UNKNOWN` for each value that it does not know yet."""
    plain: dict[str, Any] = mark_unknown(properties, sdk.is_unknown)
    return plain
