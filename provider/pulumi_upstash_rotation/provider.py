"""The dynamic provider: translates between the Pulumi engine's dicts and the rotation.

The path `pulumi_upstash_rotation.provider.RedisPasswordRotationProvider` is written into the state
of every stack and must never change. Programs import this module to declare a resource, so what
only the provider's own process needs (requests, pydantic) is imported where it is used.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import logging
import os
import threading
import traceback
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pulumi import output
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime import rpc

from . import engine_host
from .decision import NOTHING_DUE, Decision, decide
from .errors import ConfigurationError, DatabaseNotFoundError, InvalidInputError, RotationError
from .inputs import UNKNOWN, Inputs, find_problems, parse_inputs
from .settings import CONFIG_KEYS, MOST_MAX_CONCURRENCY, Settings, resolve_settings
from .state import CREDENTIALS, parse_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.dynamic import ConfigureRequest

    from .client import UpstashClient
    from .lifecycle import Result, UnsettledRotationError
    from .models import Database
    from .state import Verification

SECRET_OUTPUTS = (*CREDENTIALS, "redis_url", "extra_secret_attributes")
# Triggers may be secret today and not tomorrow, when those of the last rotation still are.
_SECRET_IN_STATE = (*SECRET_OUTPUTS, "triggers", "unsettled_triggers")

_created: set[str] = set()
"""Databases that this process, which lives for one run, has created a resource for."""

_REPORT = "please report it, with what UPSTASH_ROTATION_DEBUG=1 shows"
_LOG = logging.getLogger(__name__)

_prepared = threading.Event()

_Method = TypeVar("_Method", bound="Callable[..., Any]")


class _PartialFailureError(RotationError):
    """A rotation failed and may have happened all the same: the state has to remember that."""

    def __init__(self, message: str, id_: str, outputs: dict[str, Any]) -> None:
        super().__init__(message)
        self.partial = (id_, outputs)


def _guarded(method: _Method) -> _Method:
    """Let a provider method fail with one clear line, whatever happens inside.

    Anything but an `Exception` that leaves a method, such as `SystemExit`, would hang the engine.
    """

    @functools.wraps(method)
    def guarded(*args: Any) -> Any:  # noqa: ANN401  the signature of whatever is wrapped
        partial = None
        try:
            return method(*args)
        except _PartialFailureError as error:
            message, partial = str(error), error.partial
        except InvalidInputError as error:
            message = f"{error.argument} {error}"
        except RotationError as error:
            message = str(error)
        except BaseException as error:  # noqa: BLE001
            # The text of a foreign error may hold a value of the state; its type has to do.
            message = f"unexpected {type(error).__name__} in {method.__name__}: {_REPORT}"
            frames = "".join(traceback.format_tb(error.__traceback__))
            _LOG.debug("unexpected %s at\n%s", type(error).__name__, frames)
        engine_host.fail_with(message, partial=partial)
        raise RotationError(message)

    return cast("_Method", guarded)


class RedisPasswordRotationProvider(ResourceProvider):
    """Serves `RedisPasswordRotation`.

    Born without attributes: what an object holds when a program declares a resource is pickled
    into the stack's state. `configure()` runs in the provider's own process, later.
    """

    serialize_as_secret_always = False
    """What is serialized is this class's name. Encrypting it, twice for each resource in each write
    of the state, would cost the engine a sixth of its time."""

    _config: Mapping[str, object]

    @_guarded
    def configure(self, req: ConfigureRequest) -> None:
        """Keep the part of the stack's config that concerns us."""
        self._config = {key: req.config.get(key) for key in CONFIG_KEYS}
        engine_host.serve_at_once(MOST_MAX_CONCURRENCY)  # the engine's --parallel is the limit
        if os.environ.get("UPSTASH_ROTATION_DEBUG", "0") not in {"", "0"}:
            _log_to_stderr()

    @_guarded
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Report everything that is known to be wrong, in preview already."""
        # No property is named to the engine, which would print its value: that may be secret.
        failures = [
            CheckFailure("", f"{problem.argument} {problem}")
            for problem in find_problems(_mark_unknown(news))
        ]
        try:
            self._settings()
        except ConfigurationError as error:
            failures.append(CheckFailure("", str(error)))
        return CheckResult(news, failures)

    @_guarded
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Say whether an update would reset a password; `__provider` and outputs play no part."""
        decision = decide(_inputs(news), parse_state(olds), now=_now())
        _LOG.debug("diff of %s: %s", olds.get("database_id"), decision)
        if decision.rotate:
            engine_host.inform(_announcement(decision))
        if decision.rotate and not decision.by_input:
            return DiffResult(changes=True)
        # None leaves it to the engine to find the changed inputs, so that it can show them.
        return DiffResult(
            changes=None if decision != NOTHING_DUE else False,
            replaces=["database_id"] if decision.replace else None,
        )

    @_guarded
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Reset the password of a database for the first time, or adopt it as it is."""
        from . import lifecycle

        inputs = _inputs(props)
        id_ = str(inputs.database_id)
        _created.add(id_)
        _prepare_verification(inputs)
        try:
            result = lifecycle.create(self._client(), inputs, now=_now(), verify=_verify)
        except lifecycle.UnsettledRotationError as error:
            raise _in_doubt(error, id_, inputs, {}) from None
        return CreateResult(id_, _outputs(result, inputs.rotate_on_delete))

    @_guarded
    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Reset the password if that is due, else keep everything as it is."""
        from . import lifecycle

        inputs = _inputs(news)
        try:
            state = parse_state(olds)
            _prepare_verification(inputs)
            result = lifecycle.update(self._client, inputs, state, now=_now(), verify=_verify)
        except lifecycle.UnsettledRotationError as error:
            raise _in_doubt(error, id_, inputs, olds) from None
        if result is None:
            return UpdateResult(_marked({**olds, "rotate_on_delete": inputs.rotate_on_delete}))
        return UpdateResult(_outputs(result, inputs.rotate_on_delete))

    @_guarded
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Bring the outputs up to date with the database; never resets."""
        from . import lifecycle

        state = parse_state({"database_id": id_, **props})
        result = lifecycle.read(self._client(), state, now=_now())
        if result is not None:
            return ReadResult(id_, _outputs(result, state.rotate_on_delete))
        if "schema_version" in props:  # a refresh, not a `get`
            return ReadResult(None, {})
        problem = f"cannot read Redis database {id_!r}: the account has no such database (404)"
        raise DatabaseNotFoundError(problem, "nothing has changed", status=404)

    @_guarded
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Leave the database alone, unless the program asked for a last reset."""
        from . import lifecycle

        state = parse_state(props)
        if state.database_id in _created:
            return  # replaced: the live password is the replacement's, reset or adopted
        for warning in lifecycle.delete(self._client, state):
            engine_host.warn(warning)

    def _settings(self) -> Settings:
        return resolve_settings(self._config, os.environ)

    def _client(self) -> UpstashClient:
        from .client import client_for

        return client_for(self._settings(), engine_host.inform)


def _log_to_stderr() -> None:
    """Show what this package does, secrets left out; the engine shows a provider's stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger = logging.getLogger(__package__)
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def _now() -> dt.datetime:
    """Return the present: the package's only look at a clock."""
    return dt.datetime.now(dt.timezone.utc)


def _prepare_verification(inputs: Inputs) -> None:
    """Load what verification needs while the API is busy; redis-py takes a while."""
    if inputs.verify and not _prepared.is_set():
        _prepared.set()
        threading.Thread(target=_load_verification, daemon=True).start()


def _load_verification() -> None:
    with contextlib.suppress(Exception):  # verification itself says what is wrong
        from . import verification

        verification.prepare()


def _verify(
    database: Database, before: Mapping[str, str], *, timeout_seconds: float
) -> Verification:
    from .verification import verify

    told = engine_host.inform
    return verify(database, before, timeout_seconds=timeout_seconds, tell=told)


def _outputs(result: Result, rotate_on_delete: object) -> dict[str, Any]:
    """Return a resource's outputs, and show the warnings that come with them."""
    from .outputs import to_outputs

    for warning in result.rotation.warnings:
        engine_host.warn(warning)
    return _marked(to_outputs(result, rotate_on_delete=rotate_on_delete is True))


def _announcement(decision: Decision) -> str:
    if decision.cause == "unsettled":
        return "the last reset may or may not have happened: that is found out now"
    may = "may be" if decision.uncertain else "is"
    return f"the password {may} due for a reset: {decision.cause}"


def _in_doubt(
    error: UnsettledRotationError, id_: str, inputs: Inputs, olds: Mapping[str, Any]
) -> _PartialFailureError:
    """Return the failure that makes the state remember a rotation that may have happened."""
    from .outputs import doubt

    before = _outputs(error.known, inputs.rotate_on_delete) if error.known else olds
    remembered = {**before, **doubt(error.cause, error.triggers)}
    return _PartialFailureError(str(error), id_, _marked(remembered))


def _inputs(props: Mapping[str, Any]) -> Inputs:
    return parse_inputs(_mark_unknown(props))


def _mark_unknown(value: Any) -> Any:  # noqa: ANN401  any value that the engine sends
    """Replace what the engine does not know yet, at any depth, by the rotation's own mark."""
    if isinstance(value, output.Unknown) or value == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _mark_unknown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mark_unknown(item) for item in value]
    return value


def _marked(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Mark what must be encrypted, independently of the options that a program gives."""
    return {
        name: rpc.wrap_rpc_secret(value) if name in _SECRET_IN_STATE else value
        for name, value in outputs.items()
    }
