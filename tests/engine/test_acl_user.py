"""`RedisAclUser` on the real engine: a rotation cuts nobody off, and the old token goes."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Fault

from ..support.acl import RULES, Users
from ..support.runs import Run
from ..support.stacks import diagnostics_of

if TYPE_CHECKING:
    from upstash_emulator import Emulator
    from upstash_emulator.faults import Operation

    from ..support.stacks import StackFactory

TOKEN, USER, RETIREMENT = (
    f"dynamic/upstash:RedisAcl{kind}" for kind in ("Token", "User", "Retirement")
)


@pytest.fixture
def users(new_stack: StackFactory, upstash_emulator: Emulator) -> Users:
    return Users(new_stack(), upstash_emulator)


def changed(text: str) -> set[str]:
    """Return the names of the resources that a command changes or would change."""
    return set(
        re.findall(
            r"^ *[-+~]+ +pulumi-python:\S+ (\S+) (?:updat|creat|replac|delet)", text, re.MULTILINE
        )
    )


def test_rotations_side_by_side(users: Users) -> None:  # noqa: PLR0915  one story, one stack
    hidden = users.emulator.add_database("hidden")
    users.declare("plain")
    users.declare("unretired", retires=False)
    users.declare("aged", rotation_days=30)
    users.declare("protected", hidden, admin_token=hidden.rest_token)
    hidden.credential_protection = True
    shared = users.declare("foreign", adopt_existing=True)
    theirs = shared.acl("GENTOKEN", "foreign")
    shared.acl("SETUSER", "foreign", "on", "~*", "+@all", f">{theirs}")
    users.declare("second", shared)
    old = users.emulator.add_database("adopted")
    existing = old.acl("GENTOKEN", "adopted")
    old.acl("SETUSER", "adopted", "on", "~*", "+get", f">{existing}")
    users.declare("adopted", old, rotate_on_create=False, existing_token=existing)
    names = ("plain", "unretired", "aged", "protected", "second", "adopted")

    created = users.run("up")
    users.assert_served(*names)
    assert users.held("adopted") == existing
    assert set(users.tokens("foreign")) == {theirs, users.held("foreign")}
    assert "1 token that this resource has not made" in created
    first = {name: users.held(name) for name in (*names, "foreign")}
    outputs = users.out("plain")
    assert outputs["token"] == first["plain"]
    assert outputs["verification"] == "Redis and REST accept the new token"
    assert (outputs["rotation_cause"], outputs["rotation_count"]) == ("create", 1)
    assert users.out("adopted")["rotation_cause"] == "adopted"
    user = users.user("plain")
    assert user
    assert user.keys == ("app:*",)

    users.emulator.clear()
    assert changed(users.run("preview")) == set()
    assert changed(users.run("up")) == set()
    assert users.emulator.calls == []

    users.rotate()
    preview = users.run("preview")
    assert {"plain-token", "plain", "plain-file", "plain-retirement"} <= changed(preview)
    assert any("trigger: number" in line for line in diagnostics_of(preview, "plain-token"))
    assert users.emulator.calls == []
    rotated = users.run("up")
    users.assert_served("plain", "aged", "protected", "second", "adopted")
    assert not users.opens("plain", first["plain"])
    assert users.tokens("unretired") == (first["unretired"], users.held("unretired"))
    assert users.out("unretired")["previous_token"] == first["unretired"]
    assert set(users.tokens("foreign")) == {theirs, users.held("foreign")}
    assert len(diagnostics_of(rotated, "foreign")) == 1
    calls = [
        call.operation
        for call in users.emulator.calls
        if call.database_id == users.database("plain").id
    ]
    assert len(calls) <= 8, calls  # five requests, three of them with two commands
    shown = created + preview + rotated + users.stack.stored_text()
    for name in (*names, "foreign"):
        assert first[name] not in shown
        assert users.held(name) not in shown
    assert hidden.rest_token not in shown

    users.rotate("unretired")
    users.change("plain", rules=["~other:*", "+get", "+ping"])
    preview = users.run("preview")
    assert changed(preview) & {"plain-token", "plain", "plain-file", "plain-retirement"} == {
        "plain"
    }
    second = users.held("unretired")
    users.run("up")
    assert users.tokens("unretired") == (second, users.held("unretired"))
    user = users.user("plain")
    assert user
    assert user.keys == ("other:*",)
    users.assert_served("plain")

    plain, aged = users.database("plain"), users.database("aged")
    plain.acl("SETUSER", "plain", "+set")
    aged.acl("SETUSER", "aged", f"<{users.held('aged')}")
    deleted, kept = users.database("protected"), users.held("protected")
    deleted.acl("DELUSER", "protected")
    refreshed = users.run("refresh")
    assert any("is not live" in line for line in diagnostics_of(refreshed, "aged-token"))
    preview = users.run("preview")
    assert any("changed outside Pulumi" in line for line in diagnostics_of(preview, "plain"))
    leaked = users.held("aged")
    users.run("up")
    users.assert_served("plain", "aged", "protected")
    assert users.held("protected") == kept
    assert users.held("aged") != leaked
    assert users.out("aged")["rotation_cause"] == "external"
    user = users.user("plain")
    assert user
    assert "+set" not in user.commands
    assert changed(users.run("up")) == set()

    gone = users.database("second")
    users.run("destroy")
    assert [user.name for user in gone.acl_users] == ["foreign"]
    assert users.tokens("foreign") == (theirs,)
    assert all(users.user(name) is None for name in names)


def test_old_tokens_live_as_long_as_a_consumer_is_stale(users: Users) -> None:
    users.declare("app")
    users.declare("other")
    users.run("up")
    first = users.held("app")
    users.break_consumer("app")
    for number in (2, 3):
        users.rotate()
        assert "the consumer fails" in users.failing("up", "--continue-on-error")
        assert len(users.tokens("app")) == number
        assert users.opens("app", first)
        users.assert_served("other")
    users.break_consumer("app", broken=False)
    users.run("up")
    users.assert_served("app")
    assert not users.opens("app", first)

    users.rotate("app")
    stale = users.held("app")
    text = users.run("up", "--exclude", "**::app-file")
    assert users.held("app") == stale
    assert users.opens("app", stale)
    assert any("still show one" in line for line in diagnostics_of(text, "app-retirement"))
    users.run("up", "--target", "**::app-retirement")
    assert users.opens("app", stale)
    users.run("up")
    users.assert_served("app")
    assert not users.opens("app", stale)

    users.rotate()
    app, other = (users.database(name) for name in ("app", "other"))
    users.emulator.fault(Fault.status(400), operation="acl gentoken", database_id=app.id)
    users.emulator.fault(Fault.delay(3), operation="acl gentoken", database_id=other.id)
    earlier = users.held("other")
    text = users.failing("up", "--continue-on-error")
    assert "has a problem" not in text
    users.assert_served("other")
    assert users.held("other") != earlier


@pytest.mark.soak
def test_renames_never_delete_a_successor(users: Users) -> None:
    database = users.declare("app")
    users.declare("moved", database)
    users.declare("aliased", database)
    users.run("up")
    token = users.held("aliased")

    users.withdraw("app")
    users.withdraw("aliased")
    users.declare("renamed", database, username="app", adopt_existing=True)
    users.declare("alias", database, username="aliased", aliases=("aliased",))
    users.change("moved", username="elsewhere")
    text = users.run("up")
    users.assert_served("renamed")
    assert "was not deleted, because it has tokens" in text
    users.assert_served("moved")
    assert database.user("moved") is None
    assert users.tokens("alias") == (token,)

    users.break_consumer("moved")
    users.change("moved", username="third")
    users.failing("up")
    users.change("moved", username="elsewhere", adopt_existing=True)
    users.failing("up", "--continue-on-error")
    assert users.opens("moved", users.held("moved"))
    users.break_consumer("moved", broken=False)
    users.run("up")
    users.assert_served("moved")
    assert [user.name for user in database.acl_users] == ["aliased", "app", "elsewhere"]


def test_replacement_of_one_resource_cuts_nobody_off(users: Users) -> None:
    users.declare("app")
    users.run("up")
    first = users.held("app")
    users.run("up", "--replace", "**RedisAclUser::app")
    users.assert_served("app")
    assert users.held("app") == first
    users.run("up", "--replace", "**RedisAclToken::app-token")
    users.assert_served("app")
    assert users.held("app") != first


@pytest.mark.soak
def test_mistakes_get_one_line_before_anything_changes(users: Users) -> None:
    database = users.emulator.add_database("main")
    database.acl("SETUSER", "theirs", "on", "~*", "+@all")
    users.declare("twice", database)
    users.declare("again", database, username="twice")
    assert "is declared by again and twice" in users.failing("up")
    users.withdraw("again")
    users.withdraw("twice")
    users.declare("password", database, rules=[*RULES, ">secret-password"])
    text = users.failing("preview")
    (line,) = {line for line in diagnostics_of(text, "password") if "error" in line}
    assert "rules must not have '>...': the resource adds its own token" in line
    users.withdraw("password")
    users.declare("default", database)
    assert "username must not be 'default'" in users.failing("preview")
    users.withdraw("default")
    users.declare("theirs", database)
    text = users.failing("up")
    assert "exists, and none of its tokens is this resource's; nothing has changed" in text
    user = database.user("theirs")
    assert user
    assert user.passwords == ()
    users.declare("hidden")
    users.withdraw("theirs")
    users.database("hidden").credential_protection = True
    assert "Give the token as admin_token" in users.failing("up")


def test_database_that_is_gone_is_no_error_of_a_delete(users: Users) -> None:
    users.declare("app")
    users.run("up")
    users.database("app").delete()
    users.run("destroy")
    assert users.stack.resources() == []


LATE, NO_RESPONSE = Fault.delay(40), Fault.delay(40, applied=True)
KILLED_AT: dict[str, tuple[Operation, Fault, int]] = {
    "before-gentoken": ("acl gentoken", LATE, 0),
    "after-gentoken": ("acl gentoken", NO_RESPONSE, 0),
    "before-setuser": ("acl setuser", LATE, 0),
    "after-setuser": ("acl setuser", NO_RESPONSE, 0),
    "before-removal": ("acl setuser", LATE, 1),
    "after-removal": ("acl setuser", NO_RESPONSE, 1),
    "first-after-setuser": ("acl setuser", NO_RESPONSE, 0),
}
"""In a killed run: the command in flight, what happens to it, and such commands before it."""


def test_killed_run_converges_to_one_token(users: Users) -> None:
    *existing, first = KILLED_AT
    for name in existing:
        users.declare(name)
    users.run("up")
    before = {name: users.held(name) for name in existing}
    users.rotate()
    databases = {name: users.database(name) for name in existing}
    databases[first] = users.declare(first)
    for name, (operation, fault, earlier) in KILLED_AT.items():
        database_id = databases[name].id
        for each in (*[Fault()] * earlier, fault):
            users.emulator.fault(each, operation=operation, database_id=database_id)
    users.write()

    def all_in_flight() -> bool:
        added, retired, made = (
            users.tokens(name) for name in ("after-setuser", "after-removal", first)
        )
        return (
            len(added) == 2
            and retired not in ((), (before["after-removal"],))
            and (len(retired) == len(made) == 1 and len(users.tokens("before-removal")) == 2)
        )

    run = Run(users.stack, "up", "--yes", "--skip-preview")
    assert run.wait_until(all_in_flight)
    time.sleep(1)
    assert run.end("both")
    run.wait()
    for name in existing:
        assert users.opens(name, users.held(name)), "the consumer was cut off"
    users.emulator.clear()
    users.stack.on_stack("cancel", "--yes")
    users.run("up")
    users.assert_served(*KILLED_AT)
    for name in existing:
        assert not users.opens(name, before[name])
    assert changed(users.run("up")) == set()
