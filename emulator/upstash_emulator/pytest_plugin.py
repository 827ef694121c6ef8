"""Fixtures for tests of other projects. pytest loads them from the installed package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .emulator import Emulator

_OPTION = "--upstash-databases"
_MARKER = "upstash_databases"


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the number of databases."""
    parser.getgroup("upstash_emulator").addoption(
        _OPTION,
        type=_number,
        default=2,
        metavar="NUMBER",
        help="number of databases of the fixture upstash_emulator (default: 2)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker for the number of databases of one test."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(number): number of databases of the fixture upstash_emulator"
    )


@pytest.fixture(scope="session")
def upstash_emulator_session(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """One running emulator for the whole test session."""
    from .emulator import Emulator  # a session without it starts faster

    with Emulator(databases=pytestconfig.getoption(_OPTION)) as emulator:
        yield emulator


@pytest.fixture
def upstash_emulator(
    upstash_emulator_session: Emulator, request: pytest.FixtureRequest
) -> Emulator:
    """The session's emulator, restored to its state at the start.

    It has as many databases as the test's marker `upstash_databases` demands.
    """
    emulator = upstash_emulator_session
    emulator.clear(restore=True)
    marker = request.node.get_closest_marker(_MARKER)
    if marker is not None:
        (number,) = marker.args
        for _ in range(len(emulator.databases), number):
            emulator.add_database()
        for database in emulator.databases[number:]:
            database.delete()
    return emulator
