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
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime import rpc

from . import engine_host
from .decision import NOTHING_DUE, decide
from .errors import ConfigurationError, InvalidInputError, RotationError
from .inputs import UNKNOWN, Inputs, find_problems, parse_inputs
from .settings import CONFIG_KEYS, Settings, resolve_settings
from .state import CREDENTIALS, parse_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.dynamic import ConfigureRequest

    from .client import UpstashClient
    from .state import State

SECRET_OUTPUTS = (*CREDENTIALS, "redis_url", "extra_secret_attributes")

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
        decision = decide(_inputs(news), parse_state(olds), now=_now())
        if decision.rotate:
            may = "may be" if decision.uncertain else "is"
            engine_host.inform(f"the password {may} due for a reset: {decision.cause}")
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
        inputs = _inputs(props)
        return CreateResult(str(inputs.database_id), self._carried_out(inputs, None))

    @_guarded
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Reset the password if that is due, else keep everything as it is."""
        inputs = _inputs(news)
        state = parse_state(olds)
        if decide(inputs, state, now=_now()).rotate:
            return UpdateResult(self._carried_out(inputs, state))
        return UpdateResult(_marked({**olds, "rotate_on_delete": inputs.rotate_on_delete}))

    @_guarded
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Bring the outputs up to date with the database; never resets."""
        from .outputs import to_outputs  # noqa: PLC0415  programs need not load pydantic
        from .rotation import refresh  # noqa: PLC0415

        state = parse_state({"database_id": id_, **props})
        rotation = refresh(self._client(), state, now=_now())
        if rotation is None:
            return ReadResult(None, {})
        outputs = to_outputs(
            rotation, triggers=state.triggers, rotate_on_delete=state.rotate_on_delete
        )
        return ReadResult(id_, _marked(outputs))

    @_guarded
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Leave the database alone, unless the program asked for a last reset."""
        from .rotation import revoke  # noqa: PLC0415  programs need not load requests

        state = parse_state(props)
        if state.rotate_on_delete:
            for warning in revoke(self._client(), state):
                engine_host.warn(warning)

    def _carried_out(self, inputs: Inputs, state: State | None) -> dict[str, Any]:
        """Do what the decision says and return the outputs."""
        from .outputs import to_outputs  # noqa: PLC0415  programs need not load pydantic
        from .rotation import adopt, rotate  # noqa: PLC0415

        now = _now()
        decision = decide(inputs, state, now=now)
        database_id, cause = str(inputs.database_id), str(decision.cause)
        if decision.rotate:
            count = state.rotation_count if state else 0
            rotation = rotate(self._client(), database_id, count=count, cause=cause, now=now)
        else:
            rotation = adopt(self._client(), database_id, now=now)
        for warning in rotation.warnings:
            engine_host.warn(warning)
        outputs = to_outputs(
            rotation,
            triggers=cast("Mapping[str, Any]", inputs.triggers),
            rotate_on_delete=inputs.rotate_on_delete is True,
        )
        return _marked(outputs)

    def _settings(self) -> Settings:
        return resolve_settings(self._config, os.environ)

    def _client(self) -> UpstashClient:
        from .client import client_for  # noqa: PLC0415  programs need not load requests

        return client_for(self._settings())


def _now() -> dt.datetime:
    """Return the present: the package's only look at a clock."""
    return dt.datetime.now(dt.timezone.utc)


def _inputs(props: Mapping[str, Any]) -> Inputs:
    return parse_inputs(_mark_unknown(props))


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


def _marked(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Mark what must be encrypted, independently of the options that a program gives."""
    return {
        name: rpc.wrap_rpc_secret(value) if name in SECRET_OUTPUTS else value
        for name, value in outputs.items()
    }
