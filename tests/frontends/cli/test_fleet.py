"""The command `list`: the account's databases, their shards and stacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn

import pytest
from click.testing import CliRunner, Result

from pulumi_upstash_rotation.errors import AuthenticationError
from pulumi_upstash_rotation.frontends.cli import commands
from pulumi_upstash_rotation.frontends.cli.commands import cli
from pulumi_upstash_rotation.frontends.cli.credentials import Credential, Kind
from pulumi_upstash_rotation.resources.shards import shard_of

from ...support.account import ScriptedUpstash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pulumi_upstash_rotation.upstash.account import Account
    from pulumi_upstash_rotation.upstash.settings import Settings

CANARY: Final = "canary-d41d8cd98f"
LISTED: Final = (
    {"database_id": "AB-1", "database_name": "cache-b", "state": "active", "password": CANARY},
    {"database_id": "ab-2", "database_name": "cache-a", "rest_token": CANARY},
    {"database_id": "ab-3", "database_name": "other\x1b[31m", "state": "suspended"},
)


@pytest.fixture
def upstash(monkeypatch: pytest.MonkeyPatch) -> ScriptedUpstash:
    """The account that the environment names."""
    monkeypatch.setenv("UPSTASH_EMAIL", "a@b.c")
    monkeypatch.setenv("UPSTASH_API_KEY", CANARY)
    scripted = ScriptedUpstash(listed=LISTED)

    def open_account(settings: Callable[[], Settings], report: Callable[[str], None]) -> Account:
        assert settings().api_key == CANARY
        report("waits for the rate limit")
        return scripted.account

    monkeypatch.setattr("pulumi_upstash_rotation.upstash.account.open_account", open_account)
    return scripted


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["list", *arguments], prog_name="upstash-rotation")
    assert CANARY not in result.output
    return result


@pytest.mark.usefixtures("upstash")
def test_list_has_a_line_for_each_database_sorted_by_name() -> None:
    result = run("--shards", "16")
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["name", "id", "state", "shard", "stack"]
    assert [line.split() for line in lines] == [
        ["cache-a", "ab-2", str(shard_of("ab-2", 16))],
        ["cache-b", "AB-1", "active", str(shard_of("ab-1", 16))],
        ["other\\u001b[31m", "ab-3", "suspended", str(shard_of("ab-3", 16))],
    ]
    assert result.exit_code == 0
    assert result.stderr == "upstash-rotation: waits for the rate limit\n"


@pytest.mark.usefixtures("upstash")
def test_stacks_that_rotate_a_database_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_files: Sequence[str], stacks: Sequence[str], cwd: Path | None) -> list[Credential]:
        assert (stacks, cwd) == (("shard-*",), None)
        rotated = [("a", "AB-2"), ("a", "ab-1"), ("a", "ab-1"), ("b", "ab-1"), ("b", None)]
        return [
            Credential("shop", stack, "cache", "urn", Kind.PASSWORD, database_id=id_)
            for stack, id_ in rotated
        ]

    monkeypatch.setattr(commands, "_read", read)
    assert json.loads(run("--json", "--prefix", "cache-", "--stack", "shard-*").stdout) == {
        "databases": [
            {
                "database_name": "cache-a",
                "database_id": "ab-2",
                "state": None,
                "shard": None,
                "stacks": ["shop/a"],
            },
            {
                "database_name": "cache-b",
                "database_id": "AB-1",
                "state": "active",
                "shard": None,
                "stacks": ["shop/a", "shop/b"],
            },
        ]
    }
    lines = run("--stack", "shard-*").stdout.splitlines()
    assert lines[2].endswith("shop/a, shop/b")
    assert lines[3].endswith("suspended")  # no stack rotates it


@pytest.mark.usefixtures("upstash")
def test_no_database_is_said() -> None:
    assert run("--prefix", "absent").stdout == "No databases.\n"


def test_missing_account_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPSTASH_EMAIL", "UPSTASH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "upstash-rotation: no Upstash credentials: set UPSTASH_EMAIL and UPSTASH_API_KEY in the "
        "environment\n"
    )


def test_error_of_the_api_is_one_line(
    upstash: ScriptedUpstash, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> NoReturn:
        raise AuthenticationError("the API key is not accepted", status=401)

    monkeypatch.setattr(upstash, "list_databases", refuse)
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("upstash-rotation: the API key is not accepted\n")


@pytest.mark.parametrize("shards", ["0", "10000", "many"])
def test_wrong_number_of_shards_is_exit_status_2(shards: str) -> None:
    result = run("--shards", shards)
    assert result.exit_code == 2
    assert shards in result.stderr
