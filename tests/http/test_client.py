"""A client of any HTTP API: requests, responses, errors, how long it retries, and its reports."""

from __future__ import annotations

import base64
import email.utils
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_upstash_rotation import __version__
from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    IndeterminateOutcomeError,
    RateLimitedError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http.client import (
    MAX_ATTEMPTS,
    MAX_RESPONSE_BYTES,
    RETRY_BUDGET_SECONDS,
    HttpClient,
    Request,
)
from pulumi_upstash_rotation.http.rate_limit import RateLimit
from pulumi_upstash_rotation.http.retries import Effect

from ..support.servers import LocalServer, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..support.clock import Clock

    NewClient = Callable[..., HttpClient]

READ = Request("GET", "/read", Effect.READ, "read it")
RESET = Request(
    "POST",
    "/reset",
    Effect.NON_IDEMPOTENT,
    "reset it",
    if_not_applied="it has not changed",
    if_maybe_applied="it may have changed",
)


@pytest.fixture
def client(server: LocalServer, new_client: NewClient) -> HttpClient:
    return new_client(server.url)


def test_request_has_the_method_the_path_and_the_headers_of_the_package(
    client: HttpClient, server: LocalServer
) -> None:
    server.response = Response(body=b"the body")
    assert client.send(RESET) == b"the body"
    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/reset")
    assert received.headers["User-Agent"].startswith(
        f"pulumi-upstash-rotation/{__version__} python/"
    )
    assert received.headers["Accept"] == "application/json"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])), st.text())
def test_basic_credentials_arrive_as_utf8(
    new_client: NewClient, server: LocalServer, user: str, password: str
) -> None:
    password = password.encode(errors="replace").decode()
    new_client(server.url, user, password).send(READ)
    scheme, encoded = server.received[-1].headers["Authorization"].split(" ")
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", f"{user}:{password}")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_each_status_of_success_returns_the_body(
    client: HttpClient, server: LocalServer, status: int
) -> None:
    server.response = Response(status, body=b"" if status == 204 else b"x")
    assert client.send(RESET) == server.response.body


def test_requests_one_after_the_other_share_a_connection(
    client: HttpClient, server: LocalServer
) -> None:
    server.responses = [Response(400), Response(body=b"x" * 100_000)]
    with pytest.raises(ResponseStatusError):
        client.send(RESET)
    client.send(RESET)
    client.send(READ)
    assert server.connections == 1


def test_connections_are_never_more_than_the_rate_limit(
    server: LocalServer, new_client: NewClient, clock: Clock
) -> None:
    limit = RateLimit(3, clock=clock, sleep=clock.sleep)
    client = new_client(server.url, pool_size=3, rate_limit=limit)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(client.send, [READ] * 48))
    assert len(server.received) == 48
    assert server.most_in_flight <= 3
    assert server.connections <= 3


@pytest.mark.parametrize(
    ("status", "kind", "what"),
    [
        (302, ResponseStatusError, "rejected it (302); it has not changed"),
        (400, ResponseStatusError, "rejected it (400); it has not changed"),
        (401, AuthenticationError, "rejected it (401); it has not changed"),
        (500, ServerError, "failed (500); it may have changed"),
        (599, ServerError, "failed (599); it may have changed"),
    ],
)
def test_error_status_becomes_the_error_of_the_api_with_what_it_means(
    client: HttpClient,
    server: LocalServer,
    status: int,
    kind: type[ResponseStatusError],
    what: str,
) -> None:
    server.response = Response(status, headers={"Location": "/elsewhere"})
    with pytest.raises(kind) as raised:
        client.send(RESET)
    assert type(raised.value) is kind
    assert raised.value.status == status
    assert str(raised.value) == f"cannot reset it: {server.url} {what}"
    assert len(server.received) == 1


def test_rejection_that_broke_off_is_still_a_rejection(
    client: HttpClient, server: LocalServer
) -> None:
    server.response = Response(401, b"half of it", missing_bytes=9)
    with pytest.raises(AuthenticationError, match=r"\(401\); it has not changed$"):
        client.send(RESET)


@pytest.mark.parametrize(
    "response",
    [
        Response(body=b"{", missing_bytes=9),
        Response(body=b"x" * (MAX_RESPONSE_BYTES + 1)),
        Response(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["cut off", "too large", "not decodable"],
)
def test_success_with_a_broken_body_is_unreadable(
    client: HttpClient, server: LocalServer, response: Response
) -> None:
    server.response = response
    with pytest.raises(UnreadableResponseError) as raised:
        client.send(RESET)
    assert str(raised.value) == (
        "the API accepted the request to reset it, but its response broke off; it may have changed"
    )


def test_largest_allowed_body_is_returned(client: HttpClient, server: LocalServer) -> None:
    server.response = Response(body=b"x" * MAX_RESPONSE_BYTES)
    assert len(client.send(RESET)) == MAX_RESPONSE_BYTES


def test_closed_connection_is_an_indeterminate_outcome(
    client: HttpClient, server: LocalServer
) -> None:
    server.response = Response(closed=True)
    with pytest.raises(IndeterminateOutcomeError) as raised:
        client.send(RESET)
    assert str(raised.value) == (
        f"cannot reset it: {server.url} closed the connection before it responded; "
        "it may have changed"
    )


def test_response_after_the_timeout_is_an_indeterminate_outcome(
    client: HttpClient, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.READ_TIMEOUT_SECONDS", 0.2)
    server.response = Response(late=True)
    with pytest.raises(IndeterminateOutcomeError) as raised:
        client.send(RESET)
    assert str(raised.value) == (
        f"cannot reset it: {server.url} gave no response within 0 s; it may have changed"
    )


@pytest.mark.parametrize("where", ["adapters.HTTPAdapter.send", "models.Response.iter_content"])
def test_unexpected_exception_counts_as_possibly_applied_and_stays_hidden(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("secret-canary")

    monkeypatch.setattr(f"requests.{where}", explode)
    with pytest.raises(ApiError, match="; it may have changed$") as raised:
        client.send(RESET)
    assert "canary" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_rate_limited_request_waits_for_the_seconds_in_retry_after(
    client: HttpClient, server: LocalServer, clock: Clock
) -> None:
    server.responses = [Response(429, headers={"Retry-After": "7"})] * 2
    client.send(RESET)
    assert len(server.received) == 3
    assert len(clock.sleeps) == 2
    assert all(7 < sleep < 10 for sleep in clock.sleeps)


def test_retry_after_may_be_a_date(client: HttpClient, server: LocalServer) -> None:
    server.response = Response(
        429, headers={"Retry-After": email.utils.formatdate(4e9, usegmt=True)}
    )
    with pytest.raises(RateLimitedError) as raised:
        client.send(RESET)
    assert raised.value.retry_after_seconds is not None
    assert raised.value.retry_after_seconds > RETRY_BUDGET_SECONDS


@pytest.mark.parametrize("header", [None, "0", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-3"])
def test_retry_after_without_a_use_leaves_the_backoff(
    client: HttpClient, server: LocalServer, clock: Clock, header: str | None
) -> None:
    server.responses = [Response(429, headers={"Retry-After": header} if header else {})] * 2
    client.send(RESET)
    assert len(clock.sleeps) == 2
    assert all(0 < sleep < 3 for sleep in clock.sleeps)


def test_wait_that_exceeds_the_budget_is_not_begun(
    client: HttpClient, server: LocalServer, clock: Clock
) -> None:
    server.response = Response(429, headers={"Retry-After": str(int(RETRY_BUDGET_SECONDS))})
    with pytest.raises(RateLimitedError) as raised:
        client.send(RESET)
    assert raised.value.retry_after_seconds == RETRY_BUDGET_SECONDS
    assert clock.sleeps == []


def test_waits_together_stay_within_the_budget(
    client: HttpClient, server: LocalServer, clock: Clock
) -> None:
    server.response = Response(429, headers={"Retry-After": "20"})
    with pytest.raises(RateLimitedError):
        client.send(RESET)
    assert 60 < sum(clock.sleeps) < RETRY_BUDGET_SECONDS
    assert len(server.received) == len(clock.sleeps) + 1 < MAX_ATTEMPTS


def test_time_in_the_queue_does_not_use_up_the_budget(
    server: LocalServer, new_client: NewClient, clock: Clock
) -> None:
    limit = RateLimit(8, clock=clock, sleep=clock.sleep)
    limit.on_rate_limited(limit.waiter(), RETRY_BUDGET_SECONDS + 10)
    server.responses = [Response(429)] * 2
    assert new_client(server.url, rate_limit=limit).send(RESET) == b"{}"
    assert clock.sleeps[0] == RETRY_BUDGET_SECONDS + 10


def test_rate_limited_request_makes_other_requests_wait(
    client: HttpClient, server: LocalServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.responses = [Response(429, headers={"Retry-After": "30"})]
    begun: list[float] = []
    sleep = clock.sleep

    def sleep_while_another_request_comes(seconds: float) -> None:
        monkeypatch.setattr(client, "_sleep", sleep)
        client.send(READ)
        begun.append(clock())
        sleep(seconds)

    monkeypatch.setattr(client, "_sleep", sleep_while_another_request_comes)
    client.send(RESET)
    assert [each.path for each in server.received] == ["/reset", "/read", "/reset"]
    assert begun[0] >= 30


def test_long_wait_is_reported_to_the_call_that_waits(
    client: HttpClient, server: LocalServer
) -> None:
    reports: list[list[str]] = [[], []]
    server.responses = [Response(429, headers={"Retry-After": "7"})]
    client.send(RESET, reports[0].append)
    client.send(RESET, reports[1].append)
    ((line,), others) = reports
    assert line.startswith(f"cannot reset it: {server.url} rejected it (429); retrying in ")
    assert line.endswith(" s")
    assert others == []


def test_short_wait_is_not_reported(client: HttpClient, server: LocalServer) -> None:
    reports: list[str] = []
    server.responses = [Response(429)]
    client.send(RESET, reports.append)
    assert reports == []


@pytest.mark.parametrize(
    "response",
    [
        Response(body=b"body-canary", missing_bytes=9),
        Response(400, body=b"body-canary"),
        Response(500, body=b"body-canary"),
        Response(closed=True),
    ],
)
def test_no_error_and_no_log_holds_the_key_or_the_body(
    client: HttpClient, server: LocalServer, response: Response, caplog: pytest.LogCaptureFixture
) -> None:
    server.response = response
    with caplog.at_level(logging.DEBUG), pytest.raises(ApiError) as raised:
        client.send(RESET)
    error = raised.value
    assert caplog.records
    assert "canary" not in f"{error} {error!r} {error.__cause__!r} {client!r} {caplog.text}"
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("response", [Response(), Response(400), Response(closed=True)])
def test_each_attempt_leaves_one_line_in_the_debug_log(
    client: HttpClient, server: LocalServer, response: Response, caplog: pytest.LogCaptureFixture
) -> None:
    server.response = response
    with caplog.at_level(logging.DEBUG, "pulumi_upstash_rotation"), suppress(ApiError):
        client.send(RESET)
    (record,) = caplog.records
    assert record.getMessage().startswith("POST /reset: ")
