"""Programs in YAML, TypeScript and Go, on the real engine: what holds in Python holds in each."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import sdks
from pulumi_stack import Stack
from upstash_emulator import Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.front_ends import NATIVE
from ..support.languages import TypeScriptRotations, YamlRotations
from ..support.programs import ROOT
from ..support.runs import Run
from ..support.stacks import CREDENTIALS, Rotations, changed, diagnostics_of

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory

EXAMPLES = ROOT / "examples"


@pytest.fixture
def yaml(new_stack: StackFactory, upstash_emulator: Emulator) -> YamlRotations:
    return YamlRotations(new_stack(), upstash_emulator, front_end=NATIVE)


def test_rotations_side_by_side_in_yaml(yaml: YamlRotations) -> None:
    live_through(yaml)


@pytest.mark.soak
def test_a_killed_run_in_yaml(yaml: YamlRotations) -> None:
    survive_a_kill(yaml)


def test_the_example_in_yaml(upstash_emulator: Emulator, new_stack: StackFactory) -> None:
    rotate_the_example(upstash_emulator, new_stack(EXAMPLES / "yaml"))


@pytest.fixture
def typescript(tmp_path: Path, upstash_emulator: Emulator) -> Stack:
    """A stack of the example, with the SDK as its README adds it."""
    project = shutil.copytree(EXAMPLES / "typescript", tmp_path / "typescript")
    assert sdks.main(["--add", str(project)]) == 0
    return Stack.create(project, tmp_path / "stack", environment=upstash_emulator.environment)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_typescript(typescript: Stack, upstash_emulator: Emulator) -> None:
    checked = ["npx", "tsc", "--noEmit"]
    subprocess.run(checked, cwd=typescript.project, check=True)
    rotate_the_example(upstash_emulator, typescript)
    upstash_emulator.clear()
    rotations = TypeScriptRotations(typescript, upstash_emulator, front_end=NATIVE)
    live_through(rotations)
    subprocess.run(checked, cwd=typescript.project, check=True)
    survive_a_kill(rotations)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_go(tmp_path: Path, upstash_emulator: Emulator) -> None:
    project = shutil.copytree(EXAMPLES / "go", tmp_path / "go")
    assert sdks.main(["--add", str(project)]) == 0
    for command in ("build", "vet"):
        subprocess.run(["go", command, "./..."], cwd=project, check=True)
    stack = Stack.create(project, tmp_path / "stack", environment=upstash_emulator.environment)
    rotate_the_example(upstash_emulator, stack)


def rotate_the_example(emulator: Emulator, stack: Stack) -> None:
    """Run what the README of an example runs."""
    database = emulator.databases[0]
    stack.set_config("databaseId", database.id)
    for resets, release in enumerate(("2026-11", "2026-12"), 1):
        stack.set_config("release", release)
        shown = stack.up()
        assert database.resets == resets
        assert "[secret]" in shown
        assert stack.outputs() == {
            "endpoint": database.endpoint,
            "redisUrl": f"rediss://default:{database.password}@127.0.0.1:{database.port}",
        }
    assert "2 unchanged" in stack.up()
    stack.destroy()
    assert database.resets == 2
    assert database.password not in stack.stored_text()


def live_through(rotations: Rotations) -> None:
    """Create and import, change nothing, change in every way, and destroy."""
    every = ("trigger", "age", "drift", "moved", "lost", "removed")
    for name in every:
        rotations.declare(name, triggers={"a": 1}, rotation_days=30)
    shown = rotations.preview()
    assert changed(shown) == {name: {"creat"} for name in every}
    assert rotations.emulator.calls == []

    imported = rotations.database("imported")
    rotations.declare("imported", triggers={"a": 1}, options={"import": imported.id})
    shown += rotations.up()
    assert rotations.resets() == dict.fromkeys(every, 1) | {"imported": 0}
    assert_live(rotations, *every, "imported")
    assert rotations.out("imported")["rotation_cause"] == "adopted"
    rotations.declare("imported", triggers={"a": 1})
    rotations.emulator.clear()
    assert_nothing_left_to_do(rotations)
    assert rotations.emulator.calls == []

    shown += change(rotations)
    stored = rotations.stack.stored_text()
    for database in rotations.databases.values():
        assert database.password not in shown + stored
    assert "[secret]" in shown
    rotations.destroy()
    assert rotations.stack.resources() == []
    assert rotations.emulator.resets == 0
    rotations.withdraw("trigger", "age", "drift", "moved", "lost", "imported")


def change(rotations: Rotations) -> str:
    """Refresh, trigger, grow old, replace, delete and lose a response; return what is shown."""
    rotations.database("drift").reset_in_console()
    rotations.refresh()
    assert_live(rotations, "drift")
    rotations.emulator.clear()
    rotations.pass_a_year("age")
    for name in ("trigger", "lost", "imported"):
        rotations.declare(name, triggers={"a": 2})
    rotations.declare("moved", of="other", triggers={"a": 1}, rotation_days=30)
    rotations.withdraw("removed")
    preview = rotations.preview()
    assert changed(preview) == {
        **{name: {"updat"} for name in ("trigger", "age", "lost", "imported")},
        "moved": {"replac", "creat", "delet"},
        "removed": {"delet"},
    }
    assert "trigger: a" in "\n".join(diagnostics_of(preview, "trigger"))
    assert rotations.emulator.calls == []
    rotations.fault("lost", Fault.closed(applied=True), "reset", None)
    rotations.fault("lost", Fault.without(*CREDENTIALS), "get", None)
    shown = preview + rotations.failing_up()
    resets = rotations.resets()
    # Where no read can tell whether a reset happened, the same update tries another one.
    assert resets.pop("lost") >= 1
    rotated = {"trigger", "age", "imported", "other"}
    assert resets == {name: int(name in rotated) for name in resets}
    rotations.emulator.clear()

    shown += rotations.up()
    assert rotations.emulator.resets == 0
    assert rotations.out("lost")["rotation_cause"] == "trigger: a"
    assert rotations.out("age")["rotation_cause"] == "age"
    assert rotations.out("moved")["database_id"] == rotations.database("other").id
    assert_live(rotations, "trigger", "age", "drift", "lost", "imported")
    assert_nothing_left_to_do(rotations)
    return shown


def survive_a_kill(rotations: Rotations) -> None:
    """Kill the engine during a reset, and recover with the documented commands."""
    database = rotations.declare("killed", triggers={"a": 1})
    rotations.up()
    rotations.emulator.clear()
    rotations.declare("killed", triggers={"a": 2})
    rotations.fault("killed", Fault.delay(10, applied=True), "reset")
    rotations.write()
    run = Run(rotations.stack, "up", "--yes", "--skip-preview")
    assert run.wait_until(lambda: database.resets == 1)
    assert run.end("engine")
    run.wait()
    rotations.stack.on_stack("cancel", "--yes")
    rotations.refresh("--clear-pending-creates")
    rotations.up()
    assert database.resets <= 2
    assert_live(rotations, "killed")
    assert_nothing_left_to_do(rotations)


WIRED = """
name: test
runtime: yaml
config:
  databaseId: { type: string }
  otherId: { type: string }
  release: { type: string }
resources:
  token:
    type: upstash-rotation:RedisAclToken
    properties:
      databaseId: ${databaseId}
      username: app
      triggers: { release: "${release}" }
  user:
    type: upstash-rotation:RedisAclUser
    properties:
      databaseId: ${databaseId}
      username: app
      rules: ["~app:*", "+@read", "+ping"]
      token: ${token.token}
      previousTokens: ${token.previousTokens}
      credentialFingerprint: ${token.credentialFingerprint}
      redisUrl: ${token.redisUrl}
      restUrl: ${token.restUrl}
      retires: true
  consumer:
    type: upstash-rotation:RedisPasswordRotation
    properties:
      databaseId: ${otherId}
      triggers: { user: "${user.credentialFingerprint}", url: "${user.redisUrl}" }
  retirement:
    type: upstash-rotation:RedisAclTokenRetirement
    properties:
      databaseId: ${databaseId}
      username: app
      token: ${user.token}
      previousTokens: ${user.previousTokens}
      credentialFingerprint: ${user.credentialFingerprint}
    options:
      dependsOn: ["${consumer}"]
variables:
  found:
    fn::invoke:
      function: upstash-rotation:getDatabase
      arguments: { databaseId: "${databaseId}" }
  all:
    fn::invoke:
      function: upstash-rotation:listDatabases
      arguments: { namePrefix: database- }
outputs:
  fingerprint: ${user.credentialFingerprint}
  redisUrl: ${user.redisUrl}
  otherUrl: ${consumer.redisUrl}
  name: ${found.databaseName}
  password: ${found.password}
  names: ["${all.databases[0].databaseName}", "${all.databases[1].databaseName}"]
"""


@pytest.mark.soak
def test_an_acl_user_in_yaml_ends_each_rotation_with_one_live_token(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database, other = upstash_emulator.databases
    stack = new_stack()
    (stack.project / "Pulumi.yaml").write_text(WIRED)
    stack.set_config("databaseId", database.id)
    stack.set_config("otherId", other.id)
    tokens: set[str] = set()
    shown = ""
    for resets, release in enumerate(("2026-11", "2026-12", "2027-01"), 1):
        stack.set_config("release", release)
        if tokens:  # a dependent shows as changing
            preview = stack.preview()
            assert "~ 4 to update" in preview
            assert changed(preview) == {"consumer": {"updat"}}
            assert other.resets == resets - 1
            shown += preview
        shown += stack.up()
        user = database.user("app")
        assert user
        (token,) = user.tokens
        assert token not in tokens
        tokens.add(token)
        assert other.resets == resets
        outputs = stack.outputs()
        assert outputs["redisUrl"] == f"rediss://app:{token}@127.0.0.1:{database.port}"
        assert other.password in outputs["otherUrl"]
    assert (outputs["name"], outputs["password"]) == (database.name, database.password)
    assert outputs["names"] == [database.name, other.name]
    assert "unchanged" in stack.up()
    stored = shown + stack.stored_text()
    assert not [each for each in (*tokens, database.password, other.password) if each in stored]
    stack.destroy()
    assert database.user("app") is None
    assert database.resets == 0
