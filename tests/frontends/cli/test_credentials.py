"""One row for each credential of a state."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest

from pulumi_upstash_rotation.frontends.cli.credentials import (
    NOT_WITH_THE_USER,
    REMOVED,
    Credential,
    Kind,
    credentials_in,
)
from pulumi_upstash_rotation.frontends.cli.states import from_file
from pulumi_upstash_rotation.rotation.record import Cause, Reason

from ...support.clock import START
from ...support.exported import (
    DATABASE_ID,
    PACKAGES,
    ROTATED,
    TOKEN,
    acl_user,
    exported,
    resource,
    secret,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

both = pytest.mark.parametrize("front_end", list(PACKAGES))
ROTATED_AT: Final = START - timedelta(days=10)


def read(*resources: object, **deployment: Any) -> list[Credential]:
    text = exported(*resources, **deployment)
    return credentials_in(from_file("state.json", io.BytesIO(text.encode())))


def password(
    outputs: Mapping[str, Any], inputs: Mapping[str, Any] | None = None, **attributes: Any
) -> Credential:
    (found,) = read(resource({**ROTATED, **outputs}, inputs, **attributes))
    return found


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ROTATED.items() if name not in names}


@both
def test_password_of_either_front_end_is_a_row(front_end: str) -> None:
    found = password({}, {"rotation_days": 30}, front_end=front_end)
    assert (found.project, found.stack, found.name) == ("shop", "dev", "cache")
    assert found.urn.endswith("RedisPasswordRotation::cache")
    assert found.kind is Kind.PASSWORD
    assert (found.database_id, found.database_name) == (DATABASE_ID, "cache-1")
    assert found.username is None
    assert found.record.rotated_at == ROTATED_AT
    assert found.record.reason == Reason(Cause.TRIGGER, "release")
    assert found.record.count == 2
    assert found.next_rotation == (ROTATED_AT + timedelta(days=30), Cause.AGE)
    assert found.verified is True
    assert found.pending is None
    assert found.secret == frozenset()


@both
def test_acl_user_is_one_row(front_end: str) -> None:
    inputs = {"rotation_schedule": "0 3 1 * *"}
    (found,) = read(*acl_user(inputs=inputs, front_end=front_end))
    assert (found.name, found.kind, found.username) == ("app", Kind.ACL_TOKEN, "app")
    assert (found.database_id, found.database_name) == (DATABASE_ID, "cache-1")
    assert found.urn.endswith("RedisAclToken::app-token")
    assert found.record.rotated_at == ROTATED_AT
    assert found.next_rotation == (
        datetime(2026, 12, 1, 3, tzinfo=timezone.utc),
        Cause.SCHEDULE,
    )
    assert found.verified is True
    assert found.pending is None


def test_component_of_an_acl_user_is_no_row() -> None:
    component = resource({}, kind="RedisAclUser", front_end="native", custom=False)
    assert [each.name for each in read(component, *acl_user())] == ["app"]


def test_resources_of_others_are_no_rows() -> None:
    others = [
        {**resource(ROTATED), "type": type_}
        for type_ in (
            "upstash:index:RedisDatabase",
            "pulumi-python:dynamic/other:RedisPasswordRotation",
            "upstash-rotation:index:RedisAclUser",
            "RedisPasswordRotation",
        )
    ]
    assert read(*others) == []


def test_rows_have_the_order_of_the_state() -> None:
    names = ["b", "a", "c"]
    assert [each.name for each in read(*(resource(ROTATED, name=name) for name in names))] == names


@pytest.mark.parametrize("other", [{}, {"credential_fingerprint": "another"}, {"username": "b"}])
def test_token_that_its_user_does_not_have_is_pending(other: dict[str, str]) -> None:
    token, *rest = acl_user(user={**TOKEN, **other}) if other else acl_user()[:1]
    (found,) = read(token, *rest)
    assert found.pending == NOT_WITH_THE_USER
    assert found.verified is None


def test_token_that_somebody_removed_is_known() -> None:
    (found,) = read(*acl_user({**TOKEN, "token_removed_outside": True}))
    assert found.pending == REMOVED


@pytest.mark.parametrize("name", ["pending_rotation", "unsettled_rotation"])
def test_pending_rotation_of_any_version_is_known(name: str) -> None:
    assert password({name: "trigger: incident"}).pending == "trigger: incident"


@pytest.mark.parametrize(
    ("operation", "pending"),
    [
        ("creating", "interrupted create"),
        ("updating", "interrupted update"),
        ("deleting", "interrupted delete"),
        ("reading", None),
    ],
)
def test_interrupted_operation_is_pending(operation: str, pending: str | None) -> None:
    new = resource({}, {"database_id": "an-id"}, name="new")
    (found,) = read(pending_operations=[{"resource": new, "type": operation}])
    assert (found.name, found.database_id, found.pending) == ("new", "an-id", pending)
    assert found.age(START) is None


def test_age_is_the_time_since_the_rotation() -> None:
    assert password({}).age(START) == timedelta(days=10)
    assert password({}).least_age(START) == timedelta(days=10)


def test_age_after_an_adoption_is_not_known() -> None:
    adopted = {"adopted_at": ROTATED["rotated_at"], "rotation_cause": "adopted"}
    (found,) = read(resource({**without("rotated_at"), **adopted}, {"rotation_days": 30}))
    assert found.age(START) is None
    assert found.least_age(START) == timedelta(days=10)
    assert found.next_rotation == (ROTATED_AT + timedelta(days=30), Cause.AGE)


@pytest.mark.parametrize(
    ("rotated_at", "age"),
    [
        ("2026-11-23T04:30:00Z", timedelta(0)),  # another machine's clock is a little ahead
        ("2026-11-23T06:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("yesterday", None),
        (1, None),
        (None, None),
    ],
)
def test_age_without_a_time_in_the_past_is_not_known(
    rotated_at: object, age: timedelta | None
) -> None:
    assert password({"rotated_at": rotated_at}).age(START) == age


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"rotation_days": -1},
        {"rotation_days": "30"},
        {"rotation_days": 10**400},
        {"rotation_schedule": "never"},
        {"rotation_schedule": ["0 3 1 * *"]},
    ],
)
def test_without_an_allowed_age_or_schedule_there_is_no_next_rotation(inputs: Any) -> None:
    assert password({}, inputs).next_rotation is None


def test_import_has_no_next_rotation() -> None:
    assert password({"imported": True}, {"rotation_days": 30}).next_rotation is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("rotated_at", "rotated_at"),
        ("database_id", "database_id"),
        ("rotation_cause", "cause"),
        ("pending_rotation", "pending"),
        ("verified", "verified"),
    ],
)
@both
def test_secret_output_is_not_known(name: str, shown: str, front_end: str) -> None:
    assert password({name: secret()}, front_end=front_end).secret == {shown}


@pytest.mark.parametrize("name", ["rotation_days", "rotation_schedule"])
def test_secret_age_or_schedule_hides_the_next_rotation(name: str) -> None:
    found = password({}, {"rotation_days": 1, "rotation_schedule": "0 3 1 * *", name: secret()})
    assert found.next_rotation is None
    assert found.secret == {"next_rotation_at"}


@pytest.mark.parametrize("name", sorted({*ROTATED, "pending_rotation", "adopted_at", "imported"}))
@pytest.mark.parametrize("value", [[[]], {"a": {}}, -(10**400), 1e308, True, "", "\ud800"])
def test_value_of_an_unexpected_type_is_no_error(name: str, value: object) -> None:
    assert password({name: value}).name == "cache"
    assert [each.name for each in read(*acl_user({**TOKEN, name: value}))]
