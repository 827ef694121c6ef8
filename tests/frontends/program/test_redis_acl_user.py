"""The ACL user that programs declare: without an engine, and in users' own tests with mocks."""

from __future__ import annotations

import subprocess
import sys
import typing
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pytest

from pulumi_upstash_rotation import RedisAclRetirement, RedisAclUser
from pulumi_upstash_rotation.frontends.program import redis_acl_user
from pulumi_upstash_rotation.resources import handler_of

from ...support.payloads import DATABASE_ID

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS: Final = {"database_id": DATABASE_ID, "username": "app"}
CHILDREN: Final = (redis_acl_user._Token, redis_acl_user._User, RedisAclRetirement)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rules", [b"secret-canary"]),
        ("rules", {"secret-canary"}),
        ("username", b"secret-canary"),
        ("database_id", object()),
        ("triggers", {"a": {"secret-canary"}}),
        ("triggers", {"a": float("nan")}),
        ("rotation_days", 1j),
        ("verify", object()),
    ],
)
def test_argument_that_pulumi_cannot_send_is_one_line_that_names_it(name: str, value: Any) -> None:
    arguments = {**ADDRESS, "rules": ["+ping"], name: value}
    with pytest.raises(pulumi.RunError, match=f"^app: {name} must be ") as raised:
        RedisAclUser("app", **arguments)
    assert "canary" not in str(raised.value)


def test_import_is_one_line_that_names_the_way_to_adopt() -> None:
    options = pulumi.ResourceOptions(import_="an-id")
    with pytest.raises(pulumi.RunError, match="^app: .*adopt_existing=True"):
        RedisAclUser("app", options, **ADDRESS, rules=["+ping"])


@pytest.mark.parametrize("kind", [RedisAclUser, *CHILDREN])
def test_annotations_are_types_and_not_text(kind: type[Any]) -> None:
    """Pulumi would compile text anew for each resource."""
    for name, annotation in kind.__annotations__.items():
        assert typing.get_origin(annotation) is pulumi.Output, name


def test_every_secret_of_a_state_is_a_secret_output_of_the_program() -> None:
    for resource in ("RedisAclToken", "RedisAclUser", "RedisAclRetirement"):
        secret = {*handler_of(resource).secret_in_state} - {"triggers"}
        assert secret <= {*redis_acl_user.SECRET_OUTPUTS}


def test_children_have_the_options_that_pulumi_does_not_inherit() -> None:
    user = RedisAclUser.__new__(RedisAclUser)
    given = pulumi.ResourceOptions(
        depends_on=[],
        ignore_changes=["triggers"],
        retain_on_delete=True,
        deleted_with="urn:pulumi:x",
        protect=True,
    )
    for options in (None, given):
        child = user._child_options(options)
        assert child.parent is user
        assert child.additional_secret_outputs == [*redis_acl_user.SECRET_OUTPUTS]
        assert child.protect is None, "Pulumi inherits it"
        assert child.retain_on_delete is (True if options else None)
        assert child.ignore_changes == (["triggers"] if options else None)


TESTS: Final = """
import base64

from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc
from pulumi_upstash_rotation import RedisAclUser
from pulumi_upstash_rotation.resources.redis_acl_user.state import token_fingerprint

ID = "55b0e85a-6a0f-4ad3-a1f8-d08d3d3a4a3c"
OLD, NEW = "gwAAAA-old-token", "gwAAAA-new-token"
OLD_FINGERPRINT = token_fingerprint(ID, "app", OLD)
REGISTERED = {}


class Upstash(pulumi.runtime.Mocks):
    previous = [OLD]

    def new_resource(self, args):
        kind = args.typ.rpartition(":")[2]
        REGISTERED[args.name, kind] = args
        inputs = dict(args.inputs)
        if kind == "RedisAclToken":
            inputs.update(token=NEW, previous_tokens=self.previous, credential_fingerprint="print")
            inputs.update(redis_url=f"rediss://app:{NEW}@host:1", rest_url="https://host")
            inputs.update(rotated_at="2026-11-23T04:05:06Z", rotation_count=2.0)
        if kind == "RedisAclUser" and args.name != "":
            inputs.update(previous_token=OLD, verified=True)
        return args.name, inputs

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Upstash())


class Consumer(pulumi.CustomResource):
    value: pulumi.Output[Any]

    def __init__(self, name, value, opts=None):
        super().__init__("test:index:Consumer", name, {"value": value}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name, value):
        super().__init__("test:index:Group", name)
        Consumer(f"{name}-child", value, pulumi.ResourceOptions(parent=self))


def declare(name="app", **arguments):
    return RedisAclUser(
        name, database_id=ID, username="app", rules=["~app:*", "+get"], **arguments
    )


@pytest.fixture(autouse=True)
def _fresh():
    REGISTERED.clear()


def inputs_of(name, kind):
    return REGISTERED[name, kind].inputs


@pulumi.runtime.test
def test_outputs_are_those_of_the_token_and_of_the_user():
    user = declare(triggers={"release": "1"})

    def look(values):
        assert values == [
            ID, "app", NEW, f"rediss://app:{NEW}@host:1", "https://host", OLD, 2,
            "2026-11-23T04:05:06Z", "print", True,
        ]
        token, inner = inputs_of("app-token", "RedisAclToken"), inputs_of("app", "RedisAclUser")
        assert token["triggers"] == {"release": "1"}
        assert "rules" not in token
        assert (inner["token"], inner["previous_tokens"]) == (NEW, [OLD])
        assert inner["rules"] == ["~app:*", "+get"]
        assert inner["retires"] is False
        assert "triggers" not in inner

    names = (
        "database_id", "username", "token", "redis_url", "rest_url", "previous_token",
        "rotation_count", "rotated_at", "credential_fingerprint", "verified",
    )
    return pulumi.Output.all(*(getattr(user, name) for name in names)).apply(look)


@pulumi.runtime.test
def test_credentials_are_sent_as_secrets():
    user = declare(admin_token="admin", existing_token="old")

    def look(_):
        token, inner = inputs_of("app-token", "RedisAclToken"), inputs_of("app", "RedisAclUser")
        sent = (token["admin_token"], token["existing_token"], inner["admin_token"])
        assert all(map(rpc.is_rpc_secret, sent))
        assert [rpc.unwrap_rpc_secret(value) for value in sent] == ["admin", "old", "admin"]

    return user.verified.apply(look)


@pulumi.runtime.test
def test_retirement_gets_the_tokens_and_waits_for_the_consumers():
    user = declare()
    consumer = Consumer("consumer", user.redis_url)
    retirement = user.retire_previous(after=[consumer], grace_seconds=0.5)

    def look(_):
        given = inputs_of("app-retirement", "RedisAclRetirement")
        assert (given["token"], given["previous_tokens"]) == (NEW, [OLD])
        assert given["credential_fingerprint"] == "print"
        assert (given["stale_consumers"], given["grace_seconds"]) == ([], 0.5)
        assert inputs_of("app", "RedisAclUser")["retires"] is True

    return retirement.urn.apply(look)


STALE = {
    "plain": lambda name: Consumer(name, OLD),
    "url": lambda name: Consumer(name, f"rediss://app:{OLD}@host:1"),
    "base64": lambda name: Consumer(name, base64.b64encode(OLD.encode()).decode()),
    "nested": lambda name: Consumer(name, {"a": [{"b": OLD}]}),
    "child": lambda name: Group(name, OLD),
    "fingerprint": lambda name: Consumer(name, {"redis-token": OLD_FINGERPRINT}),
}


@pytest.mark.parametrize("how", STALE)
def test_consumer_whose_outputs_show_an_earlier_token_is_named(how):
    @pulumi.runtime.test
    def use():
        user = declare()
        fresh, stale = Consumer("fresh", user.token), STALE[how]("stale")
        retirement = user.retire_previous(after=[fresh, stale])

        def look(_):
            given = inputs_of("app-retirement", "RedisAclRetirement")
            assert given["stale_consumers"] == ["stale"]
            assert given["grace_seconds"] == 2

        return retirement.urn.apply(look)

    use()


def test_without_earlier_tokens_no_consumer_is_stale(monkeypatch):
    monkeypatch.setattr(Upstash, "previous", [])

    @pulumi.runtime.test
    def use():
        user = declare()
        retirement = user.retire_previous(after=[Consumer("consumer", OLD)])

        def look(_):
            assert inputs_of("app-retirement", "RedisAclRetirement")["stale_consumers"] == []

        return retirement.urn.apply(look)

    use()


LINES = {
    "none": (lambda user: [], "after must be a list of the resources that use the token"),
    "nothing": (lambda user: [None], "after must be a list of the resources"),
    "one": (lambda user: Consumer("consumer", 1), "after must be a list of the resources"),
    "urn": (lambda user: ["urn:pulumi:x"], "after must be a list of the resources"),
    "output": (lambda user: [user.token], "after must be a list of the resources"),
    "itself": (lambda user: [user], "after must not have the user itself"),
    "part": (lambda user: [user._user], "after must not have the user itself"),
    "parent": (lambda user: [user.parent], "after must not .* or a component that contains it"),
}


@pytest.mark.parametrize("case", LINES)
def test_consumers_that_are_none_are_one_line_before_the_rotation(case):
    @pulumi.runtime.test
    def use():
        parent = Group("parent", 1)
        user = declare(opts=pulumi.ResourceOptions(parent=parent))
        user.parent = parent
        after, line = LINES[case]
        with pytest.raises(pulumi.RunError, match=f"^app: {line}"):
            user.retire_previous(after=after(user))
        return user.urn

    use()


@pytest.mark.parametrize("seconds", [-1, 301, float("nan")])
def test_grace_seconds_out_of_range_are_one_line(seconds):
    @pulumi.runtime.test
    def use():
        user = declare()
        with pytest.raises(pulumi.RunError, match="^app: grace_seconds must be a number of sec"):
            user.retire_previous(after=[Consumer("consumer", 1)], grace_seconds=seconds)
        return user.urn

    use()


@pulumi.runtime.test
def test_second_retirement_is_one_line():
    user = declare()
    consumer = Consumer("consumer", user.token)
    user.retire_previous(after=[consumer])
    with pytest.raises(pulumi.RunError, match="^app: call retire_previous.. once, with all"):
        user.retire_previous(after=[consumer])
    return user.urn


def test_retirement_inside_an_apply_is_one_line():
    @pulumi.runtime.test
    def use():
        user = declare()
        return user.token.apply(lambda _: user.retire_previous(after=[Consumer("consumer", 1)]))

    with pytest.raises(pulumi.RunError, match="^app: call retire_previous.. where the program dec"):
        use()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, None),
        ({"rotation_days": 7}, "2026-11-30T04:05:06Z"),
        ({"rotation_days": pulumi.Output.from_input(7)}, "2026-11-30T04:05:06Z"),
        ({"rotation_days": 30, "rotation_schedule": "0 3 1 * *"}, "2026-12-01T03:00:00Z"),
        ({"rotation_days": "7"}, None),
    ],
)
@pulumi.runtime.test
def test_next_rotation_at_is_the_earlier_of_age_and_schedule(arguments, expected):
    def look(moment):
        assert moment == expected

    return declare(**arguments).next_rotation_at.apply(look)


@pulumi.runtime.test
def test_arguments_may_be_outputs():
    later = pulumi.Output.from_input
    user = RedisAclUser(
        "app",
        database_id=later(ID),
        username=later("app"),
        rules=later(["+get"]),
        triggers={"a": later("b")},
        admin_token=later("admin"),
    )

    def look(_):
        sent = inputs_of("app-token", "RedisAclToken")
        assert rpc.unwrap_rpc_secret(sent["admin_token"]) == "admin"
        assert (sent["username"], sent["triggers"]) == ("app", {"a": "b"})
        assert inputs_of("app", "RedisAclUser")["rules"] == ["+get"]

    return user.verified.apply(look)


@pytest.mark.parametrize("number", [1, 2])
@pulumi.runtime.test
def test_the_same_user_may_be_declared_again_with_mocks(number):
    return declare().urn
"""


def test_user_in_users_own_tests_with_mocks(tmp_path: Path) -> None:
    (tmp_path / "test_infrastructure.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "31 passed" in done.stdout
