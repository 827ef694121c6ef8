"""An answer is read as far as it can be read, and never fails for what is new in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import ApiContractError
from pulumi_upstash_rotation.models import Database, parse_database
from pulumi_upstash_rotation.state import CREDENTIALS as CREDENTIAL_NAMES

from .answers import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from .test_decision import JSON


def test_every_documented_field_is_read() -> None:
    database = parse_database(DOCUMENTED)
    for name, value in DOCUMENTED.items():
        if name != "securityAddons":
            read = getattr(database, name)
            assert str(read).lower() == str(value).lower(), name
    assert database.extra_attributes == {}
    assert database.security_addons is not None
    assert database.security_addons.tls_mutual_auth is False
    assert database.security_addons.extra_attributes == {}


def test_booleans_that_come_as_strings_are_booleans() -> None:
    database = parse_database(DOCUMENTED)
    assert database.db_acl_enabled is False
    assert database.db_acl_default_user_status is True
    assert database.prometheus_enabled is False


def test_the_request_limit_is_exact() -> None:
    assert parse_database(DOCUMENTED).db_request_limit == "8024278031528736858"


@pytest.mark.parametrize("field", [f for f in DOCUMENTED if f != "database_id"])
@pytest.mark.parametrize("value", [{"un": "expected"}, [{}], 2**70, "\ud800", 1.5])
def test_a_field_of_another_type_is_set_aside_and_the_rest_is_read(field: str, value: Any) -> None:
    database = parse_database({**WITH_CREDENTIALS, field: value})
    assert database.password is not None
    assert database.password.get_secret_value() == CREDENTIALS["password"]
    mine = getattr(database, "security_addons" if field == "securityAddons" else field)
    assert mine is None or field not in database.extra_attributes
    if mine is None:
        kept = repr(database.extra_attributes[field])
        assert kept == repr(value).replace("\\ud800", "?")


@pytest.mark.parametrize("field", [f for f in WITH_CREDENTIALS if f != "database_id"])
def test_a_field_may_be_missing_or_null(field: str) -> None:
    without = {name: value for name, value in WITH_CREDENTIALS.items() if name != field}
    for answer in (without, {**without, field: None}):
        assert parse_database(answer).extra_attributes == {}


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_credential_is_none(nothing: str | None) -> None:
    database = parse_database({**DOCUMENTED, "password": nothing})
    assert database.password is None
    assert database.extra_attributes == {}


def test_credentials_that_are_missing_can_be_filled_in_and_none_is_replaced() -> None:
    database = parse_database({**DOCUMENTED, "password": "shown"})
    filled = database.with_missing_credentials({"password": "known", "rest_token": "token"})
    assert filled.password is not None
    assert filled.rest_token is not None
    assert filled.password.get_secret_value() == "shown"
    assert filled.rest_token.get_secret_value() == "token"
    assert filled.read_only_rest_token is None


def test_what_the_api_adds_later_is_kept() -> None:
    addons = {**DOCUMENTED["securityAddons"], "quantum": True}
    database = parse_database({**DOCUMENTED, "new_limit": 2**70, "securityAddons": addons})
    assert database.extra_attributes == {"new_limit": 2**70}
    assert database.security_addons is not None
    assert database.security_addons.extra_attributes == {"quantum": True}


@pytest.mark.parametrize(
    "body", [None, "OK", 1, [], [DOCUMENTED], {}, {"database_id": None}, {"database_id": 7}]
)
def test_what_is_no_database_is_our_error(body: Any) -> None:
    with pytest.raises(ApiContractError, match="not a Database object"):
        parse_database(body)


def test_no_credential_is_in_a_repr() -> None:
    database = parse_database({**WITH_CREDENTIALS, "later_token": "later-canary"})
    assert "canary" not in repr(database) + str(database)


@given(st.dictionaries(st.sampled_from(sorted(WITH_CREDENTIALS)) | st.text(), JSON))
def test_any_object_with_an_id_is_read_and_nothing_of_it_is_lost(body: dict[str, Any]) -> None:
    database = parse_database({**body, "database_id": DATABASE_ID})
    known = {*Database.model_fields, "securityAddons"}
    for name, value in body.items():
        if name not in known:
            assert repr(database.extra_attributes[name]) == repr(value)
    for name in CREDENTIAL_NAMES:
        value = body.get(name)
        if isinstance(value, str) and value:
            assert getattr(database, name).get_secret_value() == value
