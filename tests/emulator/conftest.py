"""Fixtures of the emulator's own tests."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator
from upstash_emulator.redis_processes import binary
from upstash_emulator.redis_processes.binary import find_redis_binary

from .support import Api, Rest, binary_with_tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import EmulatedDatabase


BUNDLED = [package for package in binary._PACKAGES if find_spec(package)]
"""Packages with a server that serves no TLS, so that clients come in through the relay."""


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


@pytest.fixture
def run(emulator: Emulator, database: EmulatedDatabase, api: Api) -> Rest:
    return Rest(api, emulator, database)


@pytest.fixture(scope="module", params=["own TLS", *BUNDLED, "no TLS"])
def each_way(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator for each way in which Redis clients can come in."""
    emulator = Emulator(tls=request.param != "no TLS")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "own TLS":
            binary_with_tls()
        else:
            patch.setenv("PATH", "")
            if request.param in BUNDLED:
                program = {request.param: binary._PACKAGES[request.param]}
                patch.setattr(binary, "_PACKAGES", program)
            find_redis_binary.cache_clear()
            assert not find_redis_binary().has_tls
        emulator.start()
    find_redis_binary.cache_clear()
    yield emulator
    emulator.stop()


@pytest.fixture
def way_in(each_way: Emulator) -> EmulatedDatabase:
    each_way.clear(restore=True)
    return each_way.databases[0]
