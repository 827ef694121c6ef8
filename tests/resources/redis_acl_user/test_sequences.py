"""Whatever fails or is killed, nobody is cut off, and one good run leaves one live token.

A model of the engine's order runs the three handlers: the token, the user, the consumer, the
retirement. A step that fails, and a kill, end a run. The state has what was saved until then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.resources import handler_of, seam

from ...support.account import ScriptedUpstash
from ...support.payloads import DATABASE_ID, WITH_CREDENTIALS
from ...support.scripted_acl import ScriptedAcl, other_digest, sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HANDLERS: Final = {
    "token": handler_of("RedisAclToken"),
    "user": handler_of("RedisAclUser"),
    "retirement": handler_of("RedisAclRetirement"),
}
STEPS: Final = ("token", "user", "consumer", "retirement")
FAULTS: Final = ("before", "after", "twice")
MOST_REQUESTS: Final = 8
"""No run sends more, with a refresh."""
FOREIGN: Final = "gwAAAA-canary-foreign"
DIGESTS: Final = (sha256, other_digest)
HANDED_ON: Final = ("token", "previous_tokens", "credential_fingerprint")
RULES: Final = (["~app:*", "+get"], ["~app:*", "+@read", "+ping"])

ConsumerEnd = Literal["works", "fails", "killed unsaved", "excluded"]


class EndOfRunError(Exception):
    """The run was killed, or the consumer failed."""


@dataclass(frozen=True)
class Run:
    """One `pulumi up`.

    Attributes:
        rotate: The program has a new trigger.
        retire: It calls `retire_previous()`.
        rules: Which rules it declares.
        refresh: The run reads everything first.
        fault: Number of a request, and what happens to it.
        killed_after: A step, and whether its result was saved. Both engine and provider end.
        consumer: What happens to the consumer, if it has to change.
    """

    rotate: bool = False
    retire: bool = True
    rules: int = 0
    refresh: bool = False
    fault: tuple[int, str] | None = None
    killed_after: tuple[str, bool] | None = None
    consumer: ConsumerEnd = "works"


class World:
    """A database, a stack, and a consumer with clients that use what it has got last.

    Attributes:
        holder: The token that the clients use.
    """

    def __init__(
        self, *, digest: Callable[[str], str] = sha256, foreign: bool = False, retire: bool = True
    ) -> None:
        """Start with a working consumer, unless somebody else's user is there first."""
        self.acl = ScriptedAcl({"app": [FOREIGN]} if foreign else {}, digest=digest)
        self.acl.on_change = self._check
        self.upstash = ScriptedUpstash(get=WITH_CREDENTIALS, acl=self.acl)
        self.foreign = [FOREIGN] if foreign else []
        self.states: dict[str, Any] = {}
        self.holder: str | None = None
        self.release = 1
        self.errors: list[str] = []
        self._guaranteed = True
        if not foreign:
            assert self.run(Run(retire=retire))

    @property
    def ours(self) -> list[str]:
        """Our live tokens."""
        return [token for token in self.acl.live() if token not in self.foreign]

    def run(self, run: Run) -> bool:
        """Carry a run out. Return whether all steps succeeded."""
        self.release += run.rotate
        if run.fault:
            number, kind = run.fault
            self.acl.faults = [*[None] * number, kind]
        engine_run = seam.Run()
        try:
            if run.refresh:
                self._refresh(engine_run)
            for step in STEPS:
                self._step(step, run, engine_run)
                _end_if(run.killed_after == (step, True))
        except (RotationError, EndOfRunError) as error:
            self.errors.append(str(error))
            return False
        finally:
            self.acl.faults.clear()
            self.errors[:] = filter(None, self.errors)
            assert "canary" not in repr((self.errors, self.upstash.reporter.lines))
            assert all("; " in error for error in self.errors), "each states what has changed"
        if not run.retire:
            self.states.pop("retirement", None)
        return True

    def assert_settles(self, *, rotate: bool = False) -> None:
        """One good run leaves one token of ours, and the next one has nothing to do."""
        good = Run(rotate=rotate)
        assert self.run(good)
        assert self.ours == [self.states["token"]["token"]] == [self.holder]
        before, requests = json.dumps(self.states), len(self.upstash.calls)
        assert self.run(replace(good, rotate=False))
        assert (json.dumps(self.states), len(self.upstash.calls)) == (before, requests)

    def _refresh(self, engine_run: seam.Run) -> None:
        for name, handler in HANDLERS.items():
            if name in self.states:
                found = handler.read("id", self.states[name], self.upstash.operation(engine_run))
                assert found is not None
                self._save(name, found)

    def _step(self, name: str, run: Run, engine_run: seam.Run) -> None:
        if name == "consumer":
            self._update_consumer(run)
        elif name != "retirement" or run.retire:
            self._update_resource(name, run, engine_run)

    def _update_resource(self, name: str, run: Run, engine_run: seam.Run) -> None:
        handler, arguments = HANDLERS[name], self._arguments(name, run)
        preview, operation = self.upstash.preview(engine_run), self.upstash.operation(engine_run)
        assert handler.check(arguments, preview) == []
        state = self.states.get(name)
        if name == "user" and not run.retire:
            # Two tokens live at most. So clients that lag behind by two rotations may be cut off.
            up_to_date = state is None or state["token"] == self.holder
            self._guaranteed = self._guaranteed and up_to_date
        if state is None:
            made = handler.create(arguments, operation)
        else:
            diff = handler.diff(state, arguments, preview)
            assert not diff.replaces
            if not diff.changes:
                return
            made = handler.update("id", state, arguments, operation)
        assert "canary" not in repr(made)
        _end_if(run.killed_after == (name, False))
        self._save(name, made)

    def _save(self, name: str, made: seam.Resource) -> None:
        self.states[name] = json.loads(json.dumps(dict(made.outputs)))

    def _arguments(self, name: str, run: Run) -> Mapping[str, Any]:
        address = {"database_id": DATABASE_ID, "username": "app", "admin_token": None}
        token, user = self.states.get("token", {}), self.states.get("user", {})
        if name == "token":
            return {**address, "triggers": {"release": self.release}}
        if name == "user":
            return {
                **address,
                **{each: token[each] for each in (*HANDED_ON, "redis_url", "rest_url")},
                "rules": RULES[run.rules],
                "adopt_existing": bool(self.foreign),
                "retires": run.retire,
            }
        stale = self.states.get("consumer") in user["previous_tokens"]
        return {
            **address,
            **{each: user[each] for each in HANDED_ON},
            "stale_consumers": ["consumer"] if stale else [],
            "grace_seconds": 0,
        }

    def _update_consumer(self, run: Run) -> None:
        token, stored = self.states["user"]["token"], self.states.get("consumer")
        # Outputs show no stale token if the last update of an excluded consumer was not saved.
        excluded = run.consumer == "excluded" and stored == self.holder is not None
        if stored == token or excluded:
            return
        _end_if(run.consumer == "fails")
        self.holder = token
        self._guaranteed = True
        self._check()
        _end_if(run.consumer == "killed unsaved" or run.killed_after == ("consumer", False))
        self.states["consumer"] = token

    def _check(self) -> None:
        """The clients can log in, and nobody else's token is touched. Called at every moment."""
        live = self.acl.live()
        assert not self._guaranteed or self.holder is None or self.holder in live
        assert set(self.foreign) <= set(live)


def _end_if(ends: bool) -> None:
    if ends:
        raise EndOfRunError


def single_failures() -> Iterator[Run]:
    """Yield a rotation for each way in which one step fails or is killed."""
    for number, kind in product(range(MOST_REQUESTS), FAULTS):
        yield Run(rotate=True, fault=(number, kind))
        yield Run(rotate=True, fault=(number, kind), refresh=True)
    for step, saved in product(STEPS, (False, True)):
        yield Run(rotate=True, killed_after=(step, saved))
    yield Run(rotate=True, consumer="fails")
    yield Run(rotate=True, consumer="excluded")


FAILURES: Final = tuple(single_failures())


def shown(value: object) -> str | None:
    """Return the id of a parameter."""
    if not isinstance(value, Run):
        return None
    given = (each for each in fields(Run) if getattr(value, each.name) != each.default)
    return ", ".join(f"{each.name}={getattr(value, each.name)}" for each in given)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("refresh", [False, True])
@pytest.mark.parametrize("failure", FAILURES, ids=shown)
def test_rotation_that_fails_anywhere_settles_in_one_good_run(
    digest: Callable[[str], str], failure: Run, *, refresh: bool
) -> None:
    world = World(digest=digest)
    first = world.holder
    world.run(failure)
    if refresh:
        assert world.run(Run(refresh=True))
    world.assert_settles()
    assert world.holder != first


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("failure", FAILURES, ids=shown)
def test_first_run_that_fails_anywhere_settles_in_one_good_run(
    digest: Callable[[str], str], failure: Run, *, foreign: bool
) -> None:
    """With a foreign token, it takes over a user that exists."""
    world = World(digest=digest, foreign=True)
    if not foreign:
        world.acl.users.clear()
        world.foreign.clear()
    world.run(failure)
    world.assert_settles()


@pytest.mark.parametrize("digest", DIGESTS)
def test_rotation_that_fails_at_every_step_in_turn_settles_in_one_good_run(
    digest: Callable[[str], str],
) -> None:
    """No token is retired meanwhile, however many rotations there are."""
    world = World(digest=digest)
    first = world.holder
    for failure in FAILURES:
        stuck = replace(failure, consumer="fails", retire=True)
        assert not world.run(stuck)
        assert world.holder == first
    assert len(world.ours) > MOST_REQUESTS
    world.assert_settles()


def test_without_retirement_two_tokens_live_at_most() -> None:
    world = World(retire=False)
    for number in range(4):
        assert world.run(Run(rotate=True, retire=False))
        assert world.ours[-1] == world.holder
        assert len(world.ours) == 2, number
    world.assert_settles()


def test_retirement_that_is_declared_later_removes_the_earlier_token() -> None:
    world = World(retire=False)
    assert world.run(Run(rotate=True, retire=False))
    assert len(world.ours) == 2
    world.assert_settles()


def test_consumer_that_is_excluded_keeps_its_token_until_it_is_updated() -> None:
    """`--exclude` and `--target` run the retirement beside a consumer that has not changed."""
    world = World()
    first = world.holder
    for _ in range(3):
        assert world.run(Run(rotate=True, consumer="excluded"))
        assert world.holder == first
    assert len(world.ours) == 4
    assert any("still show one" in line for line in world.upstash.reporter.warnings)
    world.assert_settles()


RUNS: Final = st.builds(
    Run,
    rotate=st.booleans(),
    retire=st.sampled_from([True, True, False]),
    rules=st.sampled_from(range(len(RULES))),
    refresh=st.booleans(),
    fault=st.none() | st.tuples(st.integers(0, MOST_REQUESTS), st.sampled_from(FAULTS)),
    killed_after=st.none() | st.tuples(st.sampled_from(STEPS), st.booleans()),
    consumer=st.sampled_from(["works", "fails", "killed unsaved", "excluded"]),
)


@settings(max_examples=100)
@given(
    runs=st.lists(RUNS, max_size=6),
    digest=st.sampled_from(DIGESTS),
    foreign=st.booleans(),
    retire=st.booleans(),
    rotate=st.booleans(),
)
def test_any_sequence_of_runs_settles_in_one_good_run(
    runs: list[Run],
    digest: Callable[[str], str],
    *,
    foreign: bool,
    retire: bool,
    rotate: bool,
) -> None:
    world = World(digest=digest, foreign=foreign)
    for run in runs:
        world.run(run)
    if not retire:
        assert world.run(Run(rotate=True, retire=False))
        assert world.ours[-1] == world.states["token"]["token"] == world.holder
        assert len(world.ours) <= 2
    world.assert_settles(rotate=rotate)
