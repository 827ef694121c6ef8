"""An account asks for its settings late, reports to whoever opened it, and prepares ahead."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation import upstash
from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.http.connection import trust_store
from pulumi_upstash_rotation.upstash import account as account_module
from pulumi_upstash_rotation.upstash import probe
from pulumi_upstash_rotation.upstash.account import open_account
from pulumi_upstash_rotation.upstash.credentials import Credentials, UserLogin
from pulumi_upstash_rotation.upstash.database import parse_database
from pulumi_upstash_rotation.upstash.settings import Settings
from pulumi_upstash_rotation.values import Verification
from upstash_emulator import Fault

from ..support.payloads import DOCUMENTED, WITH_CREDENTIALS
from ..support.servers import closed_port, silent_port

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import EmulatedDatabase, Emulator

USER = UserLogin("app", "token-canary", None, "https://127.0.0.1:1", "user 'app'")


def no_settings() -> Settings:
    raise ConfigurationError("no Upstash credentials")


def test_account_without_settings_fails_at_its_first_request() -> None:
    account = open_account(no_settings, print)
    with pytest.raises(ConfigurationError, match="^no Upstash credentials$"):
        account.api.list_databases()


def test_accounts_with_the_same_settings_share_connections_and_not_reports(
    emulator: Emulator, database: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.REPORTED_WAIT_SECONDS", 0.0)
    settings = Settings(emulator.email, emulator.api_key, emulator.url)
    reports: dict[str, list[str]] = {"one": [], "other": []}
    for lines in reports.values():
        emulator.fault(Fault.status(429), operation="get")
        open_account(lambda: settings, lines.append).api.get_database(database.id)
    assert [len(lines) for lines in reports.values()] == [1, 1]
    assert len(emulator.calls) == 4
    assert emulator.connections == 1


def test_verification_needs_no_settings() -> None:
    account = open_account(no_settings, print)
    found = account.verify(parse_database(DOCUMENTED), Credentials(), timeout_seconds=1)
    assert found.message == "not verified: the API does not return the new credentials"


def test_login_as_a_user_needs_no_settings_and_never_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = open_account(no_settings, print)
    with closed_port() as port:
        url = f"https://127.0.0.1:{port}"
        login = replace(USER, rest_url=url)
        found = account.verify_user(login, timeout_seconds=3)
        assert found.message == "not verified: REST could not be reached"
        assert account.accepts_token(url, "token-canary", timeout_seconds=5) is None

    def explode(*_: object, **__: object) -> None:
        raise KeyError("token-canary")

    for name in ("verify_user", "accepts_token"):
        monkeypatch.setattr(probe, name, explode)
    found = account.verify_user(USER, timeout_seconds=1)
    assert found.message == "not verified: unexpected KeyError; please report it"
    assert account.accepts_token(USER.rest_url, USER.token, timeout_seconds=1) is None


def test_long_verification_is_reported_to_the_reporter_of_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.upstash.probe.REPORTED_WAIT_SECONDS", 0.05)
    reports: list[str] = []
    account = open_account(no_settings, reports.append)
    with silent_port() as port:
        database = parse_database({**WITH_CREDENTIALS, "endpoint": "127.0.0.1", "port": port})
        account.verify(database, Credentials(), timeout_seconds=0.2)
    assert reports == [f"waiting up to 0.2 s for {database.label} to accept the new credential"]


def test_preparation_reads_the_trust_store_once_in_the_background(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    go = threading.Event()

    def trust_store(protocol: str) -> None:
        go.wait()
        read.append(protocol)

    monkeypatch.setattr(probe, "trust_store", trust_store)
    account_module._prepare_to_verify.cache_clear()
    account = open_account(no_settings, print)
    waits = [account.prepare_to_verify() for _ in range(2)]
    assert read == []
    go.set()
    for wait in waits:
        wait()
    account_module._prepare_to_verify.cache_clear()
    assert read == ["redis"]


def test_verification_that_cannot_be_loaded_is_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user's module may hide a library. The reset has happened by then."""
    monkeypatch.delattr(upstash, "probe", raising=False)
    monkeypatch.setitem(sys.modules, "pulumi_upstash_rotation.upstash.probe", None)
    account = open_account(no_settings, print)
    database = parse_database(WITH_CREDENTIALS)
    verification = account.verify(database, Credentials(), timeout_seconds=1)
    assert verification == Verification(
        verified=False,
        message="not verified: the library pulumi_upstash_rotation.upstash.probe cannot be loaded "
        "(ModuleNotFoundError). A file in the project's folder may have its name; rename that file",
    )
    assert account.verify_user(USER, timeout_seconds=1) == verification
    assert account.accepts_token(USER.rest_url, USER.token, timeout_seconds=1) is None


def test_preparation_that_fails_is_silent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    account_module._prepare_to_verify.cache_clear()
    open_account(no_settings, print).prepare_to_verify()()
    account_module._prepare_to_verify.cache_clear()
    assert trust_store.cache_info().currsize == 0
    assert capfd.readouterr() == ("", "")


SHADOWED = """
import sys
from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.upstash.account import open_account
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.settings import Settings

account = open_account(lambda: Settings("a@b.c", "key", "http://127.0.0.1:9"), print)
account.prepare_to_verify()()
print(account.verify(None, Credentials(), timeout_seconds=1).message)
try:
    account.api.reset_password("x")
except ConfigurationError as error:
    print(error)
try:
    account.open_rest("http://127.0.0.1:9", "token", print)
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("content", "kind"), [("", "AttributeError"), ("raise ImportError", "ImportError")]
)
@pytest.mark.parametrize("library", ["requests", "tenacity"])
def test_file_of_the_project_with_the_name_of_a_library_is_stated_before_any_request(
    tmp_path: Path, library: str, content: str, kind: str
) -> None:
    (tmp_path / f"{library}.py").write_text(content)
    done = subprocess.run(
        [sys.executable, "-c", SHADOWED], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    verification, *errors = done.stdout.splitlines()
    assert verification.startswith("not verified: ")
    assert " cannot be loaded (" in verification
    assert len(errors) == 2
    for error in errors:
        assert " cannot be loaded (" in error
        assert error.endswith("A file in the project's folder may have its name; rename that file")
        if kind == "AttributeError":
            assert f"the library {library}" in error


def test_verification_is_prepared_where_no_thread_can_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    read: list[str] = []
    monkeypatch.setattr(probe, "trust_store", read.append)
    monkeypatch.setattr(_thread, "start_new_thread", fail)
    account_module._prepare_to_verify.cache_clear()
    open_account(no_settings, print).prepare_to_verify()()
    account_module._prepare_to_verify.cache_clear()
    assert read == ["redis"]
