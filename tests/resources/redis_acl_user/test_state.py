"""The states of the three resources: written, stored, read back."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.resources.redis_acl_user import state
from pulumi_upstash_rotation.resources.redis_acl_user.retirement import RedisAclRetirementHandler
from pulumi_upstash_rotation.resources.redis_acl_user.state import (
    TokenState,
    parse_retirement_state,
    parse_token_state,
    parse_user_state,
)
from pulumi_upstash_rotation.resources.redis_acl_user.token import RedisAclTokenHandler
from pulumi_upstash_rotation.resources.redis_acl_user.user import RedisAclUserHandler
from pulumi_upstash_rotation.rotation.record import Cause, Reason, RotationRecord

from ...support.payloads import DATABASE_ID, JSON

MOMENT: Final = datetime(2026, 11, 23, 4, 5, 6, tzinfo=timezone.utc)
FULL: Final = TokenState(
    database_id=DATABASE_ID,
    username="app",
    database_name="MyRedis",
    customer_id="a@b.c",
    admin_token="admin-canary",
    token="token-canary",
    previous_tokens=("newer-canary", "older-canary"),
    record=RotationRecord(MOMENT, 3, Reason(Cause.TRIGGER, "release"), {"release": "canary"}),
    removed=True,
    redis_url="rediss://app:token-canary@host:1",
    rest_url="https://host",
)
NAMES: Final = sorted(
    {
        name
        for handler in (RedisAclTokenHandler, RedisAclUserHandler, RedisAclRetirementHandler)
        for name in handler.essential
    }
)


def test_state_of_a_token_survives_the_store() -> None:
    outputs = json.loads(json.dumps(FULL.to_outputs()))
    assert parse_token_state(outputs) == FULL
    assert outputs["schema_version"] == state.SCHEMA_VERSION
    assert (outputs["rotated_at"], outputs["rotation_cause"]) == (
        "2026-11-23T04:05:06Z",
        "trigger: release",
    )


def test_value_that_is_not_known_is_left_out() -> None:
    outputs = TokenState(database_id=DATABASE_ID, username="app", token="a").to_outputs()
    assert None not in outputs.values()
    assert outputs.keys() == {
        *("database_id", "username", "token", "previous_tokens", "credential_fingerprint"),
        *("triggers", "rotation_count", "schema_version"),
    }


def test_every_output_that_holds_a_secret_is_encrypted() -> None:
    holding = {name for name, value in FULL.to_outputs().items() if "canary" in repr(value)}
    assert holding == {*RedisAclTokenHandler.secret_in_state}


def test_every_output_of_a_token_but_its_labels_is_essential() -> None:
    """A new token that the engine cannot store whole must not lose a part of these."""
    assert FULL.to_outputs().keys() - {*RedisAclTokenHandler.essential} == {"database_name"}
    for handler in (RedisAclTokenHandler, RedisAclUserHandler):
        secret_but_found_again = {"previous_token"}
        assert {*handler.secret_in_state} <= {*handler.essential} | secret_but_found_again


def test_fingerprint_changes_with_the_token_the_user_and_the_database() -> None:
    def fingerprint(**changes: Any) -> Any:
        known = {"database_id": DATABASE_ID, "username": "app", "token": "token-canary"}
        return TokenState(**{**known, **changes}).to_outputs()["credential_fingerprint"]

    changed = ({}, {"token": "b"}, {"username": "b"}, {"database_id": "b"})
    assert len({fingerprint(**each) for each in changed}) == len(changed)
    assert fingerprint() == fingerprint(previous_tokens=("a",), removed=True)
    assert "canary" not in fingerprint()


def test_no_repr_shows_a_token() -> None:
    outputs = {**FULL.to_outputs(), "rules": ["+get"], "previous_token": "canary"}
    parsed = (
        FULL,
        parse_user_state(outputs),
        parse_retirement_state(outputs),
        state.Outputs(outputs),
    )
    for each in parsed:
        assert "canary" not in repr(each)


def test_labels() -> None:
    assert FULL.label == f"Redis database 'MyRedis' ({DATABASE_ID})"
    assert FULL.user_label == f"ACL user 'app' of {FULL.label}"
    unnamed = TokenState(database_id="an-id", username="a", token="")
    assert unnamed.user_label == "ACL user 'a' of Redis database 'an-id'"


def test_state_of_a_user_and_of_a_retirement() -> None:
    user = parse_user_state(
        {
            "username": "app",
            "token": "b",
            "previous_tokens": ["a"],
            "rules": ["+get"],
            "shown_rules": {"keys": "[]"},
            "changed_outside": ["keys"],
        }
    )
    assert (user.username, user.token, user.previous_tokens) == ("app", "b", ("a",))
    assert (user.rules, user.shown_rules, user.drifted) == (("+get",), {"keys": "[]"}, ("keys",))
    retirement = parse_retirement_state({"credential_fingerprint": "x", "stale_consumers": ["c"]})
    assert (retirement.fingerprint, retirement.stale_consumers) == ("x", ("c",))


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_state_is_read(outputs: dict[str, Any]) -> None:
    """A user may have edited it."""
    token = parse_token_state(outputs)
    assert parse_token_state(token.to_outputs()).token == token.token
    assert isinstance(parse_user_state(outputs).rules, tuple)
    assert isinstance(parse_retirement_state(outputs).stale_consumers, tuple)
