"""What a program may declare of any rotation, and the words for what it may not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.rotation.inputs import (
    CHECKS,
    DeclaredRotation,
    KnownRotation,
    find_problems,
    flag_problem,
    optional,
    parse,
    required,
)
from pulumi_upstash_rotation.values import UNKNOWN, has_unknown

BAD_TRIGGERS = (
    "must be a map from names to JSON values (numbers finite, integers at most 2^53), such as "
    '{"release": "2026-11"}'
)
BAD_DAYS = "must be a number of days, more than 0 and at most 3650"
BAD_SECONDS = "must be a number of seconds, more than 0 and at most 300"
BAD_SCHEDULE = (
    'must be a cron expression of five fields in UTC, such as "0 3 1 * *" (03:00 on the first of '
    "each month). It must have a future time"
)


def problem_of(name: str, value: object) -> str:
    (problem,) = find_problems(CHECKS, {name: value})
    assert problem.argument == name
    return str(problem)


@pytest.mark.parametrize(
    "value", ["x", 7, [], ["a"], True, {1: "x"}, {"a": object()}, {"a": [{3}]}]
)
def test_triggers_that_are_no_map_of_json_values_are_a_problem(value: Any) -> None:
    assert problem_of("triggers", value).startswith(f"triggers {BAD_TRIGGERS}")


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize("levels", [17, 400, 100_000])
def test_triggers_that_are_nested_too_deep_are_a_problem(levels: int) -> None:
    assert problem_of("triggers", nested(levels)).endswith("may be 32 levels deep")


def test_triggers_that_are_too_large_are_a_problem_that_names_the_limit() -> None:
    assert problem_of("triggers", {"a": "x" * (64 << 10)}) == (
        "triggers must be at most 65536 bytes as JSON, but has 65545. Use a digest of a large value"
    )
    assert not find_problems(CHECKS, {"triggers": {"a": "x" * (63 << 10), "b": UNKNOWN}})
    assert not find_problems(CHECKS, {"triggers": nested(16)})


@pytest.mark.parametrize("value", [{"": 1}, {"a": [{"": 1}]}, {"a\nb": 1}, {"\x1b[31m": 1}])
def test_trigger_names_that_are_empty_or_hold_control_characters_are_a_problem(value: Any) -> None:
    assert problem_of("triggers", value).endswith(
        "Names may be neither empty nor hold control characters"
    )


@pytest.mark.parametrize(
    "value", [0, -1, math.nan, math.inf, -math.inf, 3650.1, 10**400, "7", True, [], {}]
)
def test_rotation_days_out_of_range_are_a_problem(value: Any) -> None:
    assert problem_of("rotation_days", value) == f"rotation_days {BAD_DAYS}"


@pytest.mark.parametrize(
    "value",
    ["", "* * * *", "* * * * * *", "60 * * * *", "0 0 30 2 *", "@daily", "x y z a b", 5, True, []],
)
def test_schedule_that_is_malformed_or_never_fires_is_a_problem(value: Any) -> None:
    assert problem_of("rotation_schedule", value) == f"rotation_schedule {BAD_SCHEDULE}"


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 300.1, 10**400, "7", True, [], {}])
def test_verify_timeout_out_of_range_is_a_problem(value: Any) -> None:
    assert problem_of("verify_timeout", value) == f"verify_timeout {BAD_SECONDS}"


@pytest.mark.parametrize("name", ["rotate_on_create", "verify"])
@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_flag_that_is_no_bool_is_a_problem(name: str, value: Any) -> None:
    assert problem_of(name, value) == f"{name} must be True or False"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation_days", 3650),
        ("rotation_days", 0.001),
        ("verify_timeout", 300),
        ("rotation_schedule", "0 0 29 2 *"),
        ("triggers", {"a": [None, True, 2**53, {"b": ("x", -(2**53))}]}),
    ],
)
def test_value_at_the_limit_is_no_problem(name: str, value: Any) -> None:
    assert find_problems(CHECKS, {name: value}) == []


def test_all_problems_are_found_at_once_in_a_fixed_order() -> None:
    arguments = {"verify": 1, "rotation_days": 0, "triggers": 1}
    found = [problem.argument for problem in find_problems(CHECKS, arguments)]
    assert found == ["triggers", "rotation_days", "verify"]


def test_unknown_value_is_no_problem() -> None:
    assert not find_problems(CHECKS, dict.fromkeys(CHECKS, UNKNOWN))
    assert not find_problems(CHECKS, {"triggers": {"a": [UNKNOWN]}})


def test_required_argument_may_be_unknown_and_not_absent() -> None:
    check = required(flag_problem)
    assert check(UNKNOWN) is None
    assert check(None) == "must be True or False"


def test_optional_argument_may_be_unknown_or_absent_and_not_wrong() -> None:
    check = optional(flag_problem)
    assert check(UNKNOWN) is None
    assert check(None) is None
    assert check("x") == "must be True or False"


@pytest.mark.parametrize("kind", [DeclaredRotation, KnownRotation])
def test_parse_without_arguments_returns_the_defaults(kind: type[DeclaredRotation]) -> None:
    assert parse(kind, CHECKS, {}) == parse(kind, CHECKS, dict.fromkeys(CHECKS)) == kind()
    assert vars(kind()) == {
        "triggers": {},
        "rotation_days": None,
        "rotation_schedule": None,
        "rotate_on_create": True,
        "verify": True,
        "verify_timeout": 10.0,
    }


def test_parse_raises_the_first_problem() -> None:
    with pytest.raises(InvalidInputError, match="^triggers must be a map") as raised:
        parse(DeclaredRotation, CHECKS, {"triggers": 1, "verify": 2})
    assert raised.value.argument == "triggers"


@pytest.mark.parametrize("name", CHECKS)
def test_parse_of_known_inputs_with_an_unknown_value_names_the_argument(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{name} is not known yet; please report it$"):
        parse(KnownRotation, CHECKS, {name: UNKNOWN})
    assert has_unknown(getattr(parse(DeclaredRotation, CHECKS, {name: UNKNOWN}), name))


def test_parse_of_known_inputs_finds_an_unknown_value_at_any_depth() -> None:
    with pytest.raises(InvalidInputError, match="^triggers is not known yet; please report it$"):
        parse(KnownRotation, CHECKS, {"triggers": {"a": [{"b": UNKNOWN}]}})


@given(
    st.sampled_from([DeclaredRotation, KnownRotation]),
    st.dictionaries(st.sampled_from([*CHECKS, "other"]), st.from_type(object)),
)
def test_parse_of_anything_returns_inputs_or_raises_our_error(
    kind: type[DeclaredRotation], arguments: dict[str, Any]
) -> None:
    if find_problems(CHECKS, arguments):
        with pytest.raises(InvalidInputError):
            parse(kind, CHECKS, arguments)
    else:
        assert type(parse(kind, CHECKS, arguments)) is kind
