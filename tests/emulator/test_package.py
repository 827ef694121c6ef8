"""The package as others import it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import upstash_emulator


def modules_after(code: str) -> set[str]:
    """The top-level modules that a new Python has loaded after this code."""
    finished = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in finished.stdout.split()}


def test_pytest_plugin_when_imported_loads_no_heavy_package() -> None:
    loaded = modules_after("import upstash_emulator.pytest_plugin")
    assert "upstash_emulator" in loaded
    assert not loaded & {"aiohttp", "redis", "trustme", "cryptography", "asyncio"}


def test_emulator_when_imported_loads_no_module_of_the_product() -> None:
    loaded = modules_after("import upstash_emulator.command_line")
    assert "aiohttp" in loaded
    assert not loaded & {"pulumi_upstash_rotation", "pulumi", "pydantic", "requests"}


def test_every_public_name_can_be_imported() -> None:
    loaded = [getattr(upstash_emulator, name) for name in upstash_emulator.__all__]
    assert [each.__name__ for each in loaded] == upstash_emulator.__all__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = upstash_emulator.Nothing


def test_pytest_fixture_in_a_new_test_is_restored(
    upstash_emulator: upstash_emulator.Emulator,
) -> None:
    assert (upstash_emulator.calls, upstash_emulator.resets) == ([], 0)
    assert [database.state for database in upstash_emulator.databases] == ["active"] * 2


@pytest.mark.upstash_databases(5)
def test_pytest_marker_adds_databases(upstash_emulator: upstash_emulator.Emulator) -> None:
    assert len(upstash_emulator.databases) == 5


@pytest.mark.upstash_databases(1)
def test_pytest_marker_leaves_fewer_databases(upstash_emulator: upstash_emulator.Emulator) -> None:
    (database,) = upstash_emulator.databases
    assert database.state == "active"


def test_pytest_fixture_without_the_marker_has_two_again(
    upstash_emulator: upstash_emulator.Emulator,
) -> None:
    assert len(upstash_emulator.databases) == 2


def test_command_and_module_are_the_same_program() -> None:
    helps = [
        subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
        for command in (
            [sys.executable, "-m", "upstash_emulator"],
            [str(Path(sys.executable).with_name("upstash-emulator"))],
        )
    ]
    assert helps[0] == helps[1]
    assert "--databases" in helps[0]
