"""What a program may declare, and the words for what it may not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.inputs import UNKNOWN, Inputs, find_problems, parse_inputs

from .answers import DATABASE_ID

BAD_ID = (
    "must be the id of an Upstash Redis database, such as 96ad0856-03b1-4ee7-9666-e81abd0349e1 "
    "(letters, digits, - and _, at most 128)"
)
BAD_TRIGGERS = (
    "must be a map from names to JSON values (numbers finite, integers at most 2^53), such as "
    '{"release": "2026-11"}'
)


@pytest.mark.parametrize(
    "value", [None, "", " ", "a/b", "../x", "a b", "a\n", "é", "x" * 129, 7, True, [], {}]
)
def test_a_database_id_is_one_safe_word(value: Any) -> None:
    (problem,) = find_problems({"database_id": value})
    assert (problem.argument, str(problem)) == ("database_id", BAD_ID)


@pytest.mark.parametrize(
    "value", ["x", 7, [], ["a"], True, {1: "x"}, {"a": object()}, {"a": [{3}]}]
)
def test_triggers_are_a_map_of_json_values(value: Any) -> None:
    (problem,) = find_problems({"database_id": DATABASE_ID, "triggers": value})
    assert (problem.argument, str(problem)) == ("triggers", BAD_TRIGGERS)


BAD_DAYS = "must be a number of days, more than 0 and at most 3650"
BAD_SCHEDULE = (
    "must be a cron expression of five fields, in UTC, that fires one day, such as "
    '"0 3 1 * *" (at 03:00 on the first of each month)'
)


@pytest.mark.parametrize(
    "value", [0, -1, math.nan, math.inf, -math.inf, 3650.1, 10**400, "7", True, [], {}]
)
def test_rotation_days_are_a_sensible_number(value: Any) -> None:
    (problem,) = find_problems({"database_id": DATABASE_ID, "rotation_days": value})
    assert (problem.argument, str(problem)) == ("rotation_days", BAD_DAYS)


@pytest.mark.parametrize(
    "value",
    ["", "* * * *", "* * * * * *", "60 * * * *", "0 0 30 2 *", "@daily", "x y z a b", 5, True, []],
)
def test_a_schedule_is_a_cron_expression_that_fires(value: Any) -> None:
    (problem,) = find_problems({"database_id": DATABASE_ID, "rotation_schedule": value})
    assert (problem.argument, str(problem)) == ("rotation_schedule", BAD_SCHEDULE)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 300.1, 10**400, "7", True, [], {}])
def test_a_timeout_is_a_sensible_number(value: Any) -> None:
    (problem,) = find_problems({"database_id": DATABASE_ID, "verify_timeout": value})
    expected = "must be a number of seconds, more than 0 and at most 300"
    assert (problem.argument, str(problem)) == ("verify_timeout", expected)


@pytest.mark.parametrize("name", ["rotate_on_create", "rotate_on_delete", "verify"])
@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_a_flag_is_true_or_false(name: str, value: Any) -> None:
    (problem,) = find_problems({"database_id": DATABASE_ID, name: value})
    assert (problem.argument, str(problem)) == (name, "must be True or False")


def test_all_arguments_reach_the_inputs() -> None:
    arguments = {
        "database_id": DATABASE_ID,
        "triggers": {"a": 1},
        "rotation_days": 0.5,
        "rotation_schedule": "0 3 * * 1",
        "rotate_on_create": False,
        "rotate_on_delete": True,
        "verify": False,
        "verify_timeout": 30,
    }
    assert vars(parse_inputs({**arguments, "__provider": "x"})) == arguments


def test_every_problem_is_reported_at_once() -> None:
    assert [p.argument for p in find_problems({"triggers": 1})] == ["database_id", "triggers"]


def test_what_is_unknown_until_the_update_passes() -> None:
    assert not find_problems(dict.fromkeys(vars(Inputs("")), UNKNOWN))
    assert not find_problems({"database_id": UNKNOWN, "triggers": {"a": [UNKNOWN]}})


def test_no_triggers_are_an_empty_map() -> None:
    assert parse_inputs({"database_id": DATABASE_ID}) == Inputs(DATABASE_ID, {})
    assert parse_inputs({"database_id": DATABASE_ID, "triggers": None}) == Inputs(DATABASE_ID, {})


def test_the_first_problem_is_raised() -> None:
    with pytest.raises(InvalidInputError, match="must be the id"):
        parse_inputs({})


@given(st.dictionaries(st.sampled_from(list(vars(Inputs("")))), st.from_type(object)))
def test_any_arguments_end_in_inputs_or_in_our_error(arguments: dict[str, Any]) -> None:
    if find_problems(arguments):
        with pytest.raises(InvalidInputError):
            parse_inputs(arguments)
    else:
        assert isinstance(parse_inputs(arguments), Inputs)
