"""The command line beside the real engine: its guide's commands, without a passphrase."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..support.consoles import assert_shows, block
from ..support.programs import ROOT
from ..support.shells import run_bash

if TYPE_CHECKING:
    from pulumi_stack import Stack
    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory

GUIDE = (ROOT / "docs" / "how-to" / "audit.md").read_text()
MARK = "=== next command ==="
LONG_AGO = timedelta(days=100, hours=1)


def shell(stack: Stack, script: str) -> str:
    """Run commands in the project's folder, without the passphrase; return what they show."""
    environ = {**stack.environ}
    del environ["PULUMI_CONFIG_PASSPHRASE"]
    _, shown = run_bash(script, stack.project, environ)
    return shown


def assert_guide_is_right(stack: Stack, name: str) -> None:
    """Run the commands of a block of the guide, and compare what they show."""
    steps = block(GUIDE, name)
    # A command sees the exit status of the one before it.
    mark = f"status=$?; echo '{MARK}'; (exit $status)"
    shown = shell(stack, "\n".join(f"{mark}\n{command}" for command, _ in steps))
    for (_, want), got in zip(steps, shown.split(f"{MARK}\n")[1:], strict=True):
        assert_shows(want, got)


def age(resource: dict[str, Any]) -> None:
    """Let the rotation be long ago."""
    if resource["urn"].endswith("::cache"):
        rotated_at = datetime.now(timezone.utc) - LONG_AGO
        resource["outputs"]["rotated_at"] = rotated_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_guide_shows_what_the_commands_show(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(ROOT / "examples" / "scheduled")
    stack.set_config("databaseId", database.id)
    stack.set_config("schedule", "0 3 1 * *")
    stack.up()
    assert_guide_is_right(stack, "report")

    stack.edit_state(age)
    assert_guide_is_right(stack, "due")

    in_clear = stack.project / "in-clear.json"
    in_clear.write_text(stack.on_stack("stack", "export", "--show-secrets"))
    assert database.password in in_clear.read_text()
    reports = [
        shell(stack, f"upstash-rotation report --format json {source}")
        for source in ("--stack dev", in_clear.name, stack.state_file)
    ]
    rows = [json.loads(report)["credentials"] for report in reports]
    ages = [row.pop("age_days") for (row,) in rows]
    assert all(100 < each < 101 for each in ages)
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][0]["database_id"] == database.id
    shown = shell(
        stack,
        "for format in table markdown json svg html; do\n"
        f"upstash-rotation report --format $format {in_clear.name}\ndone\n"
        f"upstash-rotation due --json {in_clear.name}",
    )
    assert shown.count(database.id) >= 5
    secrets = (database.password, database.rest_token, database.read_only_rest_token)
    assert [secret for secret in secrets if secret in shown] == []
    assert "no stack named 'absent' found" in shell(stack, "upstash-rotation report -s absent")
