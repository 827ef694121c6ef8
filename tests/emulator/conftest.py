"""Fixtures of the emulator's own tests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from .support import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import EmulatedDatabase, Emulator


@pytest.fixture(autouse=True)
def event_loop_logs_no_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An error in the event loop is only logged; without this check no test would fail."""
    yield
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    errors = [record for record in records if record.levelno >= logging.ERROR]
    assert not [record.getMessage() for record in errors if record.name == "asyncio"]


@pytest.fixture
def emulator(upstash_emulator: Emulator) -> Emulator:
    return upstash_emulator


@pytest.fixture
def database(emulator: Emulator) -> EmulatedDatabase:
    return emulator.databases[0]


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    with Api(emulator) as api:
        yield api
