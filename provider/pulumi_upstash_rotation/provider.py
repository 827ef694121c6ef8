"""The dynamic provider: translates between the Pulumi engine's dicts and the rotation.

The path `pulumi_upstash_rotation.provider.RedisPasswordRotationProvider` is written into the state
of every stack and must never change. Programs import this module to declare a resource, so what
only the provider's own process needs is imported where it is used.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pulumi import output
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime import rpc

from . import engine_host
from .decision import State, decide
from .errors import ConfigurationError, InvalidInputError, RotationError
from .inputs import UNKNOWN, Inputs, find_problems, parse_inputs
from .settings import CONFIG_KEYS, Settings, resolve_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.dynamic import ConfigureRequest

SECRET_OUTPUTS = (
    "password",
    "rest_token",
    "read_only_rest_token",
    "redis_url",
    "extra_secret_attributes",
)

_Method = TypeVar("_Method", bound="Callable[..., Any]")


def _guarded(method: _Method) -> _Method:
    """Let a provider method fail with one clear line, whatever happens inside.

    Anything but an `Exception` that leaves a method, such as `SystemExit`, would hang the engine.
    """

    @functools.wraps(method)
    def guarded(*args: Any) -> Any:  # noqa: ANN401  the signature of whatever is wrapped
        try:
            return method(*args)
        except RotationError as error:
            message = str(error)
        except BaseException as error:  # noqa: BLE001
            # The text of a foreign error may hold a value of the state; its type has to do.
            message = f"unexpected {type(error).__name__} in {method.__name__}: please report it"
        engine_host.fail_with(message)
        raise RotationError(message)

    return cast("_Method", guarded)


class RedisPasswordRotationProvider(ResourceProvider):
    """Serves `RedisPasswordRotation`.

    Born without attributes: what an object holds when a program declares a resource is pickled
    into the stack's state. `configure()` runs in the provider's own process, later.
    """

    _config: Mapping[str, object]

    @_guarded
    def configure(self, req: ConfigureRequest) -> None:
        """Keep the part of the stack's config that concerns us."""
        self._config = {key: req.config.get(key) for key in CONFIG_KEYS}

    @_guarded
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Report everything that is known to be wrong, in preview already."""
        failures = [_check_failure(problem) for problem in find_problems(_mark_unknown(news))]
        try:
            self._settings()
        except ConfigurationError as error:
            failures.append(CheckFailure("", str(error)))
        return CheckResult(news, failures)

    @_guarded
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Say whether an update would reset a password; `__provider` and outputs play no part."""
        decision = decide(_inputs(news), _state(olds))
        # None leaves it to the engine to find the changed inputs, so that it can show them.
        return DiffResult(
            changes=None if decision.rotate else False,
            replaces=["database_id"] if decision.replace else None,
        )

    @_guarded
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Reset the password of a database for the first time."""
        inputs = _inputs(props)
        return CreateResult(str(inputs.database_id), self._rotate(inputs))

    @_guarded
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Reset the password if that is due, else keep everything as it is."""
        inputs = _inputs(news)
        if decide(inputs, _state(olds)).rotate:
            return UpdateResult(self._rotate(inputs))
        return UpdateResult(_with_secrets(olds))

    def _settings(self) -> Settings:
        return resolve_settings(self._config, os.environ)

    def _rotate(self, inputs: Inputs) -> dict[str, Any]:
        from .client import client_for  # noqa: PLC0415  programs need not load requests
        from .outputs import to_outputs  # noqa: PLC0415
        from .rotation import rotate  # noqa: PLC0415

        client = client_for(self._settings())
        now = dt.datetime.now(dt.timezone.utc)  # the package's only look at a clock
        rotation = rotate(client, str(inputs.database_id), now=now)
        for warning in rotation.warnings:
            engine_host.warn(warning)
        return _with_secrets(to_outputs(inputs, rotation))


def _inputs(props: Mapping[str, Any]) -> Inputs:
    return parse_inputs(_mark_unknown(props))


def _state(olds: Mapping[str, Any]) -> State:
    return State(database_id=olds["database_id"], triggers=olds.get("triggers") or {})


def _check_failure(problem: InvalidInputError) -> CheckFailure:
    """Report a problem; the engine prints the value of a named property, which may be secret."""
    if problem.argument == "database_id":
        return CheckFailure(problem.argument, str(problem))
    return CheckFailure("", f"{problem.argument} {problem}")


def _mark_unknown(value: Any) -> Any:  # noqa: ANN401  any value that the engine sends
    """Replace what the engine does not know yet, at any depth, by the rotation's own mark."""
    if isinstance(value, output.Unknown) or value == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _mark_unknown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mark_unknown(item) for item in value]
    return value


def _with_secrets(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Mark what must be encrypted, independently of the options that a program gives."""
    return {
        name: rpc.wrap_rpc_secret(value) if name in SECRET_OUTPUTS else value
        for name, value in outputs.items()
    }
