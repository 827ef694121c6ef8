"""Waits that end when the user cancels, and what a cancelled run still does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_upstash_rotation.errors import (
    CancelledError,
    IndeterminateOutcomeError,
    RequestNotSentError,
)
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.http.client import Request
from pulumi_upstash_rotation.http.rate_limit import RateLimit
from pulumi_upstash_rotation.http.retries import Effect

from ..support.servers import LocalServer, Response

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 3600.0
READ = Request("GET", "/read", Effect.READ, "read it")
SET = Request("POST", "/set", Effect.IDEMPOTENT, "set it", "it is as before", "it may be set")
RESET = Request(
    "POST", "/reset", Effect.NON_IDEMPOTENT, "reset it", "it is as before", "it may be reset"
)


def is_cancelled() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def test_wait_lasts_if_nobody_cancels() -> None:
    cancellation.sleep(0.001)
    with cancellation.ends_waits(threading.Event()):
        cancellation.sleep(0.001)
        cancellation.check()


@pytest.mark.parametrize("seconds", [LONG, 0, -1])
def test_wait_of_a_cancelled_run_ends_at_once(seconds: float) -> None:
    with (
        cancellation.ends_waits(is_cancelled()),
        pytest.raises(CancelledError, match="^the run was cancelled$"),
    ):
        cancellation.sleep(seconds)


def test_context_ends_with_the_call() -> None:
    with cancellation.ends_waits(is_cancelled()):
        with cancellation.ends_waits(threading.Event()):
            cancellation.check()
        with pytest.raises(CancelledError):
            cancellation.check()
    cancellation.check()


def test_context_ends_with_a_call_that_fails() -> None:
    with pytest.raises(KeyError), cancellation.ends_waits(is_cancelled()):
        raise KeyError
    cancellation.check()


def test_waits_of_other_calls_last() -> None:
    one, other = threading.Event(), threading.Event()
    waits = threading.Barrier(3)

    def wait(cancelled: threading.Event, seconds: float) -> str:
        with cancellation.ends_waits(cancelled):
            waits.wait(60)
            cancellation.sleep(seconds)
            return "over"

    with ThreadPoolExecutor(2) as pool:
        long, short = pool.submit(wait, one, LONG), pool.submit(wait, other, 0.01)
        waits.wait(60)
        one.set()
        with pytest.raises(CancelledError):
            long.result(60)
        assert short.result(60) == "over"


def test_wait_for_a_rate_limit_ends(
    server: LocalServer, new_client: Callable[..., Any], clock: Any
) -> None:
    server.response = Response(429, headers={"Retry-After": "60"})
    limit = RateLimit(1, clock=clock, sleep=cancellation.sleep)
    client = new_client(server.url, rate_limit=limit)
    cancelled = threading.Event()

    def send() -> None:
        with cancellation.ends_waits(cancelled):
            client.send(RESET, lambda _: cancelled.set())

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(send)
        while not server.received:
            cancellation.sleep(0.01)
        cancelled.set()
        with pytest.raises(RequestNotSentError) as raised:
            call.result(60)
    assert str(raised.value) == "cannot reset it: the run was cancelled; it is as before"
    assert len(server.received) == 1


def test_cancelled_run_starts_no_reset(server: LocalServer, new_client: Any) -> None:
    with (
        cancellation.ends_waits(is_cancelled()),
        pytest.raises(RequestNotSentError, match="it is as before"),
    ):
        new_client(server.url).send(RESET)
    assert server.received == []


@pytest.mark.parametrize("request_", [READ, SET], ids=["read", "set"])
def test_other_requests_of_a_cancelled_run_need_no_wait(
    request_: Request, server: LocalServer, new_client: Any
) -> None:
    server.response = Response(body=b"the password")
    limit = RateLimit(1, clock=lambda: 0.0, sleep=cancellation.sleep)
    client = new_client(server.url, rate_limit=limit)
    client.send(request_)
    with cancellation.ends_waits(is_cancelled()):
        assert client.send(request_) == b"the password"


@pytest.mark.parametrize(
    ("request_", "error"), [(READ, RequestNotSentError), (SET, IndeterminateOutcomeError)]
)
def test_cancelled_run_does_not_wait_for_a_retry(
    request_: Request, error: type[Exception], server: LocalServer, new_client: Any
) -> None:
    server.response = Response(503)
    client = new_client(server.url)
    client._sleep = cancellation.sleep
    with cancellation.ends_waits(is_cancelled()), pytest.raises(error):
        client.send(request_)
    assert len(server.received) == 1
