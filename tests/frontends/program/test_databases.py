"""Reading the account's databases in a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from pulumi_upstash_rotation import DatabaseSummary, list_databases
from pulumi_upstash_rotation.errors import AuthenticationError

from ...support.account import ScriptedUpstash

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.upstash.account import Account
    from pulumi_upstash_rotation.upstash.settings import Settings

LISTED = [
    {"database_id": "3", "database_name": "cache-b", "state": "active", "password": "canary"},
    {"database_id": "2", "database_name": "cache-a", "primary_region": "eu-west-1"},
    {"database_id": "1", "database_name": "cache-a"},
    {"database_id": "4", "database_name": "other"},
    {"database_id": "5"},
]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Keep the settings with which an account was opened. The environment has an account's."""
    monkeypatch.setenv("UPSTASH_EMAIL", "a@b.c")
    monkeypatch.setenv("UPSTASH_API_KEY", "key-canary")
    monkeypatch.setattr(pulumi.Config, "get", lambda _self, _key: None)
    return []


def listing(monkeypatch: pytest.MonkeyPatch, seen: list[Any], listed: Any) -> ScriptedUpstash:
    upstash = ScriptedUpstash(listed=listed)

    def open_account(settings: Callable[[], Settings], _report: Callable[[str], None]) -> Account:
        seen.append(settings())
        return upstash.account

    monkeypatch.setattr("pulumi_upstash_rotation.upstash.account.open_account", open_account)
    return upstash


def test_databases_are_sorted_by_name_and_id_without_credentials(
    monkeypatch: pytest.MonkeyPatch, seen: list[Settings]
) -> None:
    upstash = listing(monkeypatch, seen, tuple(LISTED))
    found = list_databases()
    assert found == [
        DatabaseSummary("5", ""),
        DatabaseSummary("1", "cache-a"),
        DatabaseSummary("2", "cache-a", None, "eu-west-1"),
        DatabaseSummary("3", "cache-b", "active"),
        DatabaseSummary("4", "other"),
    ]
    assert "canary" not in repr(found)
    assert upstash.calls == ["list"]
    assert (seen[0].email, seen[0].api_key) == ("a@b.c", "key-canary")


def test_databases_of_a_prefix_are_those_whose_name_begins_with_it(
    monkeypatch: pytest.MonkeyPatch, seen: list[Settings]
) -> None:
    listing(monkeypatch, seen, tuple(LISTED))
    assert [each.database_id for each in list_databases(name_prefix="cache-")] == ["1", "2", "3"]


def test_credentials_in_the_stacks_config_come_first(
    monkeypatch: pytest.MonkeyPatch, seen: list[Settings]
) -> None:
    listing(monkeypatch, seen, ())
    config = {"email": "config@b.c", "apiKey": "config-key"}
    monkeypatch.setattr(pulumi.Config, "get", lambda _self, key: config.get(key))
    assert list_databases() == []
    assert (seen[0].email, seen[0].api_key) == ("config@b.c", "config-key")


def test_missing_credentials_are_one_line_before_any_call(
    monkeypatch: pytest.MonkeyPatch, seen: list[Settings]
) -> None:
    upstash = listing(monkeypatch, seen, ())
    monkeypatch.delenv("UPSTASH_API_KEY")
    with pytest.raises(pulumi.RunError, match="UPSTASH_API_KEY") as raised:
        list_databases()
    assert "\n" not in str(raised.value)
    assert (upstash.calls, seen) == ([], [])


def test_failing_call_is_one_line(monkeypatch: pytest.MonkeyPatch, seen: list[Settings]) -> None:
    listing(monkeypatch, seen, AuthenticationError("rejected", status=401))
    with pytest.raises(pulumi.RunError, match="^rejected$"):
        list_databases()
