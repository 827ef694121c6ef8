"""A green run empties no secret: what needs a hidden credential fails, and stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator

from ..support.programs import ROOT
from ..support.stacks import failure_of, stack_factory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(databases=1, reset_response="documented") as emulator:
        yield emulator


def test_consumer_keeps_its_file_if_the_api_hides_the_new_credentials(
    emulator: Emulator, tmp_path: Path
) -> None:
    (database,) = emulator.databases
    stack = stack_factory(tmp_path, emulator)(ROOT / "examples" / "dependents")
    stack.set_config("databaseId", database.id)
    stack.up()
    env_file = stack.project / "app.env"
    before = env_file.read_text()
    assert database.password in before
    emulator.show_credentials_on_get = False
    stack.set_config("release", "2026-12")
    assert "~ 2 to update" in stack.preview()
    text = failure_of(stack, "up")
    line = (
        f"error: the API does not return the redis_url of Redis database {database.name!r} "
        f"({database.id}). Nothing that uses it has changed\n"
    )
    assert line in text
    assert database.resets == 2
    assert env_file.read_text() == before
