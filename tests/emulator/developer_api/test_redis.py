"""Reset, get and list, as the API's documentation describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase, Emulator

    from ..support import Api

CREDENTIALS = {"password", "rest_token", "read_only_rest_token"}


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


def test_reset_as_documented_returns_every_field_in_its_type_and_no_credentials(
    api: Api, database: EmulatedDatabase
) -> None:
    response = api.reset(database)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert {name: type(value) for name, value in body.items()} == DOCUMENTED
    assert body["database_id"] == database.id
    assert body["port"] == database.port
    assert body["endpoint"] == database.endpoint
    assert body["db_request_limit"] == 8024278031528736858
    assert set(body["securityAddons"].values()) == {False}
    for secret in (database.password, database.rest_token, database.read_only_rest_token):
        assert secret not in response.text


def test_reset_with_credentials_returns_the_new_ones(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.reset_response = "with_credentials"
    old = database.password
    body = api.reset(database).json()
    assert set(body) == set(DOCUMENTED) | CREDENTIALS | {"user_email", "database_type"}
    assert body["password"] == database.password != old
    assert body["rest_token"] == database.rest_token
    assert body["read_only_rest_token"] == database.read_only_rest_token
    assert body["user_email"] == emulator.email


def test_get_shows_the_current_credentials(api: Api, database: EmulatedDatabase) -> None:
    body = api.get(database).json()
    assert set(body) == set(DOCUMENTED) | CREDENTIALS
    assert body["password"] == database.password


def test_get_with_credentials_hide_shows_none(api: Api, database: EmulatedDatabase) -> None:
    assert set(api.get(database, "?credentials=hide").json()) == set(DOCUMENTED)


def test_get_for_an_account_without_credentials_shows_none(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    emulator.show_credentials_on_get = False
    assert set(api.get(database).json()) == set(DOCUMENTED)


def test_credential_protection_shows_credentials_in_the_response_to_the_reset_only(
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
    response = api.reset(database)
    assert response.status_code == 400
    assert response.json()["code"] == 400
    assert "suspended" in response.json()["message"]
    assert database.resets == 0
    database.resume()
    assert api.reset(database).status_code == 200


def test_database_of_another_account_does_not_exist_for_this_one(
    emulator: Emulator, api: Api, database: EmulatedDatabase
) -> None:
    other = emulator.add_account()
    theirs = emulator.add_database(account=other)
    assert api.get(theirs).status_code == api.reset(theirs).status_code == 404
    assert theirs.id not in [each["database_id"] for each in api.list().json()]
    api.session.auth = (other.email, other.api_key)
    assert [each["database_id"] for each in api.list().json()] == [theirs.id]
    assert api.get(database).status_code == 404
    assert api.get(database).json()["code"] == 404
    body = api.reset(theirs).json()
    assert (body["customer_id"], theirs.resets) == (other.email, 1)
    assert api.audit_logs()[0]["customer_id"] == other.email
    assert emulator.databases[-1] == theirs
