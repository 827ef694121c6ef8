"""Nobody is cut off: sequences of ACL users drawn from a seed, on the real engine and real Redis.

`make test` runs one, `make soak` the others. `CHAOS_SEED=…` draws others; `make chaos N=…` runs
more and prints a table.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .sequence import BrokenPromiseError
from .user_plan import NAMES, Change, Step, UserPlan, make_user_plan
from .user_sequence import run_user_sequence

if TYPE_CHECKING:
    from pathlib import Path

SEED = int(os.environ.get("CHAOS_SEED", "20261128"))
SEQUENCES = range(SEED, SEED + 10)
SAMPLE = min(SEQUENCES, key=lambda seed: len(make_user_plan(seed).steps))

CALM = tuple(Change() for _ in NAMES)
ROTATED = tuple(Change(rotates=True) for _ in NAMES)
FAILING = tuple(Change(rotates=True, broken=True) for _ in NAMES)
STORY = UserPlan(
    seed=0,
    digests_are_of_tokens=True,
    adopts=False,
    verify=True,
    steps=(
        Step("up", CALM),
        Step("up", FAILING, continues=True),
        Step("up", FAILING, continues=True),
        Step("up", ROTATED, resets=True),
        Step("up", ROTATED, scope=("--exclude", f"**::{NAMES[0]}-file")),
    ),
)
PROGRAM = """
from pulumi_upstash_rotation.frontends.program import redis_acl_user as program
"""
ACL = """
from pulumi_upstash_rotation.upstash import acl
"""
SABOTAGE = {
    "retires before the consumers": f"""{PROGRAM}
import pulumi
declare = program.RedisAclUser.retire_previous
def retire_previous(self, *, after, **options):
    other = pulumi.ComponentResource("test:index:Other", f"{{self._name_of_user}}-other")
    return declare(self, after=[other], **options)
program.RedisAclUser.retire_previous = retire_previous
""",
    "retires while a consumer shows an earlier token": f"""{PROGRAM}
program._stale = lambda *_: []
""",
    "removes the earlier token as it adds the new one": f"""{ACL}
set_user = acl.set_user
acl.set_user = lambda user, rules, token: set_user(user, ["resetpass", *rules], token)
""",
    "retires the current token too": f"""{ACL}
acl.remove_token = lambda user, _: ("ACL", "SETUSER", user, "resetpass")
""",
    "retires nothing": f"""{PROGRAM}
from pulumi_upstash_rotation.resources.redis_acl_user import retirement
retirement._remove = lambda *_: 0
""",
    "forgets tokens before the last one": """
from pulumi_upstash_rotation.resources.redis_acl_user import token
parse = token.parse_token_state
token.parse_token_state = lambda outputs: parse({**outputs, "previous_tokens": []})
from pulumi_upstash_rotation.resources.redis_acl_user import user
user._with_stored = lambda inputs, _: inputs
""",
    "shows tokens": """
from pulumi_upstash_rotation.frontends.program import redis_acl_user as program
program.SECRET_OUTPUTS = ()
from pulumi_upstash_rotation.resources.redis_acl_user import token, user
token.RedisAclTokenHandler.secret_in_state = user.RedisAclUserHandler.secret_in_state = ()
""",
}


@pytest.mark.engine
@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=() if seed == SAMPLE else pytest.mark.soak) for seed in SEQUENCES],
)
def test_a_sequence_of_faults_and_kills_cuts_nobody_off(tmp_path: Path, seed: int) -> None:
    assert run_user_sequence(make_user_plan(seed), tmp_path).looks > 10


@pytest.mark.engine
@pytest.mark.soak
def test_the_story_of_the_broken_products_is_fine_without_a_break(tmp_path: Path) -> None:
    assert run_user_sequence(STORY, tmp_path).counts["rotations declared"] == 12


@pytest.mark.engine
@pytest.mark.soak
@pytest.mark.parametrize("name", SABOTAGE)
def test_the_judge_notices_a_broken_product(tmp_path: Path, name: str) -> None:
    with pytest.raises(BrokenPromiseError):
        run_user_sequence(STORY, tmp_path, SABOTAGE[name])


def test_the_same_seed_is_the_same_plan_of_users() -> None:
    for seed in range(100):
        assert repr(make_user_plan(seed)) == repr(make_user_plan(seed))


def test_a_thousand_plans_of_users_hold_everything_that_can_happen() -> None:
    steps = [step for seed in range(1000) for step in make_user_plan(seed).steps]
    changes = [change for step in steps for change in step.changes]
    blows = [step.blow for step in steps if step.blow]
    assert {step.command for step in steps} == {"up", "preview", "refresh", "destroy"}
    assert {step.scope[0] for step in steps if step.scope} == {"--exclude", "--target"}
    assert {blow.ending for blow in blows} == {
        *("engine", "provider", "both", "interrupt", "interrupt twice")
    }
    assert {blow.moment for blow in blows} == {
        *("any time", "made", "added", "consumed", "removed", "reset")
    }
    assert {change.console for change in changes} == {
        *("", "removes the token", "deletes the user", "changes the rules", "adds a token")
    }
    assert {trouble.operation for step in steps for trouble in step.troubles} == {
        *("acl gentoken", "acl setuser", "acl getuser", "acl deluser"),
        *("get", "reset", "data plane"),
    }
    for happens in ("rotates", "broken"):
        assert any(getattr(change, happens) for change in changes), happens
    assert not all(change.retires for change in changes)
