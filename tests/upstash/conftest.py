"""What the tests of the vendor's room share: an emulator, and clients with the test's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.http.authentication import basic
from pulumi_upstash_rotation.http.client import HttpClient
from pulumi_upstash_rotation.http.connection import trust_store
from pulumi_upstash_rotation.http.rate_limit import RateLimit
from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi, rejection
from upstash_emulator import Emulator

from ..support.clock import Clock
from ..support.servers import bare_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upstash_emulator import EmulatedDatabase


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    bare_environment(monkeypatch)
    trust_store.cache_clear()
    yield
    trust_store.cache_clear()


@pytest.fixture(scope="session")
def _api_only_emulator() -> Iterator[Emulator]:
    with Emulator(redis_servers=False) as emulator:
        yield emulator


@pytest.fixture
def emulator(_api_only_emulator: Emulator) -> Emulator:
    """The Developer API without redis-servers, as if it had just been started."""
    _api_only_emulator.clear(restore=True)
    return _api_only_emulator


@pytest.fixture
def database(emulator: Emulator) -> EmulatedDatabase:
    return emulator.databases[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_api(emulator: Emulator, clock: Clock) -> Callable[..., DeveloperApi]:
    def new(
        api_key: str | None = None, report: Callable[[str], None] = lambda _: None
    ) -> DeveloperApi:
        client = HttpClient(
            emulator.url,
            basic(emulator.email, api_key or emulator.api_key),
            pool_size=8,
            rate_limit=RateLimit(8, clock=clock, sleep=clock.sleep),
            rejection=rejection,
            clock=clock,
            sleep=clock.sleep,
        )
        return DeveloperApi(lambda: client, lambda: emulator.email, report)

    return new


@pytest.fixture
def api(new_api: Callable[..., DeveloperApi]) -> DeveloperApi:
    return new_api()
