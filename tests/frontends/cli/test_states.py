"""Where states come from, and which are none."""

from __future__ import annotations

import io
import json
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.frontends.cli import states
from pulumi_upstash_rotation.frontends.cli.states import (
    StateError,
    StateResource,
    from_file,
    from_stack,
    is_secret,
    stacks_named,
)

from ...support.exported import (
    ROTATED,
    checkpoint,
    exported,
    resource,
    secret,
    secret_in_clear,
)

if TYPE_CHECKING:
    from pathlib import Path


def read(content: str | bytes) -> list[StateResource]:
    encoded = content.encode() if isinstance(content, str) else content
    return from_file("state.json", io.BytesIO(encoded))


@pytest.mark.parametrize("written", [exported, checkpoint])
def test_resource_has_the_parts_of_its_urn(written: object) -> None:
    assert callable(written)
    (found,) = read(written(resource(ROTATED, {"rotation_days": 30}, name="a::b")))
    assert (found.project, found.stack, found.name) == ("shop", "dev", "a::b")
    assert found.type == "pulumi-python:dynamic/upstash:RedisPasswordRotation"
    assert found.inputs == {"rotation_days": 30}
    assert found.outputs == ROTATED
    assert found.operation is None


@pytest.mark.parametrize(
    "content",
    [
        {"version": 3, "deployment": {"manifest": {}}},
        {"version": 3, "deployment": {"resources": None}},
        {"version": 4, "deployment": None},
        {"version": 0, "checkpoint": {"stack": "organization/shop/dev"}},
        {"version": 3, "checkpoint": {"latest": None}},
    ],
)
def test_stack_without_resources_has_none(content: object) -> None:
    assert read(json.dumps(content)) == []


def test_encoding_of_any_editor_is_read() -> None:
    text = exported(resource(ROTATED))
    assert read(text.encode("utf-16")) == read(text.encode("utf-8-sig")) == read(text)


def test_resource_that_is_not_the_stacks_own_is_left_out() -> None:
    others = [
        resource(ROTATED, name="replaced", delete=True),
        resource(ROTATED, name="read", external=True),
        resource(ROTATED, name="component", custom=False),
    ]
    (found,) = read(exported(*others, resource(ROTATED)))
    assert found.name == "cache"


def test_operation_that_did_not_finish_is_known() -> None:
    new = resource({}, {"database_id": "an-id"}, name="new")
    operations = [
        {"resource": resource(ROTATED), "type": "updating"},
        {"resource": new, "type": "creating"},
    ]
    old, created = read(exported(resource(ROTATED), pending_operations=operations))
    assert (old.name, old.operation) == ("cache", "updating")
    assert (created.name, created.operation) == ("new", "creating")
    assert created.inputs == {"database_id": "an-id"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("9" * 5000, "is not"),
        ("[]", "is not a state"),
        ("null", "is not a state"),
        ("{}", "has neither a deployment nor a checkpoint"),
        ('{"deployment": {}}', "its version is not one of 0 to 4"),
        ('{"version": 5, "deployment": {}}', "its version is not one of 0 to 4"),
        ('{"version": true, "deployment": {}}', "its version is not one of 0 to 4"),
        ('{"version": [3], "deployment": {}}', "its version is not one of 0 to 4"),
        ('{"version": 3, "deployment": []}', "has a deployment that is no map"),
        ('{"version": 3, "checkpoint": "x"}', "has a checkpoint that is no map"),
        ('{"version": 3, "deployment": {"resources": {}}}', "its resources are no list"),
        (exported("x"), "has a resource that is no map"),
        (exported({}), "has a resource whose urn is no text"),
        (exported({"urn": "x", "type": "x"}), "has a resource whose urn is none"),
        (exported({"urn": "urn:pulumi:a::b::c::d"}), "has a resource whose type is no text"),
        (exported({**resource({}), "outputs": [1]}), "has a resource whose outputs are no map"),
        (exported({**resource({}), "inputs": "x"}), "has a resource whose inputs are no map"),
        (exported(pending_operations=[1]), "has a pending operation that is no map"),
        (exported(pending_operations=[{}]), "has a resource"),
    ],
)
def test_other_content_is_an_error(content: str | bytes, problem: str) -> None:
    with pytest.raises(StateError) as raised:
        read(content)
    text = str(raised.value)
    assert text.startswith(f"state.json: {problem}")
    assert "expects what `pulumi stack export` prints" in text
    assert "\n" not in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, JSON, st.sampled_from(["resources", "pending_operations"]))
def test_any_json_is_resources_or_an_error(value: object, inner: object, name: str) -> None:
    for content in (value, {"version": 3, "deployment": {name: [value, inner]}}):
        try:
            found = read(json.dumps(content))
        except StateError:
            continue
        assert found == []


def test_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    text = exported()
    monkeypatch.setattr(states, "MAX_BYTES", len(text))
    assert read(text) == []
    with pytest.raises(StateError, match="state.json: is larger than 0 MiB"):
        read(text + " ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (secret(), True),
        (secret_in_clear("x"), True),
        ({}, False),
        ("4dabf18193072939515e22adb298388d", False),
    ],
)
def test_secret_is_told_by_its_signature(value: object, expected: bool) -> None:
    assert is_secret(value) is expected


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pulumi on PATH that a test writes."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    script = tmp_path / "pulumi"
    script.touch()
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_stack_is_exported_by_pulumi(pulumi: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(exported(resource(ROTATED)))
    pulumi.write_text(f'#!/bin/sh\necho "$PWD" "$@" > "{tmp_path}/called"\ncat "{state}"\n')
    (tmp_path / "project").mkdir()
    (found,) = from_stack("-x", tmp_path / "project")
    assert found.name == "cache"
    called = (tmp_path / "called").read_text()
    assert called == f"{tmp_path}/project stack export --non-interactive --color never --stack=-x\n"


def test_current_stack_has_no_name(pulumi: Path) -> None:
    pulumi.write_text('#!/bin/sh\nfor last; do :; done\necho "error: $last" >&2\nexit 1\n')
    with pytest.raises(StateError, match="the current stack: `pulumi stack export` failed: never$"):
        from_stack(None, None)


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        ("warning: old\nerror: no stack named 'a' found\nhint", "no stack named 'a' found"),
        ("first\nlast\n\n", "last"),
        ("", "it shows no reason"),
        ("error: " + "x" * 1000, "x" * 300),
    ],
)
def test_failure_of_pulumi_is_its_first_error(pulumi: Path, shown: str, problem: str) -> None:
    pulumi.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{shown}\nEND\nexit 6\n")
    with pytest.raises(StateError) as raised:
        from_stack("a", None)
    assert str(raised.value) == f"stack a: `pulumi stack export` failed: {problem}"


LISTED = [{"name": name} for name in ("shard-10", "acme/shard-2", "shard-1", "prod")]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["shard-*"], ["acme/shard-2", "shard-1", "shard-10"]),
        (["shard-?"], ["acme/shard-2", "shard-1"]),
        (["acme/*"], ["acme/shard-2"]),
        (["*"], ["acme/shard-2", "prod", "shard-1", "shard-10"]),
        (["new", "prod", "[p]*"], ["new", "prod"]),
    ],
)
def test_pattern_names_the_stacks_of_the_project(
    pulumi: Path, tmp_path: Path, names: list[str], found: list[str]
) -> None:
    pulumi.write_text(
        f"#!/bin/sh\necho \"$PWD $@\" > '{tmp_path}/called'\necho '{json.dumps(LISTED)}'\n"
    )
    (tmp_path / "project").mkdir()
    assert stacks_named(names, tmp_path / "project") == found
    called = (tmp_path / "called").read_text()
    assert called == f"{tmp_path}/project stack ls --json --non-interactive --color never\n"


def test_names_alone_need_no_list_of_stacks(pulumi: Path) -> None:
    pulumi.write_text("#!/bin/sh\nexit 1\n")
    assert stacks_named(["b", "a", "b"], None) == ["b", "a"]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo '[]'", "no stack matches. `pulumi stack ls` lists the stacks"),
        ("echo '{}'", "no stack matches. `pulumi stack ls` lists the stacks"),
        ("echo '[1]'", "`pulumi stack ls` did not print a list of stacks"),
        ("echo", "`pulumi stack ls` did not print a list of stacks"),
        ("echo error: no project >&2; exit 1", "`pulumi stack ls --json` failed: no project"),
    ],
)
def test_pattern_without_stacks_is_an_error(pulumi: Path, script: str, problem: str) -> None:
    pulumi.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(StateError) as raised:
        stacks_named(["prod", "shard-*"], None)
    assert str(raised.value) == f"stack shard-*: {problem}"


def test_pulumi_that_is_no_program_is_an_error(pulumi: Path) -> None:
    with pytest.raises(StateError, match=f"stack a: cannot run {pulumi} .Exec format error.$"):
        from_stack("a", None)


def test_missing_pulumi_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StateError, match="the current stack: pulumi is not on PATH. Install it"):
        from_stack(None, None)
