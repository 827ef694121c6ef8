"""One limit for the requests of an account: never too many, the oldest call first."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.http.rate_limit import RateLimit, Waiter

from ..support.clock import Clock


def limit_of(most: int, clock: Clock) -> RateLimit:
    return RateLimit(most, clock=clock, sleep=clock.sleep)


def limited(limit: RateLimit, seconds: float) -> None:
    """Make one call that gets a 429."""
    with limit.waiter() as waiter, limit.acquire(waiter):
        limit.on_rate_limited(waiter, seconds)


def succeeded(limit: RateLimit) -> None:
    with limit.waiter() as waiter, limit.acquire(waiter):
        pass


def test_requests_in_flight_are_never_more_than_the_limit(clock: Clock) -> None:
    limit = limit_of(3, clock)
    lock, now, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with limit.waiter() as waiter, limit.acquire(waiter):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.005)
            with lock:
                now -= 1

    with ThreadPoolExecutor(32) as pool:
        for job in [pool.submit(work) for _ in range(64)]:
            job.result()
    assert (now, most) == (0, 3)


def test_oldest_waiter_is_admitted_first_whenever_it_queues(clock: Clock) -> None:
    limit = limit_of(1, clock)
    order: list[int] = []

    def work(waiter: Waiter) -> None:
        with limit.acquire(waiter):
            order.append(waiter.number)

    with limit.waiter() as first, limit.waiter() as second, limit.waiter() as third:
        with limit.acquire(second):
            threads = []
            for waiter in (third, first):
                threads.append(threading.Thread(target=work, args=(waiter,)))
                threads[-1].start()
                while len(limit._queue) < len(threads):
                    time.sleep(0.001)
        for thread in threads:
            thread.join()
    assert order == [1, 3]


def test_rate_limited_burst_makes_every_call_wait_and_halves_the_limit_once(clock: Clock) -> None:
    limit = limit_of(64, clock)
    with ExitStack() as stack:
        burst = [stack.enter_context(limit.waiter()) for _ in range(5)]
        for waiter in burst:
            stack.enter_context(limit.acquire(waiter))
        clock.seconds += 1
        for waiter in burst:
            limit.on_rate_limited(waiter, 7)
        assert limit._limit == 32
    assert limit._limit == 32
    succeeded(limit)
    assert clock.sleeps == [7]
    limited(limit, 0)
    assert limit._limit == pytest.approx(16, rel=0.02)


def test_shorter_wait_does_not_end_a_longer_one(clock: Clock) -> None:
    limit = limit_of(4, clock)
    with limit.waiter() as one, limit.waiter() as other:
        with limit.acquire(one), limit.acquire(other):
            limit.on_rate_limited(one, 7)
            limit.on_rate_limited(other, 1)
        with limit.acquire(one):
            assert clock.sleeps == [7]


def test_limit_rises_only_after_an_attempt_without_a_429(clock: Clock) -> None:
    limit = limit_of(4, clock)
    for expected in (2, 1, 1, 1):
        clock.seconds += 1
        limited(limit, 0)
        assert limit._limit == expected
    succeeded(limit)
    assert limit._limit == 2
    for _ in range(50):
        succeeded(limit)
        assert limit._limit <= 4
    assert limit._limit == 4


def test_next_call_is_admitted_only_after_the_slow_down(clock: Clock) -> None:
    """It queues while a request is in flight whose response will be a 429."""
    limit = limit_of(1, clock)
    admitted_at: list[float] = []

    def work() -> None:
        with limit.waiter() as waiter, limit.acquire(waiter):
            admitted_at.append(clock())

    with limit.waiter() as waiter, limit.acquire(waiter):
        thread = threading.Thread(target=work)
        thread.start()
        while not limit._queue:
            time.sleep(0.001)
        limit.on_rate_limited(waiter, 30)
    thread.join()
    assert admitted_at == [30]


def test_call_that_sits_out_a_pause_holds_no_place_in_flight(clock: Clock) -> None:
    limit = limit_of(1, clock)
    limited(limit, 5)
    in_flight: list[int] = []

    def look(_pause: float) -> None:
        in_flight.append(limit._in_flight)

    with limit.waiter() as waiter, limit.acquire(waiter, look):
        pass
    assert in_flight == [0]


def test_waiting_call_is_asked_again_and_again_with_the_rest_of_the_pause(clock: Clock) -> None:
    limit = limit_of(1, clock)
    limited(limit, 50)
    rests: list[float] = []
    with limit.waiter() as waiter, limit.acquire(waiter, rests.append):
        pass
    assert rests == [50, 30, 10]


def test_first_429_of_the_account_counts_for_each_call_that_waits_then(clock: Clock) -> None:
    limit = limit_of(2, clock)
    with limit.waiter() as early:
        clock.seconds = 5
        limited(limit, 10)
        clock.seconds = 8
        with limit.waiter() as late:
            limited(limit, 10)
            assert (early.limited_at, late.limited_at) == (5, 8)
    clock.seconds = 100
    with limit.waiter() as later:
        assert later.limited_at is None


@pytest.mark.parametrize("paused", [False, True])
def test_call_that_leaves_the_queue_leaves_nothing_behind(clock: Clock, paused: bool) -> None:
    limit = limit_of(1, clock)

    def leave(_pause: float) -> None:
        raise ZeroDivisionError

    with limit.waiter() as holder, limit.acquire(holder):
        if paused:
            limit.on_rate_limited(holder, 5)
        with (
            limit.waiter() as waiter,
            pytest.raises(ZeroDivisionError),
            limit.acquire(waiter, leave),
        ):
            pytest.fail("it was admitted")
    assert (limit._in_flight, limit._queue, limit._calls) == (0, [], {})
    succeeded(limit)


def test_sleep_or_clock_that_fails_leaks_no_place(clock: Clock) -> None:
    limit = limit_of(1, clock)

    def fail(_seconds: float) -> None:
        raise MemoryError

    limited(limit, 5)
    limit._sleep = fail
    with limit.waiter() as waiter, pytest.raises(MemoryError), limit.acquire(waiter):
        pytest.fail("it was admitted")
    limit._sleep = clock.sleep
    assert limit._in_flight == 0
    succeeded(limit)


def test_failed_request_leaves_the_limit(clock: Clock) -> None:
    limit = limit_of(1, clock)
    for _ in range(3):
        with limit.waiter() as waiter, pytest.raises(ZeroDivisionError), limit.acquire(waiter):
            raise ZeroDivisionError
    assert limit._in_flight == 0


@given(st.integers(1, 8), st.lists(st.sampled_from(["success", "rate limited"]), max_size=40))
def test_limit_stays_between_one_and_the_most(most: int, outcomes: list[str]) -> None:
    clock = Clock()
    limit = limit_of(most, clock)
    for outcome in outcomes:
        clock.seconds += 1
        if outcome == "success":
            succeeded(limit)
        else:
            limited(limit, 1)
        assert 1 <= limit._limit <= most
    assert limit._in_flight == 0
