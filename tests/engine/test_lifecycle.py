"""The promise, case by case: a password is reset when, and only when, the program says so.

A case is a rotation of its own; one update carries out a step of every case.
"""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from pulumi_stack import PulumiError, Stack
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from upstash_emulator import Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.messages import DUE, MAY_BE_DUE, NOT_RESET_ON_DELETE
from ..support.programs import Code, options, rotation, write_program
from ..support.stacks import CREDENTIALS, TYPE, changed, diagnostics_of, failure_of

if TYPE_CHECKING:
    from upstash_emulator import Emulator

    from ..support.stacks import Rotations, StackFactory

SECRET = Code("{'who': pulumi.Output.secret('trigger-canary')}")

STEPS: dict[str, list[tuple[dict[str, Any], int, str]]] = {
    # Inputs of each update, then: how often the database was reset by then, and why at last.
    "reordered": [
        ({"triggers": {"a": 1, "b": {"c": [1, 2]}}}, 1, "create"),
        ({"triggers": {"b": {"c": [1.0, 2]}, "a": 1.0}}, 1, "create"),
    ],
    "changed": [
        ({"triggers": {"a": 1, "b": {"c": [1, 2]}}}, 1, "create"),
        ({"triggers": {"b": {"c": [1, 2]}, "a": 2}}, 2, "trigger: a"),
        ({"triggers": {"b": {"c": [1, 3]}, "a": 2}}, 3, "trigger: b"),
    ],
    "removed": [
        ({"triggers": {"a": 2, "b": {"c": [1, 3]}}}, 1, "create"),
        ({"triggers": {"b": {"c": [1, 3]}}}, 1, "create"),
        ({}, 1, "create"),
        ({"triggers": {"new": None}}, 1, "create"),
    ],
    "new": [
        ({"triggers": {"new": None}}, 1, "create"),
        ({"triggers": {"new": False}}, 2, "trigger: new"),
        ({"triggers": {"new": 0}}, 3, "trigger: new"),
        ({"triggers": {"new": 0, "newer": "x"}}, 4, "trigger: newer"),
    ],
    "new_beside_none_before": [
        ({}, 1, "create"),
        ({"triggers": {"new": None}}, 1, "create"),
        ({"triggers": {"new": False}}, 2, "trigger: new"),
    ],
    "secret": [
        ({}, 1, "create"),
        ({"triggers": SECRET}, 2, "trigger: who"),
        ({"triggers": SECRET}, 2, "trigger: who"),
        ({"rotate_on_delete": True}, 2, "trigger: who"),
    ],
    "adopted": [
        ({"rotate_on_create": False, "triggers": {"a": 1}}, 0, "adopted"),
        ({"rotate_on_create": False, "triggers": {"a": 1}}, 0, "adopted"),
        ({"rotate_on_create": False, "triggers": {"a": 2}}, 1, "trigger: a"),
        ({"triggers": {"a": 2}}, 1, "trigger: a"),
    ],
}


def test_a_trigger_rotates_when_its_value_is_new_and_only_then(rotations: Rotations) -> None:
    for step in range(4):
        declared = {name: steps[step] for name, steps in STEPS.items() if step < len(steps)}
        for name, (inputs, *_) in declared.items():
            rotations.declare(name, **inputs)
        text = rotations.up()
        for name, (inputs, resets, cause) in declared.items():
            out = rotations.out(name)
            assert rotations.database(name).resets == resets, (name, inputs)
            assert (out["rotation_count"], out["rotation_cause"]) == (resets, cause), (name, inputs)
            if step and repr(inputs) == repr(STEPS[name][step - 1][0]):
                assert name not in changed(text)
        assert_live(rotations, *declared)
    assert_nothing_left_to_do(rotations)
    assert "trigger-canary" not in rotations.stack.stored_text()


FOLLOWER = Code("{'follows': leader.credential_fingerprint}")
FOLLOWER_OF_THE_NAME = Code("{'follows': leader.database_name}")


def test_a_rotation_that_is_due_shows_in_the_preview_with_its_cause(rotations: Rotations) -> None:
    rotations.declare("aged", rotation_days=30)
    rotations.declare("scheduled", rotation_schedule="0 3 1 1 *")
    rotations.declare("leader", triggers={"a": 1})
    rotations.declare("follower", triggers=FOLLOWER)
    rotations.declare("name_follower", triggers=FOLLOWER_OF_THE_NAME)
    rotations.tail = "pulumi.export('length', aged.password.apply(len))\n"
    rotations.up()
    first = rotations.out("aged")
    assert first["next_rotation_at"] > first["rotated_at"]
    next_at = rotations.out("scheduled")["next_rotation_at"]
    assert re.fullmatch(r"\d{4}-01-01T03:00:00Z", next_at)

    # An age that is shorter, and one that is new, are no reason to rotate yet.
    rotations.declare("aged", rotation_days=20)
    rotations.declare("leader", triggers={"a": 1}, rotation_days=30)
    assert changed(rotations.preview()) == {}
    assert changed(rotations.up()) == {}
    second = rotations.out("aged")
    assert second["next_rotation_at"] < first["next_rotation_at"]
    assert second["rotated_at"] == first["rotated_at"]
    assert set(rotations.resets().values()) == {1}

    rotations.pass_a_year("aged", "scheduled")
    rotations.declare("leader", triggers={"a": 2}, rotation_days=30)
    preview = rotations.preview()
    for name, message in {
        "aged": f"{DUE}age",
        "scheduled": f"{DUE}schedule",
        "leader": f"{DUE}trigger: a",
        "follower": f"{MAY_BE_DUE}trigger: follows",
        "name_follower": f"{MAY_BE_DUE}trigger: follows",
    }.items():
        assert message in "\n".join(diagnostics_of(preview, name)), name
    assert "~ 5 to update" in preview
    assert set(rotations.resets().values()) == {1}

    rotations.up()
    assert {name: rotations.out(name)["rotation_cause"] for name in rotations.resets()} == {
        "aged": "age",
        "scheduled": "schedule",
        "leader": "trigger: a",
        "follower": "trigger: follows",
        "name_follower": "create",  # its trigger turned out to be the same
    }
    assert rotations.resets() == {
        "aged": 2,
        "scheduled": 2,
        "leader": 2,
        "follower": 2,
        "name_follower": 1,
    }
    assert_live(rotations, *rotations.resets())
    rotations.declare("scheduled")
    assert_nothing_left_to_do(rotations)
    assert rotations.out("scheduled").get("next_rotation_at") is None


def test_a_replacement_resets_once_and_leaves_the_former_database_alone(
    rotations: Rotations,
) -> None:
    forced = {"rotate_on_delete": True}
    rotations.declare("moved", of="old")
    for name in ("replaced", "targeted", "tainted"):
        rotations.declare(name, **forced)
    rotations.declare("triggered", **forced, opts=options("replacement_trigger='one'"))
    rotations.declare("adopted", **forced, rotate_on_create=False)
    rotations.up()
    before = rotations.resets()
    assert before == dict.fromkeys(before, 1) | {"adopted": 0}

    rotations.stack.on_stack("state", "taint", rotations.urn("tainted"), "--yes")
    rotations.declare("moved", of="new")
    rotations.declare("triggered", **forced, opts=options("replacement_trigger='two'"))
    which = [f"--replace={rotations.urn(name)}" for name in ("replaced", "adopted")]
    assert changed(rotations.preview(*which)).keys() >= {"moved", "triggered", "tainted"}
    rotations.up(*which)
    after = dict.fromkeys(before, 2) | {"adopted": 0, "old": 1, "new": 1, "targeted": 1}
    assert rotations.resets() == after
    rotations.up(f"--target-replace={rotations.urn('targeted')}")
    assert rotations.resets() == after | {"targeted": 2}
    assert_live(rotations, "replaced", "targeted", "tainted", "triggered", "adopted")
    assert rotations.out("moved")["password"] == rotations.database("new").password
    assert_nothing_left_to_do(rotations)


def alias(text: str) -> str:
    return f"aliases=[pulumi.Alias({text})]"


def test_a_change_of_anything_but_the_inputs_resets_nothing(rotations: Rotations) -> None:
    triggers = {"a": 1}
    names = ("kept", "renamed", "moved", "provided")
    for name in ("kept", "former", "moved", "provided"):
        rotations.declare(name, of="renamed" if name == "former" else name, triggers=triggers)
    rotations.up()
    passwords = [rotations.database(name).password for name in names]

    # A provider pickled by another Python or SDK, an edited program, a renamed resource, a moved
    # one, one with a provider of its own.
    moved = f"{alias('parent=None')}, parent=parent, protect=True"
    explicit = "provider=pulumi.ProviderResource('pulumi-python', 'explicit', {})"
    rotations.head = (
        "import pickle\npickle.DEFAULT_PROTOCOL = 5\n"
        "parent = pulumi.ComponentResource('a:b:C', 'parent')\n"
    )
    rotations.withdraw("former")
    rotations.declare("renamed", triggers=triggers, opts=options(alias("name='former'")))
    rotations.declare("moved", triggers=triggers, opts=options(moved))
    rotations.declare("provided", triggers=triggers, opts=options(explicit))
    rotations.up()
    rotations.head = rotations.head.replace("= 5", "= 4")
    rotations.declare("provided", triggers=triggers)
    rotations.up()
    rotations.preview()
    rotations.refresh()
    rotations.up("--refresh")
    assert set(rotations.resets().values()) == {1}
    assert [rotations.out(name)["password"] for name in names] == passwords
    assert_nothing_left_to_do(rotations)

    rotations.declare("moved", triggers=triggers, opts=options(moved.replace("True", "False")))
    rotations.up()
    rotations.destroy()
    assert set(rotations.resets().values()) == {1}


def test_a_new_pickle_of_the_provider_is_something_that_could_have_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = serialize_provider(RedisPasswordRotationProvider())
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", 5)
    assert serialize_provider(RedisPasswordRotationProvider()) != old


def test_a_refresh_stores_an_external_reset_and_removes_a_deleted_database_and_nothing_else(
    rotations: Rotations,
) -> None:
    rotations.declare("cache")
    gone = rotations.declare("gone")
    rotations.up()
    first = rotations.out("cache")
    rotations.fault("gone", Fault.status(403), "get", None)
    with pytest.raises(PulumiError, match=r"rejected the request \(403\).*; nothing has changed"):
        rotations.refresh()
    assert len([each for each in rotations.stack.resources() if each["type"] == TYPE]) == 2
    rotations.emulator.clear()

    cache = rotations.database("cache")
    cache.reset_in_console()
    gone.delete()
    rotations.refresh()
    assert [each["urn"] for each in rotations.stack.resources() if each["type"] == TYPE] == [
        rotations.urn("cache")
    ]
    rotations.withdraw("gone")
    assert changed(rotations.up()) == {}
    second = rotations.out("cache")
    assert second["password"] == cache.password != first["password"]
    assert (second["rotation_cause"], second["rotation_count"]) == ("external", 1)
    assert second["credential_fingerprint"] != first["credential_fingerprint"]
    assert cache.resets == 1  # theirs; ours was before the counts began anew
    assert cache.password not in rotations.stack.stored_text()


def test_get_reads_a_database_and_never_resets_it(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(
        f"read = RedisPasswordRotation.get('read', {database.id!r})\n"
        "pulumi.export('password', read.password)\n"
        "pulumi.export('name', read.database_name)\n"
    )
    for _ in range(2):
        stack.up()
        assert stack.outputs() == {"password": database.password, "name": database.name}
        assert database.password not in stack.stored_text()
        database.reset_in_console()
    stack.destroy()
    assert database.resets == 2


def declaration_error_of(stack: Stack) -> str:
    (line,) = set(re.findall(r"error: (.* (?:Declare|declared) .*)", failure_of(stack, "up")))
    return str(line)


def test_a_declaration_that_cannot_work_is_one_error_before_any_reset(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    id_ = upstash_emulator.databases[0].id
    cache = rotation("cache", database_id=id_)
    nested = options("parent=pulumi.ComponentResource('a:b:C', 'a')")
    stack = new_stack()
    for text, expected in {
        rotation("cache", database_id=id_, opts=options("import_='x'")): (
            "cache: Pulumi cannot import dynamic resources. Declare the resource with "
            "rotate_on_create=False to adopt the current password"
        ),
        cache + rotation("again", database_id=id_): (
            f"Redis database '{id_}' is declared by again and cache. Each rotation would revoke "
            "the other's password. Keep one"
        ),
        cache + rotation("cache", opts=nested, database_id=id_): (
            f"Redis database '{id_}' is declared by cache and cache. Each rotation would revoke "
            "the other's password. Keep one"
        ),
    }.items():
        write_program(stack.project, text)
        assert declaration_error_of(stack) == expected
    assert upstash_emulator.resets == 0
    # The program declares two databases, and a transform gives both resources the same one.
    other = rotation("again", database_id=upstash_emulator.databases[1].id)
    transform = f"""
def same(args):
    return pulumi.ResourceTransformResult({{**args.props, "database_id": {id_!r}}}, args.opts)
pulumi.runtime.register_resource_transform(same)
"""
    write_program(stack.project, transform + cache + other)
    assert "database_id is the database of another resource in this pro" in failure_of(stack, "up")
    assert upstash_emulator.resets <= 1  # of the resource that came first
    stack.destroy()
    resets = upstash_emulator.resets
    write_program(stack.project, "RedisPasswordRotation.get('read', 'no-such-database')")
    with pytest.raises(PulumiError, match=r"the account has no such database \(404\); nothing"):
        stack.up()
    assert upstash_emulator.resets == resets


def test_a_delete_resets_the_password_when_the_program_asks_and_the_password_is_known(
    rotations: Rotations,
) -> None:
    names = ("known", "reset_outside", "hidden", "unreachable")
    for name in names:
        rotations.declare(name)
    rotations.declare("kept")
    rotations.up()
    for name in names:
        rotations.declare(name, rotate_on_delete=True)
    rotations.up()
    assert set(rotations.resets().values()) == {1}
    assert_live(rotations, *names)
    rotations.database("reset_outside").reset_in_console()
    # The API does not show the live password of two, and only one of them can be logged in to.
    for name in ("hidden", "unreachable"):
        rotations.fault(name, Fault.without(*CREDENTIALS), "get", None)
    rotations.database("unreachable").take_offline()
    text = rotations.destroy()
    assert NOT_RESET_ON_DELETE in "\n".join(diagnostics_of(text, "unreachable"))
    assert NOT_RESET_ON_DELETE not in "\n".join(diagnostics_of(text, "hidden"))
    # The password that somebody else has set is not ours to reset.
    assert rotations.resets() == {
        "known": 2,
        "reset_outside": 2,
        "hidden": 2,
        "unreachable": 1,
        "kept": 1,
    }


def test_a_delete_leaves_the_password_that_another_provider_process_has_adopted(
    rotations: Rotations,
) -> None:
    apart = {
        "version": options("version='1.2.3'"),
        "provider": options("provider=pulumi.ProviderResource('pulumi-python', 'explicit', {})"),
    }
    for name in apart:
        rotations.declare(name, rotate_on_delete=True)
    rotations.up()
    for name, opts in apart.items():
        rotations.withdraw(name)
        rotations.declare(f"{name}_new", of=name, rotate_on_create=False, opts=opts)
    text = rotations.up()
    assert set(rotations.resets().values()) == {1}
    for name in apart:
        password = rotations.database(name).password
        assert rotations.out(f"{name}_new")["password"] == password
        assert NOT_RESET_ON_DELETE in "\n".join(diagnostics_of(text, name))
