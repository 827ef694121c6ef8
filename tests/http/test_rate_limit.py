"""One limit for the requests of an account: never too many, the oldest call first."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.http.rate_limit import RateLimit

from ..support.clock import Clock


def limit_of(most: int, clock: Clock) -> RateLimit:
    return RateLimit(most, clock=clock, sleep=clock.sleep)


def test_requests_in_flight_are_never_more_than_the_limit(clock: Clock) -> None:
    limit = limit_of(3, clock)
    lock, now, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with limit.acquire(limit.waiter()):
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
    first, second, third = (limit.waiter() for _ in range(3))
    order: list[int] = []

    def work(number: int) -> None:
        with limit.acquire({1: first, 3: third}[number]):
            order.append(number)

    with limit.acquire(second):
        threads = []
        for number in (3, 1):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            while len(limit._queue) < len(threads):
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [1, 3]


def test_rate_limited_burst_makes_every_waiter_wait_and_halves_the_limit_once(
    clock: Clock,
) -> None:
    limit = limit_of(64, clock)
    burst = [limit.waiter() for _ in range(5)]
    for waiter in burst:
        with limit.acquire(waiter):
            pass
    clock.seconds += 1
    for waiter in burst:
        limit.on_rate_limited(waiter, 7)
    assert limit._limit == pytest.approx(32)
    with limit.acquire(limit.waiter()):
        assert clock.sleeps == [7]
    for waiter in burst:
        with limit.acquire(waiter):
            pass
    limit.on_rate_limited(burst[0], 0)
    assert limit._limit == pytest.approx(16, rel=0.02)


def test_shorter_wait_does_not_end_a_longer_one(clock: Clock) -> None:
    limit = limit_of(4, clock)
    waiter = limit.waiter()
    limit.on_rate_limited(waiter, 7)
    limit.on_rate_limited(waiter, 1)
    with limit.acquire(waiter):
        assert clock.sleeps == [7]


def test_halved_limit_grows_again_and_never_beyond_the_most(clock: Clock) -> None:
    limit = limit_of(4, clock)
    waiter = limit.waiter()
    for _ in range(5):
        with limit.acquire(waiter):
            pass
        clock.seconds += 1
        limit.on_rate_limited(waiter, 0)
    assert limit._limit == pytest.approx(1)
    for _ in range(50):
        with limit.acquire(limit.waiter()):
            assert 1 <= limit._limit <= 4
    assert limit._limit == 4


def test_failed_request_leaves_the_limit(clock: Clock) -> None:
    limit = limit_of(1, clock)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limit.acquire(limit.waiter()):
            raise ZeroDivisionError
    assert limit._in_flight == 0


def test_waiter_keeps_the_time_of_its_first_attempt(clock: Clock) -> None:
    limit = limit_of(1, clock)
    clock.seconds = 5
    waiter = limit.waiter()
    assert waiter.began_at is None
    for moment in (10, 20):
        clock.seconds = moment
        with limit.acquire(waiter):
            pass
    assert (waiter.began_at, waiter.sent_at) == (10, 20)


@given(st.integers(1, 8), st.lists(st.sampled_from(["success", "rate limited"]), max_size=40))
def test_limit_stays_between_one_and_the_most(most: int, outcomes: list[str]) -> None:
    clock = Clock()
    limit = limit_of(most, clock)
    for outcome in outcomes:
        waiter = limit.waiter()
        with limit.acquire(waiter):
            assert limit._in_flight == 1
        clock.seconds += 1
        if outcome == "rate limited":
            limit.on_rate_limited(waiter, 1)
        assert 1 <= limit._limit <= most
    assert limit._in_flight == 0
