"""Every step after the point of no return fails once, and nothing is lost.

The steps are the lines that really run after the request of a reset, so a new step joins by itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

import pulumi_upstash_rotation
from pulumi_upstash_rotation.errors import (
    IndeterminateOutcomeError,
    PartialFailureError,
    RotationError,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.handler import (
    RedisPasswordRotationHandler,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.state import parse_state
from pulumi_upstash_rotation.resources.seam import Operation, Resource, Run
from pulumi_upstash_rotation.resources.secured import Kept, secured
from pulumi_upstash_rotation.resources.secured import _text as guard_text
from pulumi_upstash_rotation.rotation.reconciliation import fingerprint
from pulumi_upstash_rotation.upstash import disclosure
from pulumi_upstash_rotation.upstash.account import Account
from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi
from pulumi_upstash_rotation.values import Verification

from ...support import payloads
from ...support.account import ACCEPTED, RecordingReporter, never
from ...support.clock import Clock
from ...support.payloads import DATABASE_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

    from pulumi_upstash_rotation.http.client import HttpClient, Request

PACKAGE: Final = str(Path(pulumi_upstash_rotation.__file__).parent)
HANDLER: Final = RedisPasswordRotationHandler()
ARGUMENTS: Final = {"database_id": DATABASE_ID, "triggers": {"a": 2}, "rotate_on_delete": True}
REJECTED: Final = Verification(verified=False, message="rejected", rejected=True)
LOST: Final = IndeterminateOutcomeError("lost", "the password may have changed")
DOCUMENTED: Final = {
    "database_id": DATABASE_ID,
    "database_name": "cache",
    "endpoint": "cache",
    "port": 6379,
    "tls": True,
    "state": "active",
    "customer_id": "example@upstash.com",
    "undocumented": {"a": [1]},
}
# As long as those of Upstash. A search for short ones would take most of the time here.
CREDENTIALS: Final = {name: text.ljust(40, "x") for name, text in payloads.CREDENTIALS.items()}
PREVIOUS_CREDENTIALS: Final = {
    name: text.ljust(40, "x") for name, text in payloads.PREVIOUS_CREDENTIALS.items()
}
BEFORE_A_RESET: Final = {**DOCUMENTED, **PREVIOUS_CREDENTIALS}
WITH_CREDENTIALS: Final = {**DOCUMENTED, **CREDENTIALS}
BROKEN: Final = json.dumps(WITH_CREDENTIALS).encode()[:-1]


class Upstash:
    """One database behind the real `DeveloperApi`.

    Args:
        responses: Responses to resets, in turn: a JSON value, bytes, or an error to raise. The
            last one stays.
        late: Number of reads after a reset that still return the previous credentials.
        verification: What the database answers to a login.
        before: What reads before the first reset return.
    """

    def __init__(
        self,
        *responses: Any,
        late: int = 0,
        verification: Verification = ACCEPTED,
        before: Any = BEFORE_A_RESET,
    ) -> None:
        self._before = before
        self.is_reset = False
        self._responses = list(responses)
        self._late = late
        self._verification = verification

    def send(self, request: Request, report: object) -> bytes:  # noqa: ARG002  as the real one
        if request.method == "POST":
            self.is_reset = True
            several = len(self._responses) > 1
            response = self._responses.pop(0) if several else self._responses[0]
            if isinstance(response, Exception):
                raise response
            return response if isinstance(response, bytes) else json.dumps(response).encode()
        if not self.is_reset:
            return json.dumps(self._before).encode()
        self._late -= 1
        return json.dumps(BEFORE_A_RESET if self._late >= 0 else WITH_CREDENTIALS).encode()

    def operation(self) -> Operation:
        client, clock = cast("HttpClient", self), Clock()
        account = Account(
            lambda: DeveloperApi(lambda: client, lambda: "example@upstash.com"),
            lambda *_, **__: self._verification,
            lambda: lambda: None,
            never,
            never,
        )
        return Operation(clock.now, RecordingReporter(), Run(), account, clock.sleep)


def create(upstash: Upstash) -> Resource:
    return HANDLER.create(ARGUMENTS, upstash.operation())


STORED: Final = create(Upstash(BEFORE_A_RESET, before=DOCUMENTED)).outputs


def update(upstash: Upstash) -> Resource:
    arguments = {**ARGUMENTS, "triggers": {"a": 3}}
    return HANDLER.update(DATABASE_ID, STORED, arguments, upstash.operation())


def steps_after_the_reset(
    upstash: Upstash, stop_at: int | None, without: frozenset[CodeType] = frozenset()
) -> tuple[Callable[[Callable[[], Any]], Any], list[str]]:
    """Return a function that runs a call, and the steps that it has taken after the reset.

    The call fails at the step with the number `stop_at`. A step is a line of the package.
    """
    steps: list[str] = []

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE) or code in without:
            return None
        if code.co_filename == disclosure.__file__:
            return None  # thousands of lines; a failure of any of them is one of its caller's line
        if event == "line" and upstash.is_reset:
            steps.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            if len(steps) - 1 == stop_at:
                raise MemoryError
        return trace

    def run(call: Callable[[], Any]) -> Any:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return call()
        finally:
            sys.settrace(before)

    return run, steps


SCENARIOS: Final[dict[str, Callable[[], Upstash]]] = {
    "a response with credentials": lambda: Upstash(WITH_CREDENTIALS),
    "the documented response": lambda: Upstash(DOCUMENTED),
    "a late read": lambda: Upstash(DOCUMENTED, late=2),
    "a lost response": lambda: Upstash(LOST),
    "a lost response and a late read": lambda: Upstash(LOST, WITH_CREDENTIALS, late=1),
    "a response that is no JSON": lambda: Upstash(BROKEN),
    "a rejected login": lambda: Upstash(DOCUMENTED, verification=REJECTED),
    "only lost responses": lambda: Upstash(LOST, late=99),
}


def outcomes(
    call: Callable[[Upstash], Resource], scenario: Callable[[], Upstash]
) -> Iterator[tuple[str, Resource | None, BaseException | None]]:
    """Run a call once for each step after the reset, and yield how it ends if that step fails."""
    # The guard's own code is what decides, so it is tested in its own module.
    functions = (secured, Kept.after, guard_text, PartialFailureError.__init__)
    guard = frozenset(function.__code__ for function in functions)
    upstash = scenario()
    run, steps = steps_after_the_reset(upstash, None, guard)
    with contextlib.suppress(RotationError):
        run(lambda: call(upstash))
    # A loop runs a line many times. Its first and its last run are enough.
    numbers = {steps.index(step) for step in steps} | {
        max(number for number, each in enumerate(steps) if each == step) for step in set(steps)
    }
    for number in sorted(numbers):
        step, failing = steps[number], scenario()
        run, taken = steps_after_the_reset(failing, number, guard)
        result, error = None, None
        try:
            result = run(functools.partial(call, failing))
        except BaseException as raised:  # noqa: BLE001  whatever leaves the call is judged
            error = raised
        assert taken[: number + 1] == list(steps[: number + 1]), "the run is not deterministic"
        yield step, result, error


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("call", [create, update])
def test_a_failure_of_any_step_after_a_reset_loses_nothing(
    call: Callable[[Upstash], Resource], scenario: Callable[[], Upstash]
) -> None:
    seen = 0
    for step, result, error in outcomes(call, scenario):
        seen += 1
        if result is not None:
            state = parse_state(result.outputs)
            assert state.credentials.password == CREDENTIALS["password"], step
            assert state.pending is None, step
            assert fingerprint(DATABASE_ID, PREVIOUS_CREDENTIALS["password"]) in state.earlier, step
        else:
            assert isinstance(error, PartialFailureError), (step, error)
            state = parse_state(error.outputs)
            assert state.pending is not None, step
            assert state.credentials.password == PREVIOUS_CREDENTIALS["password"], step
            assert "canary" not in str(error), step
        assert state.rotate_on_delete, step
    assert seen > 100


def test_rotated_at_is_the_moment_after_the_response() -> None:
    """A 429 can make a reset wait. Then the moment of the start lies before a scheduled one."""
    clock = Clock()

    class Waiting(Upstash):
        def send(self, request: Request, report: object) -> bytes:
            clock.sleep(3600)
            return super().send(request, report)

    operation = replace(Waiting(WITH_CREDENTIALS).operation(), now=clock.now, sleep=clock.sleep)
    started = clock.now()
    done = HANDLER.update(DATABASE_ID, STORED, {**ARGUMENTS, "triggers": {"a": 3}}, operation)
    moment = parse_state(done.outputs).record.rotated_at
    assert moment == started + timedelta(hours=2)  # a read and the reset
