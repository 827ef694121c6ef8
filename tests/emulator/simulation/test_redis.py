"""The rules of a reset, and how it propagates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator, EmulatorError, Fault

from ..support import Api, opens, rest, wait_until

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase


def test_reset_changes_all_three_credentials(api: Api, database: EmulatedDatabase) -> None:
    before = (database.password, database.rest_token, database.read_only_rest_token)
    api.reset(database)
    after = (database.password, database.rest_token, database.read_only_rest_token)
    assert len({*before, *after}) == 6
    assert database.resets == 1


def test_256_resets_at_once_are_all_applied() -> None:
    with Emulator(databases=64, redis_servers=False, latency_seconds=0.1) as fleet:
        with Api(fleet) as api, ThreadPoolExecutor(256) as pool:
            responses = list(pool.map(api.reset, fleet.databases * 4))
        assert {response.status_code for response in responses} == {200}
        assert [each.resets for each in fleet.databases] == [4] * 64
        assert fleet.resets == 256


def test_reset_in_the_console_of_a_suspended_database_is_rejected(
    database: EmulatedDatabase,
) -> None:
    database.suspend()
    with pytest.raises(EmulatorError, match="suspended"):
        database.reset_in_console()


def test_slow_propagation_while_it_lasts_keeps_the_previous_credentials(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    old, old_token = database.password, database.rest_token
    emulator.fault(Fault.slow_propagation(60))
    assert api.get(database).status_code == 200
    assert api.reset(database).status_code == 200
    assert api.get(database).json()["password"] == database.password != old
    assert opens(emulator, database, old)
    assert not opens(emulator, database, database.password)
    assert rest(api, emulator, database, "GET", "/ping", token=old_token).ok
    assert rest(api, emulator, database, "GET", "/ping").status_code == 401


def test_slow_propagation_at_its_end_leaves_the_new_credentials_alone(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    old, old_token = database.password, database.rest_token
    emulator.fault(Fault.slow_propagation(0.2))
    api.reset(database)
    assert wait_until(lambda: rest(api, emulator, database, "GET", "/ping").ok)
    assert opens(emulator, database, database.password)
    assert not opens(emulator, database, old)
    assert rest(api, emulator, database, "GET", "/ping", token=old_token).status_code == 401


def test_reset_during_a_slow_propagation_overtakes_it(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    emulator.fault(Fault.slow_propagation(30))
    api.reset(database)
    overtaken = database.password
    api.reset(database)
    assert not opens(emulator, database, overtaken)
    assert opens(emulator, database, database.password)


def passwords(api: Api, database: EmulatedDatabase, number: int) -> list[str]:
    return [api.get(database).json()["password"] for _ in range(number)]


def test_stale_reads_return_the_previous_credentials_only_to_the_developer_api(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    old = database.password
    emulator.fault(Fault.stale_read(reads=2))
    assert passwords(api, database, 2) == [old, old]
    assert api.reset(database).status_code == 200
    assert database.password != old
    assert opens(emulator, database, database.password)
    assert not opens(emulator, database, old)
    assert passwords(api, database, 3) == [old, old, database.password]


def test_stale_reads_by_time_end_after_it(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    old = database.password
    emulator.fault(Fault.stale_read(seconds=60))
    api.reset(database)
    assert passwords(api, database, 3) == [old] * 3
    emulator.clear(restore=True)
    assert passwords(api, database, 1) == [database.password]
    emulator.fault(Fault.stale_read(seconds=0.1))
    api.reset(database)
    assert wait_until(lambda: passwords(api, database, 1) == [database.password])


def test_stale_reads_after_two_resets_return_one_after_the_other(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    first = database.password
    emulator.fault(Fault.stale_read(reads=2), operation="reset", times=2)
    api.reset(database)
    second = database.password
    assert passwords(api, database, 1) == [first]
    api.reset(database)
    assert passwords(api, database, 3) == [first, second, database.password]


def test_stale_reads_end_with_a_reset_that_is_seen_at_once(
    emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    emulator.fault(Fault.stale_read(reads=9))
    api.reset(database)
    api.reset(database)
    assert passwords(api, database, 1) == [database.password]


def test_stale_reads_follow_a_reset_in_the_console_too(
    database: EmulatedDatabase, api: Api
) -> None:
    old = database.password
    database.reset_in_console(Fault.stale_read(reads=1))
    assert passwords(api, database, 2) == [old, database.password]
