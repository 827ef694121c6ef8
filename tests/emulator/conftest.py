"""Fixtures of the emulator's own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .clients import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import EmulatedDatabase, Emulator


@pytest.fixture
def emulator(upstash_emulator: Emulator) -> Emulator:
    return upstash_emulator


@pytest.fixture
def database(emulator: Emulator) -> EmulatedDatabase:
    return emulator.databases[0]


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    api = Api(emulator)
    with api.session:
        yield api
