"""What the state holds: complete, exact, and nothing that Pulumi would reject."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation import RedisPasswordRotation
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import DeclaredInputs
from pulumi_upstash_rotation.resources.redis_password_rotation.state import (
    CHANGED_BY_ROTATION,
    SECRET_IN_STATE,
    SECRET_OUTPUTS,
    Snapshot,
    State,
    carried_over,
    parse_state,
    planned_creation,
    planned_update,
    taken_over,
    to_outputs,
    with_pending,
)
from pulumi_upstash_rotation.rotation.record import Cause, PendingRotation, Reason, RotationRecord
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.database import parse_database
from pulumi_upstash_rotation.values import UNKNOWN, is_json

from ...support.account import ACCEPTED
from ...support.clock import START as NOW
from ...support.payloads import CREDENTIALS, DATABASE_ID, DOCUMENTED, JSON, WITH_CREDENTIALS

REASON = Reason(Cause.TRIGGER, "release")
PENDING = PendingRotation(Reason(Cause.TRIGGER, "a"), {"a": 2})


def snapshot_of(body: dict[str, Any], triggers: dict[str, Any] | None = None) -> Snapshot:
    record = RotationRecord(NOW.replace(microsecond=789), 3, REASON, triggers or {}, ACCEPTED)
    return Snapshot(parse_database(body), record)


def outputs_of(body: dict[str, Any], triggers: dict[str, Any] | None = None) -> dict[str, Any]:
    return to_outputs(snapshot_of(body, triggers))


def test_outputs_are_the_attributes_of_the_resource() -> None:
    outputs = outputs_of(WITH_CREDENTIALS)
    adopted = {"adopted_at"}  # only before the first rotation
    assert adopted | outputs.keys() - {"schema_version", "rotate_on_delete"} == set(
        RedisPasswordRotation.__annotations__
    )


def test_outputs_hold_every_documented_attribute() -> None:
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
    }
    assert outputs == expected


def test_outputs_leave_out_credentials_that_the_api_does_not_show() -> None:
    hidden = {"password", "rest_token", "read_only_rest_token", "redis_url"}
    assert not hidden & outputs_of(DOCUMENTED).keys()


def test_outputs_of_a_database_without_a_record_have_no_rotation() -> None:
    outputs = to_outputs(Snapshot(parse_database(WITH_CREDENTIALS), RotationRecord()))
    absent = {"rotated_at", "rotation_cause", "verified", "verification", "pending_rotation"}
    assert not absent & outputs.keys()
    assert (outputs["rotation_count"], outputs["triggers"]) == (0, {})


def test_outputs_keep_undocumented_attributes_exactly() -> None:
    addons = {**DOCUMENTED["securityAddons"], "quantum": True}
    later = {"later": {"big": 2**70, "deep": [2**53, 2**53 + 1]}, "replicas": 2**60}
    outputs = outputs_of({**DOCUMENTED, **later, "securityAddons": addons})
    assert outputs["extra_attributes"] == {
        "later": {"big": str(2**70), "deep": [2**53, str(2**53 + 1)]},
        "replicas": str(2**60),
        "securityAddons": {"quantum": True},
    }
    assert "replicas" not in outputs


@pytest.mark.parametrize("name", ["plan", "db_shards", "note", "monkey", "admin_token"])
def test_every_undocumented_attribute_is_secret_whatever_its_name(name: str) -> None:
    outputs = outputs_of({**WITH_CREDENTIALS, name: "later-canary", "port": "later-canary"})
    holding = {name for name, value in outputs.items() if "later-canary" in repr(value)}
    assert holding == {"extra_attributes"}
    assert holding <= {*SECRET_OUTPUTS} & {*SECRET_IN_STATE}


@pytest.mark.parametrize("field", ["database_name", "endpoint", "customer_id", "modifying_state"])
def test_documented_attribute_that_shows_a_live_credential_is_secret(field: str) -> None:
    shown = base64.b64encode(b"default:" + CREDENTIALS["rest_token"].encode()).decode()
    snapshot = snapshot_of({**WITH_CREDENTIALS, field: f"x {shown}"})
    outputs = to_outputs(snapshot)
    assert {name for name, value in outputs.items() if shown in repr(value)} == {"extra_attributes"}
    assert outputs["extra_attributes"] == {field: f"x {shown}"}
    assert shown not in snapshot.to_state().label + snapshot.database.label
    assert parse_state(outputs).database_name == snapshot.to_state().database_name


def test_documented_attribute_that_shows_a_stored_credential_is_secret() -> None:
    """The API may hide the credentials and still show one elsewhere."""
    database = parse_database({**DOCUMENTED, "customer_id": CREDENTIALS["password"]})
    assert database.customer_id == CREDENTIALS["password"]
    assert database.with_credentials(Credentials(**CREDENTIALS)).customer_id is None
    later = parse_database({"database_id": DATABASE_ID, **CREDENTIALS})
    assert later.completed_by(database).customer_id is None


@pytest.mark.parametrize("extra_secret", [{"b_token": "y"}, None, "z"])
def test_upgrade_joins_the_extra_attributes_of_an_earlier_version(extra_secret: Any) -> None:
    earlier = {
        **outputs_of({**WITH_CREDENTIALS, "a": "x"}),
        "extra_secret_attributes": extra_secret,
    }
    kept = carried_over(earlier, INPUTS)
    assert kept["extra_attributes"] == {
        "a": "x",
        **(extra_secret if extra_secret == {"b_token": "y"} else {}),
    }
    assert "extra_secret_attributes" not in kept


def test_secret_outputs_are_those_that_hold_or_derive_from_a_credential() -> None:
    outputs = outputs_of({**WITH_CREDENTIALS, "later_token": "later-canary"})
    secret = {name for name, value in outputs.items() if "canary" in str(value)}
    assert secret == set(SECRET_OUTPUTS)


def test_triggers_are_secret_in_the_state() -> None:
    """Any of them may be secret, those of a pending rotation as well."""
    pending = PendingRotation(REASON, {"a": "canary"})
    outputs = with_pending(outputs_of(WITH_CREDENTIALS, {"a": "canary"}), pending)
    secret = {name for name, value in outputs.items() if "canary" in str(value)}
    assert secret <= set(SECRET_IN_STATE)
    assert {"triggers", "pending_triggers"} <= secret


def test_fingerprint_changes_with_the_password_and_with_nothing_else() -> None:
    def fingerprint(rotated_at: Any = NOW, count: int = 1, **changes: object) -> str:
        database = parse_database({**WITH_CREDENTIALS, **changes})
        record = RotationRecord(rotated_at, count, Reason(Cause.CREATE))
        return str(to_outputs(Snapshot(database, record))["credential_fingerprint"])

    first = fingerprint()
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert fingerprint(database_name="other", count=2, rest_token=None) == first
    assert fingerprint(password="other") != first
    assert fingerprint(database_id="other") != first
    unknown = fingerprint(password=None)
    assert unknown != first
    assert fingerprint(password=None, database_name="other") == unknown
    assert fingerprint(password=None, count=2) != unknown
    # The state keeps whole seconds, and a refresh must not change it.
    assert fingerprint(password=None, rotated_at=NOW + timedelta(microseconds=9)) == unknown
    assert fingerprint(password=None, rotated_at=NOW + timedelta(days=1)) != unknown


def test_fingerprint_of_a_password_is_the_one_that_states_hold() -> None:
    """Another digest would restart the dependents of every stack."""
    assert outputs_of(WITH_CREDENTIALS)["credential_fingerprint"] == "16eef783818549e3"


def test_state_is_read_back_from_outputs() -> None:
    snapshot = snapshot_of(WITH_CREDENTIALS, {"a": 1})
    expected = State(
        DATABASE_ID,
        RotationRecord(NOW, 3, REASON, {"a": 1}, ACCEPTED),
        Credentials(**CREDENTIALS),
        database_name="MyRedis",
        customer_id="example@upstash.com",
    )
    assert parse_state({**to_outputs(snapshot), "__provider": "x"}) == expected


@pytest.mark.parametrize("rotate_on_delete", [False, True])
@pytest.mark.parametrize("engine_inputs_stale", [False, True])
@pytest.mark.parametrize("pending", [None, PENDING])
def test_state_of_a_snapshot_is_the_state_that_its_outputs_hold(
    *, rotate_on_delete: bool, engine_inputs_stale: bool, pending: PendingRotation | None
) -> None:
    snapshot = Snapshot(
        parse_database(WITH_CREDENTIALS),
        RotationRecord(NOW, 3, REASON, {"a": 1}, ACCEPTED),
        pending,
        rotate_on_delete=rotate_on_delete,
        engine_inputs_stale=engine_inputs_stale,
    )
    assert parse_state(to_outputs(snapshot)) == snapshot.to_state()


def test_pending_rotation_is_read_back() -> None:
    state = parse_state(with_pending(outputs_of(WITH_CREDENTIALS, {"a": 1}), PENDING))
    assert (state.pending, state.record.triggers) == (PENDING, {"a": 1})


def test_cause_of_a_newer_version_is_kept_as_it_is() -> None:
    newer = {"database_id": "x", "rotation_cause": "leak: y", "pending_rotation": "leak: x"}
    state = parse_state(newer)
    assert state.pending == PendingRotation(Reason(Cause.OTHER, "leak: x"))
    assert str(state.record.reason) == "leak: y"


def test_state_of_an_import_or_an_early_version_is_read() -> None:
    assert parse_state({"database_id": "x"}) == State("x")
    early = {"database_id": "x", "rotated_at": "2026-11-23T04:05:06Z", "password": "pw"}
    expected = State("x", RotationRecord(NOW, 1), Credentials("pw"))
    assert parse_state(early) == expected


def test_outputs_of_an_earlier_version_get_todays_names() -> None:
    earlier = {
        "database_id": "x",
        "unsettled_rotation": "age",
        "unsettled_triggers": {"a": 1},
        "inputs_lag": True,
        "__provider": "pickle",
    }
    today = {
        "database_id": "x",
        "pending_rotation": "age",
        "pending_triggers": {"a": 1},
        "engine_inputs_stale": True,
        "__provider": "pickle",
    }
    state = parse_state(earlier)
    assert state == parse_state(today)
    assert state.pending == PendingRotation(Reason(Cause.AGE), {"a": 1})
    assert state.engine_inputs_stale


@given(st.dictionaries(st.sampled_from(sorted(outputs_of(WITH_CREDENTIALS))) | st.text(), JSON))
def test_any_outputs_become_a_state(outputs: dict[str, Any]) -> None:
    """A user may have edited them. A value of another type counts as absent."""
    state = parse_state(outputs)
    assert isinstance(state.database_id, str)
    assert isinstance(state.record.count, int)


@pytest.mark.parametrize("count", [math.nan, math.inf, "3", None, [], True])
def test_count_of_another_type_never_fails(count: Any) -> None:
    assert parse_state({"rotation_count": count}).record.count in {0, 1}


@given(st.dictionaries(st.sampled_from(sorted(WITH_CREDENTIALS)) | st.text(), JSON), JSON)
def test_outputs_of_any_response_survive_pulumis_wire(body: dict[str, Any], trigger: Any) -> None:
    outputs = outputs_of({**body, "database_id": DATABASE_ID}, {"any": trigger})
    wire = struct_pb2.Struct()
    wire.update(outputs)
    returned = struct_pb2.Struct.FromString(wire.SerializeToString())
    assert is_json(outputs)
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


def test_outputs_with_half_a_surrogate_pair_are_text() -> None:
    outputs = outputs_of({**DOCUMENTED, "database_name": "a\ud800b", "x\udfff": ["\ud800"]})
    assert outputs["database_name"] == "a?b"
    assert outputs["extra_attributes"] == {"x?": ["?"]}


INPUTS = DeclaredInputs(database_id=DATABASE_ID, rotate_on_delete=True)


def test_planned_creation_knows_what_is_declared_and_nothing_else() -> None:
    planned = planned_creation(INPUTS)
    known = {name: value for name, value in planned.items() if value is not UNKNOWN}
    assert known == {"database_id": DATABASE_ID, "rotate_on_delete": True, "schema_version": 1}
    assert planned.keys() == {*RedisPasswordRotation.__annotations__, *known}


def test_planned_update_that_is_not_due_is_what_the_update_leaves() -> None:
    stored = {**outputs_of(WITH_CREDENTIALS), "inputs_lag": True}
    planned = planned_update(stored, INPUTS, due=False)
    assert planned == carried_over(stored, INPUTS)
    assert planned == {**outputs_of(WITH_CREDENTIALS), "rotate_on_delete": True}


def test_planned_update_that_is_due_has_no_pending_rotation() -> None:
    stored = {**outputs_of(WITH_CREDENTIALS), "unsettled_rotation": "age", "pending_triggers": {}}
    planned = planned_update(stored, INPUTS, due=True)
    assert not [name for name in planned if "pending" in name or "unsettled" in name]


def test_planned_update_that_is_due_keeps_what_a_rotation_does_not_change() -> None:
    stored = {**outputs_of({**WITH_CREDENTIALS, "later_token": "x"}), "rotate_on_delete": True}
    planned = planned_update(stored, INPUTS, due=True)
    changed = {name for name, value in planned.items() if value is UNKNOWN}
    assert changed == set(CHANGED_BY_ROTATION)
    assert {name: planned[name] for name in planned.keys() - changed} == {
        name: stored[name] for name in stored.keys() - changed
    }


def test_no_secret_is_in_a_repr() -> None:
    snapshot = snapshot_of({**WITH_CREDENTIALS, "later_token": "canary"}, {"a": "canary"})
    pending = PendingRotation(REASON, {"a": "canary"})
    state = State(DATABASE_ID, snapshot.record, Credentials(**CREDENTIALS), pending)
    assert "canary" not in repr(snapshot) + repr(state)


def test_imported_state_is_read_back_and_ends_with_the_first_update() -> None:
    outputs = to_outputs(replace(snapshot_of(WITH_CREDENTIALS), imported=True))
    assert outputs["imported"] is True
    assert parse_state(outputs).imported
    stored = taken_over(outputs, DeclaredInputs(database_id=DATABASE_ID, triggers={"b": 2}), NOW)
    assert not parse_state(stored).imported
    assert stored["triggers"] == {"b": 2}
    # A reset outside Pulumi since the import has a time and a cause of its own.
    assert stored["rotation_cause"] == str(REASON)


def test_imported_state_without_a_rotation_is_an_adoption() -> None:
    outputs = to_outputs(Snapshot(parse_database(DOCUMENTED), RotationRecord(), imported=True))
    record = parse_state(taken_over(outputs, DeclaredInputs(database_id=DATABASE_ID), NOW)).record
    assert (record.adopted_at, record.rotated_at, record.count) == (NOW, None, 0)
    assert record.reason == Reason(Cause.ADOPTED)


@pytest.mark.parametrize("value", [None, False, 1, "True", {}])
def test_state_is_imported_only_if_it_says_so(value: Any) -> None:
    assert not parse_state({"database_id": DATABASE_ID, "imported": value}).imported
