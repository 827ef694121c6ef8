"""Names and messages as programs in every language write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.frontends.engine.names import camel
from pulumi_upstash_rotation.frontends.native.names import (
    NAMES,
    text_for_programs,
    to_camel,
    to_snake,
)
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.redis_acl_user.inputs import (
    RETIREMENT_CHECKS,
    TOKEN_CHECKS,
    USER_CHECKS,
)
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import CHECKS
from pulumi_upstash_rotation.upstash.credentials import database_label
from pulumi_upstash_rotation.upstash.database import Database

RESOURCES = ("RedisPasswordRotation", "RedisAclToken", "RedisAclUser", "RedisAclRetirement")
INPUTS = {*CHECKS, *TOKEN_CHECKS, *USER_CHECKS, *RETIREMENT_CHECKS}
ALL = {
    *INPUTS,
    *Database.model_fields,
    *(name for each in RESOURCES for name in handler_of(each).essential),
}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_name_of_the_core_comes_back(name: str) -> None:
    assert to_snake(to_camel({name: 1})) == {name: 1}


def test_no_two_names_of_the_core_are_one_name_for_programs() -> None:
    assert len({camel(name) for name in ALL}) == len(ALL)


def test_keys_of_users_stay_as_they_are() -> None:
    triggers = {"a_b": {"c_d": 1}, "aB": 2}
    assert to_camel({"triggers": triggers}) == {"triggers": triggers}
    assert to_snake({"triggers": triggers}) == {"triggers": triggers}


def test_keys_of_a_documented_object_are_renamed() -> None:
    core = {"security_addons": {"ip_whitelisting": True}}
    assert to_camel(core) == {"securityAddons": {"ipWhitelisting": True}}
    assert to_snake(to_camel(core)) == core


def test_object_of_another_type_stays_as_it_is() -> None:
    assert to_camel({"security_addons": "none"}) == {"securityAddons": "none"}


@pytest.mark.parametrize("name", sorted(name for name in INPUTS if "_" in name))
def test_every_input_of_more_than_one_word_is_renamed_in_messages(name: str) -> None:
    assert text_for_programs(f"{name} must be a text", NAMES) == f"{camel(name)} must be a text"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rotate_on_create must be True or False", "rotateOnCreate must be true or false"),
        ("set verify=False", "set verify=false"),
        ("set adopt_existing=True: the", "set adoptExisting=true: the"),
        ("(existing_token)", "(existingToken)"),
        ("not_database_id and database_ids", "not_database_id and database_ids"),
        ("Truely Falsehood", "Truely Falsehood"),
        (
            "Pulumi's rotation_days or Redis' verify_timeout",
            "Pulumi's rotationDays or Redis' verifyTimeout",
        ),
    ],
)
def test_names_and_flags_in_messages_are_those_of_programs(text: str, shown: str) -> None:
    assert text_for_programs(text, NAMES) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the password of Redis database 'database_id' (id) is due",
        "the password of Redis database 'it\\'s True' (id) is due",
        "no user 'True' in it",
        'no user "it\'s False" in it',
        "is due for a reset: trigger: rotation_days",
        "is due for a reset: trigger: True",
    ],
)
def test_what_a_user_wrote_stays_as_it_is(text: str) -> None:
    assert text_for_programs(text, NAMES) == text


@given(st.lists(st.sampled_from([*NAMES, "True", "'", '"', "\\", " ", "x"])).map("".join))
def test_any_name_of_a_database_stays_as_it_is(name: str) -> None:
    label = database_label("the-id", name)
    shown = text_for_programs(f"the password of {label}: set rotate_on_delete=True", NAMES)
    assert shown == f"the password of {label}: set rotateOnDelete=true"


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert isinstance(text_for_programs(text, NAMES), str)


def test_backslashes_after_an_open_quote_take_no_time() -> None:
    """A database's own error text may be cut anywhere. A call that has reset must not hang."""
    text = "the database responded with ERR '" + "\\\\" * 1000
    assert text_for_programs(f"{text}; set verify=False", NAMES) == f"{text}; set verify=false"
