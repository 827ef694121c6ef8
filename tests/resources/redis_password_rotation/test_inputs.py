"""What a program may declare of a `RedisPasswordRotation`, beyond any rotation's arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import (
    CHECKS,
    DeclaredInputs,
    KnownInputs,
    parse_declared,
    parse_known,
)
from pulumi_upstash_rotation.rotation.inputs import find_problems
from pulumi_upstash_rotation.values import UNKNOWN

from ...support.payloads import DATABASE_ID

BAD_ID = (
    "database_id must be the id of an Upstash Redis database, such as "
    "96ad0856-03b1-4ee7-9666-e81abd0349e1 (letters, digits, - and _, at most 128)"
)


@pytest.mark.parametrize(
    "value", [None, "", " ", "a/b", "../x", "a b", "a\n", "é", "x" * 129, 7, True, [], {}]
)
def test_database_id_with_other_characters_is_a_problem(value: Any) -> None:
    (problem,) = find_problems(CHECKS, {"database_id": value})
    assert (problem.argument, str(problem)) == ("database_id", BAD_ID)


@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_rotate_on_delete_that_is_no_bool_is_a_problem(value: Any) -> None:
    arguments = {"database_id": DATABASE_ID, "rotate_on_delete": value}
    (problem,) = find_problems(CHECKS, arguments)
    assert str(problem) == "rotate_on_delete must be True or False"


def test_all_arguments_reach_the_inputs() -> None:
    arguments = {
        "database_id": DATABASE_ID,
        "triggers": {"a": 1},
        "rotation_days": 0.5,
        "rotation_schedule": "0 3 * * 1",
        "rotate_on_create": False,
        "rotate_on_delete": True,
        "require_credentials": True,
        "verify": False,
        "verify_timeout": 30,
    }
    assert arguments.keys() == CHECKS.keys()
    for parse in (parse_declared, parse_known):
        assert vars(parse({**arguments, "__provider": "x"})) == arguments


def test_all_problems_are_found_at_once() -> None:
    problems = find_problems(CHECKS, {"triggers": 1, "rotate_on_delete": 1})
    assert [p.argument for p in problems] == ["database_id", "triggers", "rotate_on_delete"]


def test_unknown_values_are_no_problem() -> None:
    assert not find_problems(CHECKS, dict.fromkeys(CHECKS, UNKNOWN))
    assert not find_problems(CHECKS, {"database_id": UNKNOWN, "triggers": {"a": [UNKNOWN]}})


@pytest.mark.parametrize("arguments", [{}, {"triggers": None, "rotate_on_delete": None}])
def test_arguments_that_are_left_out_have_defaults(arguments: dict[str, Any]) -> None:
    arguments = {"database_id": DATABASE_ID, **arguments}
    assert parse_declared(arguments) == DeclaredInputs(database_id=DATABASE_ID)
    assert parse_known(arguments) == KnownInputs(database_id=DATABASE_ID)
    assert (parse_known(arguments).triggers, parse_known(arguments).rotate_on_delete) == ({}, False)


def test_first_problem_is_raised() -> None:
    with pytest.raises(InvalidInputError, match="^database_id must be the id"):
        parse_declared({})


@pytest.mark.parametrize("name", ["database_id", "rotate_on_delete"])
def test_unknown_value_in_an_operation_is_our_error(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{name} is not known yet; please report it$"):
        parse_known({"database_id": DATABASE_ID, name: UNKNOWN})


@given(st.dictionaries(st.sampled_from([*CHECKS, "other"]), st.from_type(object)))
def test_any_arguments_become_inputs_or_our_error(arguments: dict[str, Any]) -> None:
    if find_problems(CHECKS, arguments):
        with pytest.raises(InvalidInputError):
            parse_declared(arguments)
    else:
        assert isinstance(parse_declared(arguments), DeclaredInputs)
