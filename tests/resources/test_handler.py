"""The seam: which handlers there are, and what surrounds a call."""

from __future__ import annotations

import pytest

from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.handler import Context, Resource, Run
from pulumi_upstash_rotation.resources.redis_password_rotation.handler import (
    RedisPasswordRotationHandler,
)

from ..support.account import ScriptedUpstash


def test_handler_of_a_resource_is_found_by_its_name() -> None:
    assert isinstance(handler_of("RedisPasswordRotation"), RedisPasswordRotationHandler)


@pytest.mark.parametrize("name", ["", "redispasswordrotation", "Other"])
def test_handler_of_an_unknown_resource_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        handler_of(name)


def test_context_of_an_operation_has_the_account() -> None:
    context = ScriptedUpstash().context()
    assert context.carry_out() is context.account


def test_context_of_a_preview_cannot_carry_out_anything() -> None:
    context = ScriptedUpstash().context(preview=True)
    assert context.account is None
    with pytest.raises(AssertionError):
        context.carry_out()


def test_contexts_without_a_run_share_none() -> None:
    upstash = ScriptedUpstash()
    first, second = (Context(upstash.clock.now, upstash.reporter) for _ in range(2))
    assert first.run == second.run == Run()
    assert first.run is not second.run


def test_outputs_are_not_in_the_repr_of_a_resource() -> None:
    assert "canary" not in repr(Resource("id", {"password": "canary"}))
