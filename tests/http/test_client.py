"""A client of any HTTP API: requests, responses, errors, how long it retries, and its reports."""

from __future__ import annotations

import base64
import email.utils
import gzip
import http.client
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_upstash_rotation import __version__
from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    IndeterminateOutcomeError,
    RateLimitedError,
    RequestNotSentError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http.authentication import basic
from pulumi_upstash_rotation.http.client import (
    MAX_ATTEMPTS,
    MAX_RESPONSE_BYTES,
    RETRY_BUDGET_SECONDS,
    HttpClient,
    Request,
)
from pulumi_upstash_rotation.http.rate_limit import DEFAULT_WAIT_SECONDS, RateLimit
from pulumi_upstash_rotation.http.retries import REJECTIONS, Effect

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


GZIP = {"Content-Encoding": "gzip"}
STATUSES_AFTER_WHICH_A_RESET_MAY_BE_APPLIED = [
    *(101, 300, 301, 302, 303, 304, 307, 308, 399),
    *(402, 408, 409, 410, 412, 416, 418, 423, 424, 425, 444, 460, 499),
    *(600, 700, 999),
]


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


def test_debug_level_of_all_connections_prints_nothing_of_ours(
    client: HttpClient,
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    client.send(READ)
    assert "Authorization" in server.received[-1].headers
    assert capsys.readouterr().out == ""


def test_malformed_header_is_not_logged(
    client: HttpClient,
    server: LocalServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may hold a credential, and the user's program may show all logs."""
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.READ_TIMEOUT_SECONDS", 0.2)
    server.response = Response(headers={"X": "y\r\n no header: canary\r\ncanary"})
    with caplog.at_level("DEBUG"), suppress(UnreadableResponseError):
        client.send(READ)
    assert "GET /read: 200" in caplog.text
    assert "canary" not in caplog.text


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
        Response(body=gzip.compress(bytes(MAX_RESPONSE_BYTES + 1)), headers=GZIP),
    ],
    ids=["cut off", "too large", "too large when decoded"],
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


def test_large_body_is_returned(client: HttpClient, server: LocalServer) -> None:
    server.response = Response(body=b"x" * (MAX_RESPONSE_BYTES - 1024))  # with headers
    assert client.send(RESET) == server.response.body


@pytest.mark.parametrize(
    ("body", "headers", "received"),
    [
        (b"the password", {}, b"the password"),
        (gzip.compress(b"the password", mtime=0)[:-8], GZIP, b"the password"),
        (b"the password", GZIP, b"the password"),
    ],
)
def test_error_of_a_success_that_broke_off_keeps_what_came(
    client: HttpClient, server: LocalServer, body: bytes, headers: Any, received: bytes
) -> None:
    server.response = Response(body=body, headers=headers, missing_bytes=9)
    with pytest.raises(UnreadableResponseError) as raised:
        client.send(RESET)
    assert raised.value.received == received


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, br", "nonsense"])
def test_false_content_encoding_hides_no_body(
    client: HttpClient, server: LocalServer, encoding: str
) -> None:
    server.response = Response(body=b"plain", headers={"Content-Encoding": encoding})
    assert client.send(RESET) == b"plain"
    assert server.received[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", STATUSES_AFTER_WHICH_A_RESET_MAY_BE_APPLIED)
def test_status_that_is_no_certain_rejection_leaves_the_outcome_of_a_reset_open(
    client: HttpClient, server: LocalServer, status: int
) -> None:
    server.response = Response(status, headers={"Location": "/elsewhere"})
    with pytest.raises(IndeterminateOutcomeError) as raised:
        client.send(RESET)
    what = f"responded with an unexpected status ({status})"
    assert str(raised.value) == f"cannot reset it: {server.url} {what}; it may have changed"
    assert len(server.received) == 1


@pytest.mark.parametrize("status", STATUSES_AFTER_WHICH_A_RESET_MAY_BE_APPLIED)
def test_same_status_is_a_rejection_of_a_read(
    client: HttpClient, server: LocalServer, status: int
) -> None:
    server.response = Response(status)
    with pytest.raises(ResponseStatusError, match=rf"\({status}\); nothing has changed$"):
        client.send(READ)


@pytest.mark.parametrize("status", REJECTIONS)
def test_status_of_a_rejection_leaves_a_reset_undone(
    client: HttpClient, server: LocalServer, status: int
) -> None:
    server.response = Response(status)
    with pytest.raises(ResponseStatusError, match=rf"\({status}\); it has not changed$"):
        client.send(RESET)


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


@pytest.mark.parametrize(
    "where",
    ["requests.adapters.HTTPAdapter.send", "pulumi_upstash_rotation.http.client.read_body"],
)
def test_unexpected_exception_counts_as_possibly_applied_and_stays_hidden(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("secret-canary")

    monkeypatch.setattr(where, explode)
    with pytest.raises(ApiError, match="; it may have changed$") as raised:
        client.send(RESET)
    assert "canary" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


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
    assert raised.value.retry_after_seconds == DEFAULT_WAIT_SECONDS


@pytest.mark.parametrize(
    "header",
    [
        *(
            None,
            "",
            "0",
            "soon",
            "-3",
            "1.5",
            "nan",
            "inf",
            "1e9",
            "\xb3",
            "+7",
            "0x7",
            "7 s",
            "7, 8",
        ),
        *("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 99999 99:99:99 GMT", ", , ,", "A" * 60_000),
        *("Fri, 31 Dec 0000 00:00:00 GMT", "31 Dec 9999999999 00:00 +9999", "Mon, 1 Jan"),
    ],
)
def test_retry_after_without_a_use_leaves_the_backoff(
    client: HttpClient, server: LocalServer, clock: Clock, header: str | None
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    server.responses = [Response(429, headers=headers)] * 2
    client.send(RESET)
    assert len(clock.sleeps) == 2
    assert all(0 < sleep < 3 for sleep in clock.sleeps)


@pytest.mark.parametrize("effect", [READ, RESET])
@pytest.mark.parametrize(
    "header", ["9" * 5000, "601", "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 1 Jan 3000 00:00:00 +0000"]
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_beyond_the_budget_is_capped_and_not_waited_for(
    client: HttpClient,
    server: LocalServer,
    clock: Clock,
    status: int,
    header: str,
    effect: Request,
) -> None:
    server.response = Response(status, headers={"Retry-After": header})
    with pytest.raises(ResponseStatusError) as raised:
        client.send(effect)
    assert raised.value.retry_after_seconds == DEFAULT_WAIT_SECONDS
    assert clock.sleeps == []


def test_wait_for_the_rate_limit_can_be_shorter(
    server: LocalServer, new_client: NewClient, clock: Clock
) -> None:
    server.response = Response(429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimitedError):
        new_client(server.url, rate_limit_wait=30).send(RESET)
    assert 20 < clock.seconds < 30
    with pytest.raises(RateLimitedError):
        new_client(server.url, rate_limit_wait=0).send(RESET)


def test_rate_limited_call_is_retried_until_its_budget_ends(
    client: HttpClient, server: LocalServer, clock: Clock
) -> None:
    server.response = Response(429, headers={"Retry-After": "20"})
    with pytest.raises(RateLimitedError) as raised:
        client.send(RESET)
    assert (
        str(raised.value) == f"cannot reset it: {server.url} rejected it (429); it has not changed"
    )
    assert DEFAULT_WAIT_SECONDS - 25 < clock.seconds < DEFAULT_WAIT_SECONDS
    assert len(server.received) > MAX_ATTEMPTS


def test_429s_use_up_neither_the_attempts_nor_the_time_of_other_failures(
    client: HttpClient, server: LocalServer, clock: Clock
) -> None:
    limited, failed = Response(429, headers={"Retry-After": "20"}), Response(503)
    server.responses = [limited] * 12 + [failed] * 3 + [limited] * 5 + [failed] * (MAX_ATTEMPTS - 4)
    assert client.send(READ) == b"{}"
    assert clock.seconds > RETRY_BUDGET_SECONDS


def test_time_in_the_queue_counts_for_the_wait_for_the_rate_limit(
    server: LocalServer, new_client: NewClient, clock: Clock
) -> None:
    """Each of 64 calls used to begin its own budget when it was admitted."""
    limit = RateLimit(2, clock=clock, sleep=clock.sleep)
    client = new_client(server.url, rate_limit=limit)
    server.response = Response(429, headers={"Retry-After": "50"})
    with ThreadPoolExecutor(64) as pool:
        jobs = [pool.submit(client.send, RESET) for _ in range(64)]
    errors = [job.exception() for job in jobs]
    assert {type(error) for error in errors} <= {RateLimitedError, RequestNotSentError}
    assert all(str(error).endswith("; it has not changed") for error in errors)
    # The threads share a clock that each sleep moves forward.
    assert clock.seconds < DEFAULT_WAIT_SECONDS + 64 * 20


def test_fleet_behind_a_burst_of_429s_succeeds_and_applies_each_call_once(
    server: LocalServer,
) -> None:
    limit = RateLimit(64, clock=time.monotonic, sleep=time.sleep)
    client = HttpClient(
        server.url,
        basic("user", "key"),
        pool_size=32,
        rate_limit=limit,
        rejection=lambda status, _: (RateLimitedError, f"is rate limiting requests ({status})"),
        clock=time.monotonic,
        sleep=time.sleep,
    )
    server.responses = [Response(429, headers={"Retry-After": "1"})] * 60
    calls = [replace(RESET, path=f"/reset/{number}") for number in range(48)]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(client.send, calls)) == [b"{}"] * 48
    assert len(server.received) == 48 + 60
    assert limit._in_flight == 0


@pytest.mark.parametrize("retry_after", [{}, {"Retry-After": "1"}, {"Retry-After": "45"}])
def test_long_wait_for_the_rate_limit_is_never_silent_for_more_than_30_seconds(
    client: HttpClient, server: LocalServer, clock: Clock, retry_after: dict[str, str]
) -> None:
    reported_at = [0.0]
    server.response = Response(429, headers=retry_after)
    with pytest.raises(RateLimitedError):
        client.send(RESET, lambda _: reported_at.append(clock()))
    gaps = [later - earlier for earlier, later in pairwise([*reported_at, clock()])]
    assert max(gaps) <= 30
    assert len(reported_at) < 60


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
