"""Fixtures for tests of other projects. pytest loads them from the installed package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .emulator import Emulator


@pytest.fixture(scope="session")
def upstash_emulator_session() -> Iterator[Emulator]:
    """One running emulator with two databases, for the whole test session."""
    try:
        from .emulator import Emulator  # only tests that use it need the extra
    except ImportError as error:
        pytest.fail(f"{error}. The fixture needs the extra pulumi-upstash-rotation[emulator]")
    with Emulator(databases=2) as emulator:
        yield emulator


@pytest.fixture
def upstash_emulator(upstash_emulator_session: Emulator) -> Emulator:
    """The session's emulator, restored to its state at the start."""
    upstash_emulator_session.clear(restore=True)
    return upstash_emulator_session
