"""The API's Database object: every documented field, and the credentials where they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .databases import Database


def describe(
    database: Database, email: str, *, credentials: bool = False, old_fields: bool = False
) -> dict[str, object]:
    """Return the description of a database.

    Args:
        database: What to describe.
        email: The account's e-mail.
        credentials: Whether the three credentials are in it.
        old_fields: Whether `user_email` and `database_type` are in it, as they were until 2025.
    """
    value: dict[str, object] = {
        "database_id": database.database_id,
        "database_name": database.name,
        "region": "global",
        "port": database.backend.port,
        "creation_time": database.created_at,
        "state": database.state,
        "endpoint": database.endpoint,
        "tls": database.tls,
        "db_max_clients": 10_000,
        "db_max_request_size": 10 * 1024**2,
        "db_disk_threshold": 100 * 1024**3,
        "db_max_entry_size": 100 * 1024**2,
        "db_memory_threshold": 3 * 1024**3,
        "db_max_commands_per_second": 10_000,
        "db_request_limit": 8_024_278_031_528_736_858,
        "type": "paid",
        "budget": 360,
        "primary_region": "us-east-1",
        "primary_members": ["us-east-1"],
        "all_members": ["us-east-1"],
        "eviction": False,
        "auto_upgrade": False,
        "consistent": False,
        "modifying_state": "",
        "db_resource_size": "L",
        "db_type": "pebble",
        "db_conn_idle_timeout": 21_600_000_000_000,
        "db_lua_timeout": 250_000_000,
        "db_lua_credits_per_min": 10_000_000_000,
        "db_store_max_idle": 900_000_000_000,
        "db_max_loads_per_sec": 1_000_000,
        "db_acl_enabled": "false",
        "db_acl_default_user_status": "true",
        "db_eviction": False,
        "last_plan_upgrade_time": 0,
        "replicas": 5,
        "customer_id": email,
        "daily_backup_enabled": False,
        "read_regions": ["us-east-2"],
        "securityAddons": {
            "ipWhitelisting": False,
            "vpcPeering": False,
            "privateLink": False,
            "tlsMutualAuth": False,
            "encryptionAtRest": False,
        },
        "prometheus_enabled": "false",
        "prod_pack_enabled": database.credential_protection,
    }
    if old_fields:
        value |= {"user_email": email, "database_type": "Pay as You Go"}
    if credentials:
        value |= database.credentials.as_json()
    return value
