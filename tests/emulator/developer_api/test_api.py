"""Authentication, limits and errors of the Developer API."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ..support import UNKNOWN_ID, Api

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase, Emulator


def test_audit_log_has_each_applied_reset_newest_first(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    api.reset(database)
    api.reset(UNKNOWN_ID)
    database.reset_in_console()
    newest, oldest = api.audit_logs()
    assert (newest["source"], oldest["source"]) == ("console", "API_KEY - emulator")
    assert oldest["actor"] == emulator.email
    assert oldest["entity"] == database.name
    assert oldest["ip"] == "127.0.0.1"
    assert oldest["timestamp"] == pytest.approx(time.time(), abs=30)
    assert oldest["ttl"] > oldest["timestamp"]
    assert newest["log_id"] != oldest["log_id"]
    assert "reset" in oldest["action_string"].lower()


@pytest.mark.parametrize("path", ["/v2/redis/databases", "/auditlogs", "/anything"])
@pytest.mark.parametrize(
    "credentials", [None, ("developer@example.com", "wrong"), ("someone@example.com", "")]
)
def test_request_with_wrong_credentials_is_rejected_with_401(
    api: Api, path: str, credentials: tuple[str, str] | None
) -> None:
    api.session.auth = credentials
    response = api.call("GET", path)
    assert response.status_code == 401
    assert response.json()["code"] == 401


@pytest.mark.parametrize(
    "header", ["Basic %%%", "Basic /w==", "Basic \u00e4", "Bearer abc", "Basic"]
)
def test_request_with_malformed_authorization_is_rejected_with_401(api: Api, header: str) -> None:
    api.session.auth = None
    assert api.call("GET", "/auditlogs", headers={"Authorization": header}).status_code == 401


def test_read_only_api_key_reads(emulator: Emulator, api: Api, database: EmulatedDatabase) -> None:
    api.session.auth = (emulator.email, emulator.read_only_api_key)
    assert api.get(database).status_code == 200


@pytest.mark.parametrize("known", [True, False])
def test_read_only_api_key_on_a_write_is_rejected_for_known_and_unknown_databases(
    emulator: Emulator, api: Api, database: EmulatedDatabase, known: bool
) -> None:
    api.session.auth = (emulator.email, emulator.read_only_api_key)
    response = api.reset(database if known else UNKNOWN_ID)
    assert response.status_code == 403
    assert "Readonly API key" in response.json()["message"]
    assert database.resets == 0


def test_unknown_database_is_rejected_with_404(api: Api) -> None:
    assert api.reset(UNKNOWN_ID).status_code == 404
    assert api.call("GET", f"/v2/redis/database/{UNKNOWN_ID}").json()["code"] == 404


def test_unknown_path_is_rejected_with_404(api: Api) -> None:
    assert api.call("GET", "/v2/vector/index").status_code == 404


def test_wrong_method_is_rejected_with_405(api: Api, database: EmulatedDatabase) -> None:
    response = api.call("GET", f"/v2/redis/reset-password/{database.id}")
    assert response.status_code == 405
    assert database.resets == 0


def test_other_format_than_json_is_rejected_with_406(api: Api) -> None:
    response = api.call("GET", "/v2/redis/databases", headers={"Accept": "application/xml"})
    assert response.status_code == 406


def test_latency_with_parallel_requests_delays_all_at_once(emulator: Emulator, api: Api) -> None:
    emulator.latency_seconds = 0.3
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: api.list().status_code, range(8)))
    assert statuses == [200] * 8
    assert 0.3 <= time.monotonic() - started < 1.2


def test_requests_beyond_the_rate_are_rejected_with_429_for_a_second(
    emulator: Emulator, api: Api
) -> None:
    emulator.requests_per_second = 3
    statuses = [api.list().status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    time.sleep(1.1)
    assert api.list().status_code == 200
    emulator.clear(restore=True)
    assert {api.list().status_code for _ in range(9)} == {200}


def test_rate_is_the_account_s_own(emulator: Emulator, api: Api) -> None:
    emulator.requests_per_second = 1
    other = emulator.add_account()
    statuses = {api.list().status_code for _ in range(9)}
    assert 429 in statuses
    api.session.auth = (other.email, other.api_key)
    assert api.list().status_code == 200
