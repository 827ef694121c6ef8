"""Fixtures for projects that test against Upstash; active as soon as the package is installed."""

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
        pytest.fail(f"{error}; the fixture needs the extra: pulumi-upstash-rotation[emulator]")
    with Emulator(databases=2) as emulator:
        yield emulator


@pytest.fixture
def upstash_emulator(upstash_emulator_session: Emulator) -> Emulator:
    """The session's emulator as if it had just been started."""
    upstash_emulator_session.clear(restore=True)
    return upstash_emulator_session
