"""The seam: which handlers there are, and what surrounds a call."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.redis_acl_user.retirement import RedisAclRetirementHandler
from pulumi_upstash_rotation.resources.redis_acl_user.token import RedisAclTokenHandler
from pulumi_upstash_rotation.resources.redis_acl_user.user import RedisAclUserHandler
from pulumi_upstash_rotation.resources.redis_password_rotation.handler import (
    RedisPasswordRotationHandler,
)
from pulumi_upstash_rotation.resources.seam import Context, Resource, Run

from ..support.account import ScriptedUpstash


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("RedisPasswordRotation", RedisPasswordRotationHandler),
        ("RedisAclToken", RedisAclTokenHandler),
        ("RedisAclUser", RedisAclUserHandler),
        ("RedisAclRetirement", RedisAclRetirementHandler),
    ],
)
def test_handler_of_a_resource_is_found_by_its_name(name: str, kind: type[object]) -> None:
    assert isinstance(handler_of(name), kind)


@pytest.mark.parametrize("name", ["", "redispasswordrotation", "Other"])
def test_handler_of_an_unknown_resource_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        handler_of(name)


def test_context_of_a_preview_has_no_account_and_no_way_to_get_one() -> None:
    assert {each.name for each in fields(Context)} == {"now", "reporter", "run", "resource"}


def test_context_without_a_run_cannot_be_made() -> None:
    """A run of its own for each call would forget what was replaced."""
    upstash = ScriptedUpstash()
    with pytest.raises(TypeError, match="run"):
        Context(upstash.clock.now, upstash.reporter)


def test_one_resource_of_a_run_can_claim_a_database() -> None:
    run, key, other = Run(), ("RedisPasswordRotation", "a"), ("RedisPasswordRotation", "b")
    assert run.claim(key, "first")
    assert not run.claim(key, "second")
    assert run.claim(key, "first")
    assert run.claim(other, "second")
    assert run.claim(key, None)


def test_outputs_are_not_in_the_repr_of_a_resource() -> None:
    assert "canary" not in repr(Resource("id", {"password": "canary"}))
