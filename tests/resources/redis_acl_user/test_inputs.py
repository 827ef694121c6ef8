"""The arguments of the token, the user and the retirement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.resources.redis_acl_user.inputs import (
    DEFAULT_GRACE_SECONDS,
    MAX_GRACE_SECONDS,
    RETIREMENT_CHECKS,
    TOKEN_CHECKS,
    USER_CHECKS,
    DeclaredRetirement,
    DeclaredToken,
    DeclaredUser,
    KnownRetirement,
    KnownToken,
    KnownUser,
    changed_address,
)
from pulumi_upstash_rotation.rotation.inputs import Check, find_problems, parse
from pulumi_upstash_rotation.values import UNKNOWN

from ...support.payloads import DATABASE_ID

ADDRESS: Final = {
    "database_id": DATABASE_ID,
    "username": "app",
    "admin_token": "canary-admin",
}
TOKENS: Final = {
    "token": "canary-token",
    "previous_tokens": ["canary-previous"],
    "credential_fingerprint": "print",
}
TOKEN: Final = {
    **ADDRESS,
    "triggers": {"a": "canary"},
    "rotation_days": 0.5,
    "rotation_schedule": "0 3 * * 1",
    "rotate_on_create": False,
    "existing_token": "canary-existing",
}
USER: Final = {
    **ADDRESS,
    **TOKENS,
    "rules": ["+get"],
    "redis_url": "rediss://app:canary-token@host:1",
    "rest_url": "https://host",
    "adopt_existing": True,
    "retires": True,
    "verify": False,
    "verify_timeout": 30,
}
RETIREMENT: Final = {
    **ADDRESS,
    **TOKENS,
    "stale_consumers": ["consumer"],
    "grace_seconds": 0,
}
Case = tuple[Mapping[str, Check], Mapping[str, Any], type[Any], type[Any]]
CASES: Final[tuple[Case, ...]] = (
    (TOKEN_CHECKS, TOKEN, DeclaredToken, KnownToken),
    (USER_CHECKS, USER, DeclaredUser, KnownUser),
    (RETIREMENT_CHECKS, RETIREMENT, DeclaredRetirement, KnownRetirement),
)
IDS: Final = ("token", "user", "retirement")
NAME_PROBLEM = "must be the name of an ACL user: 1 to 128 ASCII characters without spaces"
TOKEN_PROBLEM = "must be a token as Upstash shows it, without spaces"


@pytest.fixture(params=CASES, ids=IDS)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_all_arguments_reach_the_inputs_and_no_text_shows_a_secret(case: Case) -> None:
    checks, arguments, *kinds = case
    assert arguments.keys() == checks.keys()
    for kind in kinds:
        inputs = parse(kind, checks, {**arguments, "__provider": "x"})
        assert {name: getattr(inputs, name) for name in arguments} == arguments
        assert "canary" not in repr(inputs)


def test_unknown_values_are_no_problem_until_an_operation(case: Case) -> None:
    checks, arguments, declared, known = case
    assert not find_problems(checks, dict.fromkeys(checks, UNKNOWN))
    for name in checks:
        unknown = {**arguments, name: UNKNOWN}
        parse(declared, checks, unknown)
        with pytest.raises(InvalidInputError, match=f"^{name} is not known yet; please report it$"):
            parse(known, checks, unknown)


def test_problem_of_each_argument_names_it_and_not_its_value(case: Case) -> None:
    checks, _, declared, _ = case
    problems = find_problems(checks, dict.fromkeys(checks, object()))
    assert [problem.argument for problem in problems] == [*checks]
    for problem in problems:
        assert str(problem).startswith(f"{problem.argument} must be ")
        assert "object" not in str(problem)
    with pytest.raises(InvalidInputError, match="^database_id must be the id"):
        parse(declared, checks, {})


@given(st.sampled_from(CASES), st.data())
def test_any_arguments_become_inputs_or_our_error(case: Case, data: st.DataObject) -> None:
    checks, arguments, declared, _ = case
    odd = data.draw(st.dictionaries(st.sampled_from([*checks, "other"]), st.from_type(object)))
    given_arguments = {**arguments, **odd}
    if find_problems(checks, given_arguments):
        with pytest.raises(InvalidInputError):
            parse(declared, checks, given_arguments)
    else:
        assert isinstance(parse(declared, checks, given_arguments), declared)


def problem_of(checks: Mapping[str, Check], name: str, value: Any) -> str | None:
    problems = {each.argument: each.args[0] for each in find_problems(checks, {name: value})}
    return problems.get(name)


@pytest.mark.parametrize("checks", [case[0] for case in CASES], ids=IDS)
def test_username(checks: Mapping[str, Check]) -> None:
    for value in ("a", "app:eu-1", "!~", "x" * 128, "Default"):
        assert problem_of(checks, "username", value) is None
    for value in (None, "", " ", "a b", "a\n", "é", "x" * 129, 7, True, []):
        assert problem_of(checks, "username", value) == NAME_PROBLEM
    for value in ("default", "default_ro"):
        assert problem_of(checks, "username", value) == (
            f"must not be '{value}'. Upstash does not let ACL commands change this user"
        )


@pytest.mark.parametrize(
    ("checks", "name"),
    [
        (TOKEN_CHECKS, "existing_token"),
        (TOKEN_CHECKS, "admin_token"),
        (USER_CHECKS, "token"),
        (USER_CHECKS, "admin_token"),
        (RETIREMENT_CHECKS, "token"),
    ],
)
def test_token(checks: Mapping[str, Check], name: str) -> None:
    for value in ("gwAAAAc", "ab" * 2048, "a=b/c+d-e_f"):
        assert problem_of(checks, name, value) is None
    for value in ("", " ", "a b", "a\n", "********", "é", "\x00a", "a" * 4097, 7, ["a"]):
        assert problem_of(checks, name, value) == TOKEN_PROBLEM
    optional = name in {"existing_token", "admin_token"}
    assert problem_of(checks, name, None) == (None if optional else TOKEN_PROBLEM)


@pytest.mark.parametrize(
    ("name", "good", "bad", "problem"),
    [
        ("previous_tokens", [(), [], ["a", UNKNOWN]], ["a", {"a"}, [1]], "must be a list of texts"),
        ("stale_consumers", [None, ["a"]], ["a", [None]], "must be a list of texts"),
        (
            "grace_seconds",
            [None, 0, 2.5, MAX_GRACE_SECONDS],
            [-1, MAX_GRACE_SECONDS + 0.1, True, "2", float("nan"), float("inf")],
            "must be a number of seconds from 0 to 300",
        ),
        ("credential_fingerprint", ["a"], [None, "", 1], "must be a text"),
    ],
)
def test_other_arguments_of_a_retirement(
    name: str, good: list[Any], bad: list[Any], problem: str
) -> None:
    assert [problem_of(RETIREMENT_CHECKS, name, value) for value in good] == [None] * len(good)
    assert [problem_of(RETIREMENT_CHECKS, name, value) for value in bad] == [problem] * len(bad)


def test_rules_that_are_known_are_checked_beside_unknown_ones() -> None:
    assert problem_of(USER_CHECKS, "rules", ["+get", UNKNOWN]) is None
    problem = problem_of(USER_CHECKS, "rules", [UNKNOWN, "off"])
    assert problem == "must not have 'off': it would lock out the clients of this user"
    assert (problem_of(USER_CHECKS, "rules", None) or "").startswith("must be a list of Redis ACL")


def test_arguments_that_are_left_out_have_defaults() -> None:
    token = parse(KnownToken, TOKEN_CHECKS, {"database_id": DATABASE_ID, "username": "app"})
    assert token == KnownToken(database_id=DATABASE_ID, username="app")
    assert (token.rotate_on_create, token.existing_token, token.admin_token) == (True, None, None)
    required = ("database_id", "username", *TOKENS, "rules", "redis_url", "rest_url")
    user = parse(KnownUser, USER_CHECKS, {name: USER[name] for name in required})
    assert (user.adopt_existing, user.retires, user.verify) == (False, False, True)
    required = ("database_id", "username", *TOKENS)
    retired = parse(
        KnownRetirement, RETIREMENT_CHECKS, {name: RETIREMENT[name] for name in required}
    )
    assert (retired.stale_consumers, retired.grace_seconds) == ((), DEFAULT_GRACE_SECONDS)


@pytest.mark.parametrize(
    ("database_id", "username", "changed"),
    [
        (DATABASE_ID, "app", ()),
        ("other", "app", ("database_id",)),
        (DATABASE_ID, "other", ("username",)),
        ("other", "other", ("database_id", "username")),
    ],
)
def test_changed_address(database_id: str, username: str, changed: tuple[str, ...]) -> None:
    inputs = DeclaredToken(database_id=DATABASE_ID, username="app")
    assert changed_address(inputs, database_id, username) == changed


def test_unknown_address_may_be_another_user() -> None:
    inputs = DeclaredToken(database_id=UNKNOWN, username="app")
    assert changed_address(inputs, DATABASE_ID, "app") == ("database_id",)
