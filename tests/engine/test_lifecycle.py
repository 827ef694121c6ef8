"""The promise, case by case: a password is reset when, and only when, the program says so."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from pulumi_stack import PulumiError, Stack
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from upstash_emulator import EmulatedDatabase, Emulator, Fault

from .conftest import write_program

if TYPE_CHECKING:
    from .conftest import StackFactory

TYPE = "pulumi-python:dynamic/upstash:RedisPasswordRotation"


class Declared:
    """One rotation in one stack, whose declaration a test changes step by step."""

    def __init__(self, database: EmulatedDatabase, new_stack: StackFactory) -> None:
        self.database = database
        self.stack = new_stack("")
        self.text = ""

    def declare(self, *, more: str = "", name: str = "cache", **arguments: Any) -> Declared:
        written = ", ".join(
            f"{key}={value if key == 'opts' else repr(value)}"
            for key, value in ({"database_id": self.database.id} | arguments).items()
        )
        self.text = f"""
rotation = RedisPasswordRotation({name!r}, {written})
for name in ("password", "rotated_at", "rotation_count", "rotation_cause",
             "credential_fingerprint", "database_name"):
    pulumi.export(name, getattr(rotation, name))
pulumi.export("next_rotation_at", rotation.next_rotation_at)
{more}
"""
        write_program(self.stack.project, self.text)
        return self

    def up(self, *arguments: str) -> str:
        return self.stack.up(*arguments)

    def out(self, name: str) -> Any:
        return self.stack.outputs().get(name)

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::test::{TYPE}::cache"

    def pass_days(self, days: int) -> None:
        """Let the last rotation be longer ago."""

        def edit(resource: dict[str, Any]) -> None:
            rotated_at = resource.get("outputs", {}).get("rotated_at")
            if rotated_at:
                year = str(int(rotated_at[:4]) - 1)
                resource["outputs"]["rotated_at"] = year + rotated_at[4:]

        assert days <= 365
        self.stack.edit_state(edit)


@pytest.fixture
def declared(upstash_emulator: Emulator, new_stack: StackFactory) -> Declared:
    return Declared(upstash_emulator.databases[0], new_stack)


def assert_live(declared: Declared) -> None:
    """The password in the state is the one that the database has."""
    assert declared.out("password") == declared.database.password


def test_triggers_rotate_when_a_value_is_new(declared: Declared) -> None:
    database = declared.database
    steps: list[tuple[dict[str, Any] | None, int, str]] = [
        ({"a": 1, "b": {"c": [1, 2]}}, 1, "create"),
        ({"b": {"c": [1.0, 2]}, "a": 1.0}, 1, "create"),
        ({"b": {"c": [1, 2]}, "a": 2}, 2, "trigger: a"),
        ({"b": {"c": [1, 3]}, "a": 2}, 3, "trigger: b"),
        ({"b": {"c": [1, 3]}}, 3, "trigger: b"),
        (None, 3, "trigger: b"),
        ({"new": None}, 3, "trigger: b"),
        ({"new": False}, 4, "trigger: new"),
        ({"new": 0}, 5, "trigger: new"),
    ]
    for triggers, resets, cause in steps:
        declared.declare(triggers=triggers).up()
        outputs = declared.stack.outputs()
        assert (database.resets, outputs["rotation_cause"]) == (resets, cause), triggers
        assert outputs["rotation_count"] == resets
        assert outputs["password"] == database.password


def test_age_rotates_at_the_next_up_and_the_preview_says_why(declared: Declared) -> None:
    database = declared.database
    follower = "pulumi.export('follower', rotation.password.apply(lambda p: len(p)))"
    declared.declare(rotation_days=30, more=follower).up()
    rotated_at, next_at = declared.out("rotated_at"), declared.out("next_rotation_at")
    assert next_at > rotated_at
    assert "2 unchanged" in declared.declare(rotation_days=20, more=follower).up()
    assert declared.out("next_rotation_at") < next_at
    assert declared.out("rotated_at") == rotated_at
    assert database.resets == 1

    declared.pass_days(365)
    preview = declared.stack.preview()
    assert "the password is due for a reset: age" in preview
    assert "~ 1 to update" in preview
    assert database.resets == 1
    declared.up()
    assert (database.resets, declared.out("rotation_cause")) == (2, "age")
    assert_live(declared)
    assert "2 unchanged" in declared.up()
    assert database.resets == 2


def test_a_schedule_rotates_when_a_scheduled_moment_has_passed(declared: Declared) -> None:
    database = declared.database
    declared.declare(rotation_schedule="0 3 1 1 *").up()
    assert re.fullmatch(r"\d{4}-01-01T03:00:00Z", declared.out("next_rotation_at"))
    assert "2 unchanged" in declared.up()
    declared.pass_days(365)
    assert "the password is due for a reset: schedule" in declared.stack.preview()
    declared.up()
    assert (database.resets, declared.out("rotation_cause")) == (2, "schedule")
    declared.declare().up()
    assert declared.out("next_rotation_at") is None
    assert database.resets == 2


DEPENDENT = """
other = RedisPasswordRotation("other", database_id={id!r},
    triggers={{"follows": rotation.credential_fingerprint}})
"""


def test_dependents_show_in_the_preview_exactly_when_a_rotation_is_due(
    declared: Declared, upstash_emulator: Emulator
) -> None:
    other = upstash_emulator.databases[1]
    more = DEPENDENT.format(id=other.id)
    declared.declare(triggers={"a": 1}, more=more).up()
    assert "3 unchanged" in declared.stack.preview()
    declared.declare(triggers={"a": 1}, rotation_days=30, more=more)
    assert "3 unchanged" in declared.stack.preview()
    declared.declare(triggers={"a": 2}, more=more)
    preview = declared.stack.preview()
    assert "~ 2 to update" in preview
    assert "the password is due for a reset: trigger: a" in preview
    assert "the password may be due for a reset: trigger: follows" in preview
    assert (declared.database.resets, other.resets) == (1, 1)
    declared.up()
    assert (declared.database.resets, other.resets) == (2, 2)


def test_an_unknown_trigger_that_turns_out_the_same_resets_nothing(
    declared: Declared, upstash_emulator: Emulator
) -> None:
    other = upstash_emulator.databases[1]
    more = DEPENDENT.format(id=other.id).replace("credential_fingerprint", "database_name")
    declared.declare(triggers={"a": 1}, more=more).up()
    declared.declare(triggers={"a": 2}, more=more)
    assert "the password may be due for a reset: trigger: follows" in declared.stack.preview()
    declared.up()
    assert (declared.database.resets, other.resets) == (2, 1)


def test_another_database_is_a_replacement_that_leaves_the_old_one_alone(
    declared: Declared, upstash_emulator: Emulator
) -> None:
    old, new = upstash_emulator.databases[:2]
    declared.declare().up()
    declared.declare(database_id=new.id)
    assert "replace" in declared.stack.preview()
    declared.up()
    assert (old.resets, new.resets) == (1, 1)
    assert declared.out("password") == new.password


def test_every_way_to_force_a_replacement_resets_once(declared: Declared) -> None:
    database = declared.database
    declared.declare(rotate_on_delete=True).up()
    for number, force in enumerate(("replace", "target-replace", "taint"), start=2):
        if force == "taint":
            declared.stack.on_stack("state", "taint", declared.urn, "--yes")
            declared.up()
        else:
            declared.up(f"--{force}", declared.urn)
        assert database.resets == number, force
        assert_live(declared)
    opts = "pulumi.ResourceOptions(replacement_trigger={!r})"
    declared.declare(rotate_on_delete=True, opts=opts.format("one")).up()
    before = database.resets
    declared.declare(rotate_on_delete=True, opts=opts.format("two")).up()
    assert database.resets == before + 1
    assert_live(declared)
    assert "2 unchanged" in declared.up()


def test_what_is_no_declared_change_resets_nothing(declared: Declared) -> None:
    declared.declare(triggers={"a": 1}).up()
    password = declared.out("password")
    # A provider pickled by another Python or SDK, an edited program, a renamed resource.
    declared.text = "import pickle\npickle.DEFAULT_PROTOCOL = 5\n" + declared.text
    write_program(declared.stack.project, declared.text)
    assert "2 unchanged" in declared.up()
    renamed = "pulumi.ResourceOptions(aliases=[pulumi.Alias(name='cache')])"
    declared.declare(triggers={"a": 1}, name="renamed", opts=renamed).up()
    moved = (
        "pulumi.ResourceOptions(aliases=[pulumi.Alias(name='cache', parent=None)], "
        "parent=pulumi.ComponentResource('a:b:C', 'parent'), protect=True)"
    )
    declared.declare(triggers={"a": 1}, name="cache", opts=renamed.replace("cache", "renamed")).up()
    declared.declare(triggers={"a": 1}, opts=moved).up()
    explicit = "provider=pulumi.ProviderResource('pulumi-python', 'explicit', {}), "
    declared.declare(triggers={"a": 1}, opts=moved.replace("protect", explicit + "protect")).up()
    declared.declare(triggers={"a": 1}, opts=moved).up()
    declared.stack.preview()
    declared.stack.refresh()
    declared.up("--refresh")
    assert declared.database.resets == 1
    assert declared.out("password") == password
    declared.declare(triggers={"a": 1}, opts=moved.replace("True", "False")).up()
    declared.stack.destroy()
    assert declared.database.resets == 1


def test_a_new_pickle_of_the_provider_is_something_that_could_have_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = serialize_provider(RedisPasswordRotationProvider())
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", 5)
    assert serialize_provider(RedisPasswordRotationProvider()) != old


def test_a_refresh_mirrors_a_reset_that_others_made(declared: Declared) -> None:
    database = declared.database
    declared.declare().up()
    first = declared.stack.outputs()
    database.reset_in_console()
    declared.stack.refresh()
    assert "2 unchanged" in declared.up()
    second = declared.stack.outputs()
    assert second["password"] == database.password != first["password"]
    assert (second["rotation_cause"], second["rotation_count"]) == ("external", 1)
    assert second["credential_fingerprint"] != first["credential_fingerprint"]
    assert database.resets == 2  # ours and theirs
    assert database.password not in declared.stack.stored_text()


def test_a_refresh_forgets_a_deleted_database_and_nothing_else(
    declared: Declared, upstash_emulator: Emulator
) -> None:
    declared.declare().up()
    upstash_emulator.fault(Fault.status(403), operation="get", times=None)
    with pytest.raises(PulumiError, match=r"does not permit it .*; nothing has changed"):
        declared.stack.refresh()
    assert len(declared.stack.resources()) == 3
    upstash_emulator.clear()
    declared.database.delete()
    declared.stack.refresh()
    assert TYPE not in [each["type"] for each in declared.stack.resources()]


def test_an_existing_password_can_be_adopted_without_a_reset(declared: Declared) -> None:
    database = declared.database
    declared.declare(rotate_on_create=False, triggers={"a": 1}).up()
    assert database.resets == 0
    assert_live(declared)
    assert (declared.out("rotation_cause"), declared.out("rotation_count")) == ("adopted", 0)
    assert "2 unchanged" in declared.up()
    declared.declare(rotate_on_create=False, triggers={"a": 2}).up()
    assert (database.resets, declared.out("rotation_count")) == (1, 1)
    declared.declare(triggers={"a": 2}).up()
    assert database.resets == 1
    assert_live(declared)


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


def error_of(stack: Stack) -> str:
    with pytest.raises(PulumiError) as raised:
        stack.up()
    assert "Traceback" not in str(raised.value)
    (line,) = set(re.findall(r"error: (.* (?:declare|declared) .*)", str(raised.value)))
    return str(line)


def test_an_import_is_one_clear_error_before_anything(declared: Declared) -> None:
    declared.declare(opts="pulumi.ResourceOptions(import_='x')")
    assert error_of(declared.stack) == (
        "cache: Pulumi can't import dynamic resources; declare it with rotate_on_create=False to "
        "adopt the password that the database has"
    )
    assert declared.database.resets == 0


def test_a_database_declared_twice_is_one_clear_error_before_any_reset(declared: Declared) -> None:
    id_ = declared.database.id
    declared.declare(more=f"RedisPasswordRotation('again', database_id={id_!r})")
    assert error_of(declared.stack) == (
        f"Redis database '{id_}' is declared more than once, by again and cache: each rotation "
        "would make the other's password useless, so keep one"
    )
    assert declared.database.resets == 0


def test_a_database_declared_twice_under_one_name_is_found_too(declared: Declared) -> None:
    id_ = declared.database.id
    nested = "pulumi.ResourceOptions(parent=pulumi.ComponentResource('a:b:C', 'a'))"
    declared.declare(more=f"RedisPasswordRotation('cache', {nested}, database_id={id_!r})")
    assert "is declared more than once, by cache and cache" in error_of(declared.stack)
    assert declared.database.resets == 0


def test_a_replacement_that_adopts_keeps_the_password_alive(declared: Declared) -> None:
    declared.declare(rotate_on_create=False, rotate_on_delete=True).up()
    declared.up("--replace", declared.urn)
    assert declared.database.resets == 0
    assert_live(declared)


def test_get_of_a_database_that_is_not_there_is_an_error(new_stack: StackFactory) -> None:
    stack = new_stack("RedisPasswordRotation.get('read', 'no-such-database')")
    with pytest.raises(PulumiError, match=r"the account has no such database \(404\); nothing"):
        stack.up()


def test_a_trigger_that_was_secret_stays_so_in_the_state(declared: Declared) -> None:
    declared.declare(more="").up()
    text = declared.text.replace(
        "database_id=", "triggers={'who': pulumi.Output.secret('trigger-canary')}, database_id="
    )
    write_program(declared.stack.project, text)
    declared.up()
    assert declared.database.resets == 2
    assert "2 unchanged" in declared.up()
    declared.declare(rotate_on_delete=True).up()
    assert declared.database.resets == 2
    assert "trigger-canary" not in declared.stack.stored_text()


@pytest.mark.parametrize("theirs", [False, True])
def test_rotate_on_delete_revokes_the_password_that_it_knows(
    declared: Declared, theirs: bool
) -> None:
    database = declared.database
    declared.declare().up()
    declared.declare(rotate_on_delete=True).up()
    assert database.resets == 1
    assert_live(declared)
    if theirs:
        database.reset_in_console()
    declared.stack.destroy()
    assert database.resets == 2


def test_rotate_on_delete_says_when_it_cannot_see(
    declared: Declared, upstash_emulator: Emulator
) -> None:
    declared.declare(rotate_on_delete=True).up()
    upstash_emulator.show_credentials_on_get = False
    assert "was not reset, although rotate_on_delete asks for it" in declared.stack.destroy()
    assert declared.database.resets == 1


STATES = sorted((Path(__file__).parent / "states").glob("*.json"))


@pytest.mark.parametrize("recorded", STATES, ids=lambda path: path.stem)
def test_a_state_of_an_older_version_keeps_working(declared: Declared, recorded: Path) -> None:
    declared.declare(triggers={"release": "2026-11"})
    declared.stack.on_stack("stack", "import", "--file", str(recorded))
    older = declared.stack.resources()[-1]["outputs"]["rotated_at"]
    assert "2 unchanged" in declared.up()
    assert declared.database.resets == 0
    declared.stack.refresh()
    assert "2 unchanged" in declared.up()
    assert_live(declared)
    assert (declared.out("rotation_cause"), declared.database.resets) == ("external", 0)
    assert declared.out("rotated_at") > older
    declared.declare(triggers={"release": "2026-12"}).up()
    assert declared.database.resets == 1
    assert declared.out("rotation_count") == 2
    assert_live(declared)
    declared.stack.destroy()
    assert declared.database.resets == 1


@pytest.mark.parametrize("recorded", STATES, ids=lambda path: path.stem)
def test_a_state_of_an_older_version_can_be_destroyed(declared: Declared, recorded: Path) -> None:
    declared.stack.on_stack("stack", "import", "--file", str(recorded))
    declared.stack.destroy()
    assert declared.database.resets == 0
