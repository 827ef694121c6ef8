"""One limit for the requests of a process: never too many, oldest first, all in the end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from pulumi_upstash_rotation.client import UpstashClient
from pulumi_upstash_rotation.settings import Settings
from pulumi_upstash_rotation.throttle import Throttle
from pulumi_upstash_rotation.transport import Transport
from upstash_emulator import Emulator


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def moment() -> Time:
    return Time()


def throttle_of(most: int, moment: Time) -> Throttle:
    return Throttle(most, clock=moment.clock, sleep=moment.sleep)


def test_no_more_than_allowed_are_under_way(moment: Time) -> None:
    throttle = throttle_of(3, moment)
    lock, now, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with throttle.turn(throttle.ticket()):
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


def test_the_oldest_call_comes_first_whenever_it_queues(moment: Time) -> None:
    throttle = throttle_of(1, moment)
    first, second, third = (throttle.ticket() for _ in range(3))
    order: list[int] = []

    def work(number: int) -> None:
        with throttle.turn({1: first, 3: third}[number]):
            order.append(number)

    with throttle.turn(second):
        threads = []
        for number in (3, 1):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            while len(throttle._queue) < len(threads):
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [1, 3]


def test_a_limit_holds_everybody_up_and_halves_what_is_allowed_once(moment: Time) -> None:
    throttle = throttle_of(64, moment)
    burst = [throttle.ticket() for _ in range(5)]
    for ticket in burst:
        with throttle.turn(ticket):
            pass
    moment.now += 1
    for ticket in burst:
        throttle.slow_down(ticket, 7)
    assert throttle._allowed == pytest.approx(32)
    with throttle.turn(throttle.ticket()):
        assert moment.slept == [7]
    for ticket in burst:
        with throttle.turn(ticket):
            pass
    throttle.slow_down(burst[0], 0)
    assert throttle._allowed == pytest.approx(16, rel=0.02)


def test_what_is_allowed_grows_again_but_never_beyond_the_most(moment: Time) -> None:
    throttle = throttle_of(4, moment)
    ticket = throttle.ticket()
    for _ in range(5):
        with throttle.turn(ticket):
            pass
        moment.now += 1
        throttle.slow_down(ticket, 0)
    assert throttle._allowed == pytest.approx(1)
    for _ in range(50):
        with throttle.turn(throttle.ticket()):
            assert 1 <= throttle._allowed <= 4
    assert throttle._allowed == 4


def test_an_error_gives_the_turn_back(moment: Time) -> None:
    throttle = throttle_of(1, moment)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), throttle.turn(throttle.ticket()):
            raise ZeroDivisionError
    assert throttle._under_way == 0


def test_a_fleet_under_a_limited_api_rotates_as_a_whole_and_nobody_twice() -> None:
    with Emulator(databases=128, redis_servers=False, requests_per_second=60) as emulator:
        settings = Settings(emulator.email, emulator.api_key, emulator.url, max_concurrency=32)
        client = UpstashClient(Transport(settings))
        with ThreadPoolExecutor(128) as pool:
            list(pool.map(client.reset_password, [each.id for each in emulator.databases]))
        statuses = Counter(call.status for call in emulator.calls)
        assert {each.resets for each in emulator.databases} == {1}
        assert statuses[200] == 128
        assert statuses[429] > 0
        assert emulator.connections <= 32


def test_connections_are_never_more_than_the_limit() -> None:
    with Emulator(databases=40, redis_servers=False, latency_seconds=0.05) as emulator:
        settings = Settings(emulator.email, emulator.api_key, emulator.url, max_concurrency=8)
        client = UpstashClient(Transport(settings))
        with ThreadPoolExecutor(40) as pool:
            list(pool.map(client.reset_password, [each.id for each in emulator.databases]))
        assert emulator.connections == 8
        assert len(emulator.calls) == 40
