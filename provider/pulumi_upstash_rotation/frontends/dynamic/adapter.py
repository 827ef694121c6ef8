"""A dynamic provider over a handler: it translates the SDK's calls and results.

Programs import this module to declare a resource. Only the provider's own process needs requests
and pydantic. So the calls that need them import them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

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
from pulumi_upstash_rotation.frontends.engine import descriptors, log
from pulumi_upstash_rotation.frontends.engine.context import (
    new_context,
    new_operation,
    share_run,
)
from pulumi_upstash_rotation.frontends.engine.failures import (
    Failure,
    failure_of,
    prepared,
    serialized,
)
from pulumi_upstash_rotation.frontends.engine.lifeline import end_with_engine
from pulumi_upstash_rotation.frontends.engine.outputs import (
    deliver,
    flat_only,
    unstorable,
)
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

    from pulumi_upstash_rotation.resources.seam import Context, Handler, Operation

_SLOTS: Final = descriptors.Slots(MOST_MAX_CONCURRENCY)
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
        if not (failure.partial and self._fail_partially(failure, failure.partial)):
            with contextlib.suppress(Exception):
                sdk.fail_call(Failure(failure.message))
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
        sdk.show_errors_as_lines()
        _prepare_process()
        if os.environ.get("UPSTASH_ROTATION_DEBUG", "0") not in {"", "0"}:
            log.show_details()

    @_guarded
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Report every wrong argument and setting, already in a preview."""
        arguments = _plain(news)
        problems: list[RotationError] = [*self.handler.check(arguments, _context())]
        if not problems:
            problems += unstorable(arguments, self.handler.essential)
        try:
            self._settings()
        except ConfigurationError as error:
            problems.append(error)
        # If a failure named its property, the engine would show the value, which may be secret.
        return CheckResult(news, [CheckFailure("", str(problem)) for problem in problems])

    @_guarded
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Return whether an update would do something."""
        diff = self.handler.diff(olds, _plain(news), _context())
        # None lets the engine find the changed inputs, so that it can show them.
        changes = (None if diff.by_input else True) if diff.changes else False
        return DiffResult(changes=changes, replaces=list(diff.replaces) or None)

    @_guarded
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the resource. The SDK never calls this in a preview."""
        with _SLOTS.one(), prepared(serialized):
            made = self.handler.create(_plain(props), self._operation())
            return CreateResult(made.id, self._delivered(made.outputs))

    @_guarded
    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Make the change that `diff()` found. The SDK never calls this in a preview."""
        with _SLOTS.one(), prepared(serialized):
            made = self.handler.update(id_, olds, _plain(news), self._operation())
            return UpdateResult(self._delivered(made.outputs))

    @_guarded
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the current outputs, for a refresh or `get()`."""
        with _SLOTS.one():
            found = self.handler.read(id_, props, self._operation())
            if found is None:
                return ReadResult(None, {})
            return ReadResult(found.id, self._delivered(found.outputs))

    @_guarded
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Delete the resource."""
        with _SLOTS.one():
            self.handler.delete(props, self._operation())

    def _operation(self) -> Operation:
        row = _Row()
        return new_operation(row, row.urn, self._settings)

    def _settings(self) -> Settings:
        return resolve_settings(self._config, os.environ)

    def _delivered(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return outputs that the SDK can send for sure.

        The call has done its work, so no exception may leave this method. The SDK would lose the
        outputs.
        """

        def encrypted(kept: Mapping[str, Any]) -> dict[str, Any]:
            marked = sdk.encrypted(kept, self.handler.secret_in_state)
            serialized(marked)
            return marked

        delivered = deliver(outputs, self.handler.essential, encrypted, _Row().warning)
        if delivered is None:  # the SDK itself may still be able to send these
            kept = flat_only(outputs, self.handler.essential).outputs
            return sdk.encrypted(kept, self.handler.secret_in_state)
        return delivered

    def _fail_partially(self, failure: Failure, partial: tuple[str, Mapping[str, Any]]) -> bool:
        """Make the engine keep the outputs of a failure. Return whether it will."""
        id_, outputs = partial

        def send(kept: Mapping[str, Any]) -> bool:
            marked = sdk.encrypted(kept, self.handler.secret_in_state)
            sdk.fail_call(replace(failure, partial=(id_, marked)))
            return True

        return bool(deliver(outputs, self.handler.essential, send, _Row().warning))


@functools.cache
def _prepare_process() -> None:
    """Prepare the provider's process, once."""
    if len(sys.argv) > 1 and end_with_engine(sys.argv[-1]):  # its address: see `log.show()`
        share_run(sys.argv[-1])
    # So that the engine's --parallel is the only limit, if there are enough descriptors.
    calls = descriptors.calls_at_once(descriptors.raise_limit(), MOST_MAX_CONCURRENCY)
    _SLOTS.limit_to(calls)
    sdk.serve_at_once(calls)


def _context() -> Context:
    row = _Row()
    return new_context(row, row.urn)


class _Row:
    """Reports on the row of the resource whose call created it."""

    def __init__(self) -> None:
        self.urn = sdk.urn_of_call()

    def info(self, message: str) -> None:
        log.show("info", message, self.urn)

    def warning(self, message: str) -> None:
        log.show("warning", message, self.urn)


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's properties with `UNKNOWN` for each value that it does not know yet."""
    plain: dict[str, Any] = mark_unknown(properties, sdk.is_unknown)
    return plain
