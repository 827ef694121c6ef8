"""What the tests of the HTTP room share: an environment that names nothing, and clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    RateLimitedError,
    ResponseStatusError,
    ServerError,
)
from pulumi_upstash_rotation.http.authentication import basic
from pulumi_upstash_rotation.http.client import HttpClient
from pulumi_upstash_rotation.http.connection import trust_store
from pulumi_upstash_rotation.http.rate_limit import RateLimit

from ..support.clock import Clock
from ..support.servers import LocalServer, bare_environment, new_authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trustme


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    bare_environment(monkeypatch)
    trust_store.cache_clear()
    yield
    trust_store.cache_clear()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return new_authority()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


def _rejection(status: int, _body: bytes) -> tuple[type[ResponseStatusError], str]:
    if status >= 500:
        return ServerError, f"failed ({status})"
    kinds = {401: AuthenticationError, 429: RateLimitedError}
    return kinds.get(status, ResponseStatusError), f"rejected it ({status})"


@pytest.fixture
def new_client(clock: Clock) -> Callable[..., HttpClient]:
    """A client whose clock is the test's. Only the API's address has to be given."""

    def new(url: str, user: str = "user", password: str = "key-canary", **options: Any) -> Any:
        limit = RateLimit(8, clock=clock, sleep=clock.sleep)
        defaults = {"pool_size": 8, "rate_limit": limit, "rejection": _rejection}
        return HttpClient(
            url, basic(user, password), **{**defaults, **options}, clock=clock, sleep=clock.sleep
        )

    return new
