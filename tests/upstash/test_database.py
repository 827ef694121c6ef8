"""A response is read as far as possible, and never fails for new or mismatched fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import UnreadableResponseError
from pulumi_upstash_rotation.upstash.credentials import CREDENTIAL_NAMES, Credentials, is_credential
from pulumi_upstash_rotation.upstash.database import Database, parse_database

from ..support.payloads import CREDENTIALS, DATABASE_ID, DOCUMENTED, JSON, WITH_CREDENTIALS


def test_each_documented_field_is_read() -> None:
    database = parse_database(DOCUMENTED)
    for name, value in DOCUMENTED.items():
        if name != "securityAddons":
            read = getattr(database, name)
            assert str(read).lower() == str(value).lower(), name
    assert database.extra_attributes == {}
    assert database.security_addons is not None
    assert database.security_addons.tls_mutual_auth is False
    assert database.security_addons.extra_attributes == {}


def test_boolean_that_comes_as_a_string_is_a_boolean() -> None:
    database = parse_database(DOCUMENTED)
    assert database.db_acl_enabled is False
    assert database.db_acl_default_user_status is True
    assert database.prometheus_enabled is False


def test_request_limit_beyond_a_float_is_exact() -> None:
    assert parse_database(DOCUMENTED).db_request_limit == "8024278031528736858"


@pytest.mark.parametrize("field", [f for f in DOCUMENTED if f != "database_id"])
@pytest.mark.parametrize("value", [{"un": "expected"}, [{}], 2**70, "\ud800", 1.5])
def test_field_with_a_type_mismatch_is_kept_apart_and_the_rest_is_read(
    field: str, value: Any
) -> None:
    database = parse_database({**WITH_CREDENTIALS, field: value})
    assert database.password is not None
    assert database.password.get_secret_value() == CREDENTIALS["password"]
    mine = getattr(database, "security_addons" if field == "securityAddons" else field)
    assert mine is None or field not in database.extra_attributes
    if mine is None:
        kept = repr(database.extra_attributes[field])
        assert kept == repr(value).replace("\\ud800", "?")


@pytest.mark.parametrize("field", [f for f in WITH_CREDENTIALS if f != "database_id"])
def test_field_may_be_missing_or_null(field: str) -> None:
    without = {name: value for name, value in WITH_CREDENTIALS.items() if name != field}
    for body in (without, {**without, field: None}):
        assert parse_database(body).extra_attributes == {}


@pytest.mark.parametrize("nothing", [None, ""])
def test_empty_credential_is_none(nothing: str | None) -> None:
    database = parse_database({**DOCUMENTED, "password": nothing})
    assert database.password is None
    assert database.extra_attributes == {}


def test_credentials_are_those_that_the_response_shows() -> None:
    assert parse_database(DOCUMENTED).credentials == Credentials()
    assert parse_database(WITH_CREDENTIALS).credentials == Credentials(**CREDENTIALS)


def test_missing_credentials_are_filled_in_and_none_is_replaced() -> None:
    database = parse_database({**DOCUMENTED, "password": "shown"})
    known = Credentials("known", "token")
    filled = database.with_credentials(database.credentials.completed_by(known))
    assert filled.credentials == Credentials("shown", "token")


def test_database_with_other_credentials_is_the_same_otherwise() -> None:
    database = parse_database({**WITH_CREDENTIALS, "later": 1, "port": "many"})
    bare = database.with_credentials(Credentials())
    assert bare.credentials == Credentials()
    assert bare.documented() == {
        name: value for name, value in database.documented().items() if name not in CREDENTIALS
    }
    assert bare.undocumented() == database.undocumented() == {"later": 1, "port": "many"}
    assert database.credentials == Credentials(**CREDENTIALS)


def test_documented_attributes_are_those_with_a_value_by_name() -> None:
    documented = parse_database({**WITH_CREDENTIALS, "region": None}).documented()
    expected = {**WITH_CREDENTIALS, "security_addons": documented["security_addons"]}
    assert documented.keys() == expected.keys() - {"region", "securityAddons"}
    assert documented["password"] == CREDENTIALS["password"]
    assert documented["security_addons"] == {
        "ip_whitelisting": False,
        "vpc_peering": False,
        "private_link": False,
        "tls_mutual_auth": False,
        "encryption_at_rest": False,
    }


def test_undocumented_attributes_are_those_with_a_value_and_mismatches() -> None:
    addons = {**DOCUMENTED["securityAddons"], "quantum": True, "vpcPeering": "perhaps"}
    database = parse_database(
        {**DOCUMENTED, "new": 2**70, "gone": None, "replicas": 2**60, "securityAddons": addons}
    )
    assert database.undocumented() == {
        "new": 2**70,
        "replicas": 2**60,
        "securityAddons": {"quantum": True, "vpcPeering": "perhaps"},
    }


def test_half_a_surrogate_pair_becomes_text() -> None:
    database = parse_database({**DOCUMENTED, "database_name": "a\ud800b", "x\udfff": ["\ud800"]})
    assert database.database_name == "a?b"
    assert database.undocumented() == {"x?": ["?"]}


def test_urls_are_those_of_the_endpoint_and_the_password() -> None:
    assert parse_database(WITH_CREDENTIALS).urls == {
        "redis_url": "rediss://default:pw%2Fcanary%2B1@beloved-stallion-58500.upstash.io:6379",
        "rest_url": "https://beloved-stallion-58500.upstash.io",
    }
    assert parse_database(DOCUMENTED).urls.keys() == {"rest_url"}


def test_undocumented_field_is_kept() -> None:
    addons = {**DOCUMENTED["securityAddons"], "quantum": True}
    database = parse_database({**DOCUMENTED, "new_limit": 2**70, "securityAddons": addons})
    assert database.extra_attributes == {"new_limit": 2**70}
    assert database.security_addons is not None
    assert database.security_addons.extra_attributes == {"quantum": True}


@pytest.mark.parametrize(
    "body", [None, "OK", 1, [], [DOCUMENTED], {}, {"database_id": None}, {"database_id": 7}]
)
def test_value_that_is_not_a_database_is_an_unreadable_response(body: Any) -> None:
    with pytest.raises(UnreadableResponseError, match="not a Database object"):
        parse_database(body)


def test_no_credential_is_in_a_repr() -> None:
    database = parse_database({**WITH_CREDENTIALS, "later_token": "later-canary"})
    assert "canary" not in repr(database) + str(database)


@given(st.dictionaries(st.sampled_from(sorted(WITH_CREDENTIALS)) | st.text(), JSON))
def test_any_object_with_an_id_is_read_and_no_part_is_lost(body: dict[str, Any]) -> None:
    database = parse_database({**body, "database_id": DATABASE_ID})
    known = {*Database.model_fields, "securityAddons"}
    for name, value in body.items():
        if name not in known:
            assert repr(database.extra_attributes[name]) == repr(value)
    for name in CREDENTIAL_NAMES:
        value = body.get(name)
        if is_credential(value):  # others are kept as they came
            assert getattr(database, name).get_secret_value() == value
