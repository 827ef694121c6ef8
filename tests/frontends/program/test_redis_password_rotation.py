"""The resource that programs declare: without an engine, and in users' own tests with mocks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import typing
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from pulumi_upstash_rotation import RedisPasswordRotation
from pulumi_upstash_rotation.frontends.program.declared import check_sendable
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import CHECKS
from pulumi_upstash_rotation.resources.redis_password_rotation.state import SECRET_OUTPUTS

from ...support.payloads import DATABASE_ID

if TYPE_CHECKING:
    from pathlib import Path


def test_output_of_another_resource_can_be_declared() -> None:
    async def declare() -> None:
        later = pulumi.Output.from_input("x")
        for value in (later, {"a": [later]}, {"a": (1, None, {"b": later})}):
            check_sendable(CHECKS, {"database_id": later, "triggers": value}, "cache")

    asyncio.run(declare())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("triggers", {1: "x"}),
        ("triggers", {"a": b"secret-canary"}),
        ("triggers", {"a": [{"secret-canary"}]}),
        ("triggers", {"a": float("nan")}),
        ("triggers", {"a": 2**53 + 1}),
        ("triggers", {"a": "\ud800"}),
        ("triggers", {"\ud800": "a"}),
        ("rotation_days", 1j),
        ("database_id", b"secret-canary"),
        ("verify", object()),
    ],
)
def test_argument_that_pulumi_cannot_send_is_one_line_that_names_it(name: str, value: Any) -> None:
    arguments = {"database_id": DATABASE_ID, name: value}
    with pytest.raises(pulumi.RunError, match=f"^cache: {name} must be ") as raised:
        RedisPasswordRotation("cache", **arguments)
    assert "canary" not in str(raised.value)


def test_import_is_one_line_that_names_the_way_to_adopt() -> None:
    options = pulumi.ResourceOptions(import_=DATABASE_ID)
    with pytest.raises(pulumi.RunError, match="^cache: .*rotate_on_create=False"):
        RedisPasswordRotation("cache", options, database_id=DATABASE_ID)


def test_annotations_are_types_and_not_text() -> None:
    """Pulumi would compile text anew for each resource."""
    for name, kind in RedisPasswordRotation.__annotations__.items():
        assert typing.get_origin(kind) is pulumi.Output, name


def test_secret_outputs_are_attributes() -> None:
    assert set(SECRET_OUTPUTS) <= RedisPasswordRotation.__annotations__.keys()


TESTS = """
import pulumi
import pytest
from pulumi.runtime.settings import SETTINGS
from pulumi_upstash_rotation import RedisPasswordRotation

ID = "55b0e85a-6a0f-4ad3-a1f8-d08d3d3a4a3c"


class Upstash(pulumi.runtime.Mocks):
    def new_resource(self, args):
        outputs = {"password": "from the mock", "port": 6379.0}
        outputs["rotated_at"] = "2026-11-23T04:05:06Z"
        return args.inputs["database_id"], {**args.inputs, **outputs}

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Upstash())


@pulumi.runtime.test
def test_outputs_come_from_the_mock():
    rotation = RedisPasswordRotation("cache", database_id=ID, triggers={"release": "1"})

    def look(values):
        assert values == [ID, ID, "from the mock", 6379, {"release": "1"}, None]
        assert isinstance(values[3], int)

    names = ("id", "database_id", "password", "port", "triggers", "endpoint")
    return pulumi.Output.all(*(getattr(rotation, name) for name in names)).apply(look)


@pytest.mark.parametrize("number", [1, 2])
@pulumi.runtime.test
def test_the_same_database_may_be_declared_again_with_mocks(number):
    return RedisPasswordRotation("cache", database_id=ID).id


@pulumi.runtime.test
def test_database_id_may_be_an_output():
    return RedisPasswordRotation("cache", database_id=pulumi.Output.from_input(ID)).id


@pulumi.runtime.test
def test_attributes_and_credentials_are_all_outputs_together():
    rotation = RedisPasswordRotation("cache", database_id=ID)
    public, secret = rotation.attributes, rotation.credentials
    assert not public.keys() & secret.keys()
    assert public.keys() | secret.keys() | {"triggers"} == {
        *RedisPasswordRotation.__annotations__, "next_rotation_at"
    }
    assert secret.keys() >= {"password", "redis_url"}

    def look(values):
        assert values == ["from the mock", 6379]

    return pulumi.Output.all(secret["password"], public["port"]).apply(look)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, None),
        ({"rotation_days": 7}, "2026-11-30T04:05:06Z"),
        ({"rotation_days": pulumi.Output.from_input(7)}, "2026-11-30T04:05:06Z"),
        ({"rotation_schedule": "0 3 1 * *"}, "2026-12-01T03:00:00Z"),
        ({"rotation_days": 30, "rotation_schedule": "0 3 1 * *"}, "2026-12-01T03:00:00Z"),
        ({"rotation_days": "7"}, None),
        ({"rotation_days": 10**9}, None),
        ({"rotation_schedule": "often"}, None),
    ],
)
@pulumi.runtime.test
def test_next_rotation_at_is_the_earlier_of_age_and_schedule(arguments, expected):
    rotation = RedisPasswordRotation("cache", database_id=ID, **arguments)

    def look(moment):
        assert moment == expected

    return rotation.next_rotation_at.apply(look)


@pulumi.runtime.test
def test_required_credential_is_the_secret_output_itself():
    rotation = RedisPasswordRotation("cache", database_id=ID)
    password = rotation.required.password

    def look(values):
        assert values == ["from the mock", True]

    return pulumi.Output.all(password, pulumi.Output.from_input(password.is_secret())).apply(look)


@pytest.mark.parametrize("name", ["rest_token", "read_only_rest_token", "redis_url"])
def test_required_credential_that_is_hidden_is_one_line(name):
    @pulumi.runtime.test
    def use():
        rotation = RedisPasswordRotation("cache", database_id=ID)
        return getattr(rotation.required, name)

    line = f"^the API does not return the {name} of Redis database '{ID}'. Nothing that uses it"
    with pytest.raises(pulumi.RunError, match=line):
        use()


@pulumi.runtime.test
def test_get_reads_by_id():
    return RedisPasswordRotation.get("cache", ID).id


@pulumi.runtime.test
def test_pulumi_waits_for_a_few_outputs_of_each_resource_only():
    assert len(RedisPasswordRotation.__annotations__) > 50
    before = len(SETTINGS.outputs)
    for number in range(10):
        RedisPasswordRotation(f"cache-{number}", database_id=f"{ID}-{number}")
    # An older SDK has no way to wait for fewer.
    declared = len(RedisPasswordRotation.__annotations__)
    most = 20 if hasattr(pulumi.Output, "_untrack") else 2 * declared
    assert len(SETTINGS.outputs) - before < 10 * most
"""


def test_resource_in_users_own_tests_with_mocks(tmp_path: Path) -> None:
    (tmp_path / "test_infrastructure.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "19 passed" in done.stdout
