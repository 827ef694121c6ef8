"""The Developer API as its documentation describes it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Emulator, EmulatorError

from .clients import Api

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase

CREDENTIALS = {"password", "rest_token", "read_only_rest_token"}
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"

# The documentation's example, with the type of every field.
DOCUMENTED = {
    "database_id": str,
    "database_name": str,
    "region": str,
    "port": int,
    "creation_time": int,
    "state": str,
    "endpoint": str,
    "tls": bool,
    "db_max_clients": int,
    "db_max_request_size": int,
    "db_disk_threshold": int,
    "db_max_entry_size": int,
    "db_memory_threshold": int,
    "db_max_commands_per_second": int,
    "db_request_limit": int,
    "type": str,
    "budget": int,
    "primary_region": str,
    "primary_members": list,
    "all_members": list,
    "eviction": bool,
    "auto_upgrade": bool,
    "consistent": bool,
    "modifying_state": str,
    "db_resource_size": str,
    "db_type": str,
    "db_conn_idle_timeout": int,
    "db_lua_timeout": int,
    "db_lua_credits_per_min": int,
    "db_store_max_idle": int,
    "db_max_loads_per_sec": int,
    "db_acl_enabled": str,
    "db_acl_default_user_status": str,
    "db_eviction": bool,
    "last_plan_upgrade_time": int,
    "replicas": int,
    "customer_id": str,
    "daily_backup_enabled": bool,
    "read_regions": list,
    "securityAddons": dict,
    "prometheus_enabled": str,
    "prod_pack_enabled": bool,
}


def test_reset_answers_every_documented_field_in_its_type_and_no_credentials(
    api: Api, database: EmulatedDatabase
) -> None:
    answer = api.reset(database)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert {name: type(value) for name, value in body.items()} == DOCUMENTED
    assert body["database_id"] == database.id
    assert body["port"] == database.port
    assert body["endpoint"] == database.endpoint
    assert body["db_request_limit"] == 8024278031528736858
    assert set(body["securityAddons"].values()) == {False}
    for secret in (database.password, database.rest_token, database.read_only_rest_token):
        assert secret not in answer.text


def test_reset_in_the_old_shape_answers_the_new_credentials(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.answer = "with_credentials"
    old = database.password
    body = api.reset(database).json()
    assert set(body) == set(DOCUMENTED) | CREDENTIALS | {"user_email", "database_type"}
    assert body["password"] == database.password != old
    assert body["rest_token"] == database.rest_token
    assert body["read_only_rest_token"] == database.read_only_rest_token
    assert body["user_email"] == emulator.email


def test_reset_changes_all_three_credentials(api: Api, database: EmulatedDatabase) -> None:
    before = (database.password, database.rest_token, database.read_only_rest_token)
    api.reset(database)
    after = (database.password, database.rest_token, database.read_only_rest_token)
    assert len({*before, *after}) == 6
    assert database.resets == 1


def test_get_shows_the_current_credentials(api: Api, database: EmulatedDatabase) -> None:
    body = api.get(database).json()
    assert set(body) == set(DOCUMENTED) | CREDENTIALS
    assert body["password"] == database.password


def test_get_hides_the_credentials_when_asked_to(api: Api, database: EmulatedDatabase) -> None:
    assert set(api.get(database, "?credentials=hide").json()) == set(DOCUMENTED)


def test_get_hides_the_credentials_of_an_account_that_is_never_shown_them(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.show_credentials_on_get = False
    assert set(api.get(database).json()) == set(DOCUMENTED)


def test_credential_protection_shows_credentials_only_in_the_answer_to_the_reset(
    api: Api, database: EmulatedDatabase
) -> None:
    database.credential_protection = True
    assert not CREDENTIALS & set(api.get(database).json())
    body = api.reset(database).json()
    assert body["password"] == database.password
    assert body["read_only_rest_token"] == database.read_only_rest_token
    assert not CREDENTIALS & set(api.get(database).json())


def test_list_describes_every_database_in_order_without_credentials(
    emulator: Emulator, api: Api
) -> None:
    body = api.list().json()
    assert [each["database_id"] for each in body] == [each.id for each in emulator.databases]
    assert all(set(each) == set(DOCUMENTED) for each in body)


def test_suspended_database_is_described_as_such_and_not_reset(
    api: Api, database: EmulatedDatabase
) -> None:
    database.suspend()
    assert api.get(database).json()["state"] == "suspended"
    answer = api.reset(database)
    assert answer.status_code == 400
    assert answer.json()["code"] == 400
    assert "suspended" in answer.json()["message"]
    assert database.resets == 0
    database.resume()
    assert api.reset(database).status_code == 200


def test_audit_log_names_each_applied_reset_newest_first(
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
def test_wrong_credentials_are_answered_401(
    api: Api, path: str, credentials: tuple[str, str] | None
) -> None:
    api.session.auth = credentials
    answer = api.call("GET", path)
    assert answer.status_code == 401
    assert answer.json()["code"] == 401


@pytest.mark.parametrize(
    "header", ["Basic %%%", "Basic /w==", "Basic \u00e4", "Bearer abc", "Basic"]
)
def test_malformed_authorization_is_answered_401(api: Api, header: str) -> None:
    api.session.auth = None
    assert api.call("GET", "/auditlogs", headers={"Authorization": header}).status_code == 401


def test_read_only_api_key_reads(emulator: Emulator, api: Api, database: EmulatedDatabase) -> None:
    api.session.auth = (emulator.email, emulator.read_only_api_key)
    assert api.get(database).status_code == 200


@pytest.mark.parametrize("known", [True, False])
def test_read_only_api_key_is_refused_on_writes_whether_the_database_exists_or_not(
    emulator: Emulator, api: Api, database: EmulatedDatabase, known: bool
) -> None:
    api.session.auth = (emulator.email, emulator.read_only_api_key)
    answer = api.reset(database if known else UNKNOWN_ID)
    assert answer.status_code == 403
    assert "Readonly API key" in answer.json()["message"]
    assert database.resets == 0


def test_unknown_database_is_answered_404(api: Api) -> None:
    assert api.reset(UNKNOWN_ID).status_code == 404
    assert api.call("GET", f"/v2/redis/database/{UNKNOWN_ID}").json()["code"] == 404


def test_unknown_path_is_answered_404(api: Api) -> None:
    assert api.call("GET", "/v2/vector/index").status_code == 404


def test_wrong_method_is_answered_405(api: Api, database: EmulatedDatabase) -> None:
    answer = api.call("GET", f"/v2/redis/reset-password/{database.id}")
    assert answer.status_code == 405
    assert database.resets == 0


def test_another_format_than_json_is_answered_406(api: Api) -> None:
    answer = api.call("GET", "/v2/redis/databases", headers={"Accept": "application/xml"})
    assert answer.status_code == 406


def test_deleted_database_is_unknown(emulator: Emulator, api: Api) -> None:
    extra = emulator.add_database("short-lived")
    assert api.get(extra).json()["database_name"] == "short-lived"
    extra.delete()
    assert api.get(extra).status_code == 404
    assert extra not in emulator.databases


def test_latency_delays_every_answer_but_not_one_after_the_other(
    emulator: Emulator, api: Api
) -> None:
    emulator.latency_seconds = 0.3
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: api.list().status_code, range(8)))
    assert statuses == [200] * 8
    assert 0.3 <= time.monotonic() - started < 1.2


def test_a_rate_is_limited_when_told_to(emulator: Emulator, api: Api) -> None:
    emulator.requests_per_second = 3
    statuses = [api.list().status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    time.sleep(1.1)
    assert api.list().status_code == 200
    emulator.clear(restore=True)
    assert {api.list().status_code for _ in range(9)} == {200}


def test_256_resets_at_once_are_all_applied() -> None:
    with Emulator(databases=64, redis_servers=False, latency_seconds=0.1) as fleet:
        api = Api(fleet)
        with api.session, ThreadPoolExecutor(256) as pool:
            answers = list(pool.map(api.reset, fleet.databases * 4))
        assert {answer.status_code for answer in answers} == {200}
        assert [each.resets for each in fleet.databases] == [4] * 64
        assert fleet.resets == 256


def test_an_unknown_answer_shape_is_refused() -> None:
    with pytest.raises(EmulatorError, match="documented, with_credentials"):
        Emulator(answer="new")
