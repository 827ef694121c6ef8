"""Which request meets which planned fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator, EmulatorError, Fault

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase

    from ..support import Api


@pytest.mark.parametrize("times", [1, 3])
def test_fault_for_n_requests_hits_n(emulator: Emulator, api: Api, times: int) -> None:
    emulator.fault(Fault.status(503), times=times)
    statuses = [api.list().status_code for _ in range(times + 1)]
    assert statuses == [503] * times + [200]


def test_fault_without_limit_ends_with_clear(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(503), times=None)
    assert {api.list().status_code for _ in range(4)} == {503}
    emulator.clear()
    assert api.list().status_code == 200


def test_fault_for_an_operation_and_a_database_hits_no_other_request(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    other = emulator.databases[1]
    emulator.fault(Fault.status(503), operation="get", database_id=other.id, times=None)
    assert api.reset(other).status_code == 200
    assert api.get(database).status_code == 200
    assert api.list().status_code == 200
    assert api.get(other).status_code == 503


def test_several_faults_hit_in_the_order_of_their_planning(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault.status(429))
    emulator.fault(Fault.status(500), operation="list")
    assert [api.list().status_code for _ in range(3)] == [429, 500, 200]


def test_fault_before_the_operation_comes_before_authentication(
    emulator: Emulator, api: Api
) -> None:
    emulator.fault(Fault.status(503))
    api.session.auth = None
    assert api.list().status_code == 503
    assert api.list().status_code == 401


def test_request_that_is_rejected_uses_up_a_fault_after_the_operation(
    emulator: Emulator, api: Api
) -> None:
    emulator.fault(Fault.garbage())
    assert api.reset("unknown").status_code == 404
    assert len(api.list().json()) == 2


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"operation": "delete"}, "reset, get, list, auditlogs, acl cat, .*, any"),
        ({"times": 0}, "at least 1"),
        ({"database_id": "unknown"}, "no database unknown"),
    ],
)
def test_fault_that_could_never_hit_is_rejected(
    emulator: Emulator, plan: dict[str, object], message: str
) -> None:
    with pytest.raises(EmulatorError, match=message):
        emulator.fault(Fault.closed(), **plan)
    with pytest.raises(EmulatorError, match="no database unknown"):
        emulator.fault(Fault.other_database("unknown"))
