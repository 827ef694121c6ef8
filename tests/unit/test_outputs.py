"""What a rotation leaves in the state: complete, exact, and nothing that Pulumi would refuse."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation import RedisPasswordRotation
from pulumi_upstash_rotation.lifecycle import Result
from pulumi_upstash_rotation.models import parse_database
from pulumi_upstash_rotation.outputs import to_outputs
from pulumi_upstash_rotation.provider import SECRET_OUTPUTS
from pulumi_upstash_rotation.rotation import Rotation
from pulumi_upstash_rotation.state import State, Verification, parse_state

from .answers import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from .test_decision import JSON

SAID = Verification(verified=True, sentence="Redis accepts it")
NOW = datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=timezone.utc)


def outputs_of(body: dict[str, Any], triggers: dict[str, Any] | None = None) -> dict[str, Any]:
    rotation = Rotation(parse_database(body), NOW, 3, "trigger: release", SAID)
    return to_outputs(Result(rotation, triggers or {}), rotate_on_delete=False)


def test_outputs_are_the_attributes_of_the_resource() -> None:
    outputs = outputs_of({**WITH_CREDENTIALS})
    assert outputs.keys() - {"schema_version", "rotate_on_delete"} == set(
        RedisPasswordRotation.__annotations__
    )


def test_every_documented_attribute_is_an_output() -> None:
    outputs = outputs_of(DOCUMENTED)
    expected = {
        **{name: value for name, value in DOCUMENTED.items() if name != "securityAddons"},
        "db_request_limit": "8024278031528736858",
        "db_acl_enabled": False,
        "db_acl_default_user_status": True,
        "prometheus_enabled": False,
        "security_addons": {
            "ip_whitelisting": False,
            "vpc_peering": False,
            "private_link": False,
            "tls_mutual_auth": False,
            "encryption_at_rest": False,
        },
        "rest_url": "https://beloved-stallion-58500.upstash.io",
        "triggers": {},
        "rotated_at": "2026-11-23T04:05:06Z",
        "rotation_count": 3,
        "rotation_cause": "trigger: release",
        "verified": True,
        "verification": "Redis accepts it",
        "credential_fingerprint": outputs["credential_fingerprint"],
        "rotate_on_delete": False,
        "schema_version": 1,
        "extra_attributes": {},
        "extra_secret_attributes": {},
    }
    assert outputs == expected


def test_credentials_that_the_api_does_not_show_are_absent() -> None:
    assert (
        not {"password", "rest_token", "read_only_rest_token", "redis_url"}
        & outputs_of(DOCUMENTED).keys()
    )


@pytest.mark.parametrize(
    ("changes", "redis_url", "rest_url"),
    [
        (
            {},
            "rediss://default:pw%2Fcanary%2B1@beloved-stallion-58500.upstash.io:6379",
            "https://beloved-stallion-58500.upstash.io",
        ),
        (
            {"endpoint": "x.upstash.io", "port": 30000},
            "rediss://default:pw%2Fcanary%2B1@x.upstash.io:30000",
            "https://x.upstash.io",
        ),
        (
            {"tls": False},
            "redis://default:pw%2Fcanary%2B1@beloved-stallion-58500.upstash.io:6379",
            "https://beloved-stallion-58500.upstash.io",
        ),
        (
            {"endpoint": "127.0.0.1:8443", "port": 7000},
            "rediss://default:pw%2Fcanary%2B1@127.0.0.1:7000",
            "https://127.0.0.1:8443",
        ),
        ({"port": None}, None, "https://beloved-stallion-58500.upstash.io"),
        ({"password": None}, None, "https://beloved-stallion-58500.upstash.io"),
        ({"endpoint": None}, None, None),
        ({"endpoint": ""}, None, None),
        ({"endpoint": "[::1.x"}, None, "https://[::1.x"),
    ],
)
def test_urls_are_complete_or_absent(
    changes: dict[str, Any], redis_url: str | None, rest_url: str | None
) -> None:
    outputs = outputs_of({**WITH_CREDENTIALS, **changes})
    assert outputs.get("redis_url") == redis_url
    assert outputs.get("rest_url") == rest_url


def test_new_attributes_are_kept_exactly() -> None:
    addons = {**DOCUMENTED["securityAddons"], "quantum": True}
    later = {"later": {"big": 2**70, "deep": [2**53, 2**53 + 1]}, "replicas": 2**60}
    outputs = outputs_of({**DOCUMENTED, **later, "securityAddons": addons})
    assert outputs["extra_attributes"] == {
        "later": {"big": str(2**70), "deep": [2**53, str(2**53 + 1)]},
        "replicas": str(2**60),
        "securityAddons": {"quantum": True},
    }
    assert "replicas" not in outputs


@pytest.mark.parametrize(
    "extra",
    [
        {"admin_token": "x"},
        {"Password2": "x"},
        {"password": 7},
        {"connection_string": f"rediss://default:{CREDENTIALS['password']}@host"},
        {"nested": {"deep": [{"apiSecret": 1}]}},
        {"nested": [[f"{CREDENTIALS['rest_token']}"]]},
    ],
)
def test_a_new_attribute_that_may_be_a_credential_is_secret(extra: dict[str, Any]) -> None:
    outputs = outputs_of({**WITH_CREDENTIALS, **extra})
    assert outputs["extra_secret_attributes"] == extra
    assert outputs["extra_attributes"] == {}


def test_secret_outputs_are_those_that_hold_or_derive_from_a_credential() -> None:
    outputs = outputs_of({**WITH_CREDENTIALS, "later_token": "later-canary"})
    assert {name for name, value in outputs.items() if "canary" in str(value)} == set(
        SECRET_OUTPUTS
    )


def test_the_fingerprint_changes_with_the_password_and_with_nothing_else() -> None:
    def fingerprint(rotated_at: datetime = NOW, count: int = 1, **changes: object) -> str:
        database = parse_database({**WITH_CREDENTIALS, **changes})
        rotation = Rotation(database, rotated_at, count, "create")
        outputs = to_outputs(Result(rotation, {}), rotate_on_delete=False)
        return str(outputs["credential_fingerprint"])

    first = fingerprint()
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert fingerprint(database_name="other", count=2, rest_token=None) == first
    assert fingerprint(password="other") != first
    assert fingerprint(database_id="other") != first
    unknown = fingerprint(password=None)
    assert unknown != first
    assert fingerprint(password=None, database_name="other") == unknown
    assert fingerprint(password=None, count=2) != unknown
    assert fingerprint(password=None, rotated_at=NOW + timedelta(days=1)) != unknown


def test_the_state_can_be_read_back_from_the_outputs() -> None:
    outputs = outputs_of(WITH_CREDENTIALS, {"a": 1})
    assert parse_state({**outputs, "__provider": "x"}) == State(
        database_id=DATABASE_ID,
        triggers={"a": 1},
        rotated_at=NOW.replace(microsecond=0),
        rotation_count=3,
        rotation_cause="trigger: release",
        verification=SAID,
        rotate_on_delete=False,
        credentials=CREDENTIALS,
    )


def test_a_rotation_in_doubt_can_be_read_back() -> None:
    rotation = Rotation(parse_database(WITH_CREDENTIALS), NOW, 3, "age")
    result = Result(rotation, {"a": 1}, "trigger: a", {"a": 2})
    state = parse_state(to_outputs(result, rotate_on_delete=True))
    assert (state.unsettled, state.unsettled_triggers) == ("trigger: a", {"a": 2})
    assert (state.triggers, state.rotate_on_delete) == ({"a": 1}, True)


def test_an_older_or_an_external_state_can_be_read() -> None:
    assert parse_state({"database_id": "x"}) == State("x")
    older = {"database_id": "x", "rotated_at": "2026-11-23T04:05:06Z", "password": "pw"}
    assert parse_state(older) == State(
        "x", rotated_at=NOW.replace(microsecond=0), rotation_count=1, credentials={"password": "pw"}
    )


@given(st.dictionaries(st.sampled_from(sorted(WITH_CREDENTIALS)) | st.text(), JSON), JSON)
def test_any_answer_becomes_outputs_that_survive_pulumis_wire(
    body: dict[str, Any], trigger: Any
) -> None:
    outputs = outputs_of({**body, "database_id": DATABASE_ID}, {"any": trigger})
    wire = struct_pb2.Struct()
    wire.update(outputs)
    returned = struct_pb2.Struct.FromString(wire.SerializeToString())
    assert_same(dict(returned), outputs)


def assert_same(returned: Any, sent: Any) -> None:
    if isinstance(sent, dict):
        assert set(returned) == set(sent)
        for key in sent:
            assert_same(returned[key], sent[key])
    elif isinstance(sent, list):
        assert len(returned) == len(sent)
        for mine, theirs in zip(returned, sent, strict=True):
            assert_same(mine, theirs)
    else:
        assert returned == sent
        assert not isinstance(sent, float) or math.isfinite(sent)


def test_half_a_surrogate_pair_becomes_text() -> None:
    outputs = outputs_of({**DOCUMENTED, "database_name": "a\ud800b", "x\udfff": ["\ud800"]})
    assert outputs["database_name"] == "a?b"
    assert outputs["extra_attributes"] == {"x?": ["?"]}
