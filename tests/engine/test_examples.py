"""Every example, run as its README tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulumi_stack import PulumiError

from ..support.assertions import opens
from ..support.programs import ROOT

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase, Emulator

    from ..support.stacks import StackFactory

EXAMPLES = ROOT / "examples"
OTHER_LANGUAGES: dict[str, set[str]] = {
    "go": {"go.mod", "main.go"},
    "typescript": {"index.ts", "package.json", "tsconfig.json"},
    "yaml": set(),
}
"""Examples that are not in Python, and the files of their programs."""
DESCRIBED = {path.parent.name for path in EXAMPLES.glob("*/README.md")}


def test_every_example_is_a_whole_project_and_has_a_test() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {
        "consumers",
        "dependents",
        "existing_database",
        "fleet",
        "pipeline",
        "quickstart",
        "scheduled",
        "zero_downtime",
        *OTHER_LANGUAGES,
    }
    for folder in EXAMPLES.iterdir():
        names = {path.name for path in folder.iterdir()}
        program = OTHER_LANGUAGES.get(folder.name, {"__main__.py", "requirements.txt"})
        assert {"Pulumi.yaml", "README.md", *program} <= names
        assert "template:" in (folder / "Pulumi.yaml").read_text()
    modules = (f"test_{name}.py" for name in ("examples", "distribution", "languages", "pipeline"))
    here = "".join((Path(__file__).parent / name).read_text() for name in modules)
    assert all(f'EXAMPLES / "{name}"' in here or name == "quickstart" for name in DESCRIBED)


def test_the_fleet_rotates_the_databases_whose_name_has_the_prefix(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    caches = [upstash_emulator.add_database(f"cache-{number}") for number in range(3)]
    stack = new_stack(EXAMPLES / "fleet")
    stack.set_config("prefix", "cache-")
    stack.up()
    assert [each.resets for each in upstash_emulator.databases] == [0, 0, 1, 1, 1]
    assert stack.outputs().keys() == {"rotated_at"}
    stack.set_config("exportUrls", "true")
    stack.up()
    outputs = stack.outputs()
    assert all(each.password in outputs[f"redis_url_{each.name}"] for each in caches)
    caches[0].delete()
    upstash_emulator.add_database("cache-9")
    stack.up()
    assert [each.resets for each in upstash_emulator.databases] == [0, 0, 1, 1, 1]
    stack.set_config("release", "2026-12")
    stack.up()
    assert [each.resets for each in upstash_emulator.databases] == [0, 0, 2, 2, 2]


def test_a_list_that_cannot_be_read_is_one_error(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    stack = new_stack(EXAMPLES / "fleet", environment={"UPSTASH_API_KEY": "wrong-key"})
    with pytest.raises(PulumiError) as raised:
        stack.preview()
    assert (
        f"error: cannot list the Redis databases: {upstash_emulator.url} rejected the e-mail and "
        "API key (401). Use a Developer API key of a native Upstash account, with that account's "
        "e-mail; nothing has changed\n"
    ) in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_the_schedule_rotates_once_and_shows_the_next_time(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(EXAMPLES / "scheduled")
    stack.set_config("databaseId", database.id)
    stack.up()
    outputs = stack.outputs()
    assert outputs["next_rotation_at"].endswith("-01T03:00:00Z")
    assert outputs["next_rotation_at"] > outputs["rotated_at"]
    assert "2 unchanged" in stack.up()
    assert database.resets == 1


def test_an_existing_database_is_adopted_first_and_rotated_later(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(EXAMPLES / "existing_database")
    stack.set_config("databaseId", database.id)
    stack.up()
    assert stack.outputs()["rotation_cause"] == "adopted"
    assert database.password in stack.outputs()["redis_url"]
    assert database.resets == 0
    stack.set_config("release", "2026-12")
    stack.up()
    assert stack.outputs()["rotation_cause"] == "trigger: release"
    assert database.password in stack.outputs()["redis_url"]
    assert database.resets == 1


def test_a_dependent_follows_the_password_in_the_same_update(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(EXAMPLES / "dependents")
    stack.set_config("databaseId", database.id)
    stack.up()
    env_file = stack.project / "app.env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    assert f":{database.password}@" in env_file.read_text()
    assert "3 unchanged" in stack.preview()
    stack.set_config("release", "2026-12")
    assert "~ 2 to update" in stack.preview()
    stack.up()
    assert database.resets == 2
    assert f":{database.password}@" in env_file.read_text()
    assert opens(database, database.password, upstash_emulator)
    assert database.password not in stack.stored_text()
    stack.destroy()
    assert not env_file.exists()


@pytest.mark.soak  # test_overlap.py rotates without an outage, too
def test_two_rotations_without_an_outage_leave_one_live_token(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(EXAMPLES / "zero_downtime")
    stack.set_config("databaseId", database.id)
    stack.up()
    env_file = stack.project / "app.env"
    tokens = live_tokens(database)
    for release in ("2026-12", "2027-01"):
        stack.set_config("release", release)
        assert "~ 4 to update" in stack.preview()
        stack.up()
        (token,) = live_tokens(database)
        assert token not in tokens
        assert env_file.read_text() == f"REDIS_URL=rediss://app:{token}@127.0.0.1:{database.port}\n"
        tokens = (*tokens, token)
    assert len(tokens) == 3
    assert not any(token in stack.stored_text() for token in tokens)
    assert "6 unchanged" in stack.up()
    stack.destroy()
    assert database.user("app") is None
    assert not env_file.exists()
    assert database.resets == 0


def live_tokens(database: EmulatedDatabase) -> tuple[str, ...]:
    user = database.user("app")
    assert user is not None
    return user.tokens


def test_every_example_is_typed(tmp_path: Path) -> None:
    # They share what mypy finds out about the packages; their own modules share a name.
    cache = str(tmp_path / "mypy")
    for example in sorted(EXAMPLES.iterdir()):
        if example.name in {"consumers", *OTHER_LANGUAGES}:
            continue  # consumers needs large SDKs: see test_distribution.py
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "."],
            cwd=example,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
