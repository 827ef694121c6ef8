"""The Developer API's documented response, one with credentials, and any JSON value at all."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

DATABASE_ID: Final = "96ad0856-03b1-4ee7-9666-e81abd0349e1"

DOCUMENTED: Final[dict[str, Any]] = {
    "database_id": DATABASE_ID,
    "database_name": "MyRedis",
    "region": "global",
    "port": 6379,
    "creation_time": 1752649602,
    "state": "active",
    "endpoint": "beloved-stallion-58500",
    "tls": True,
    "db_max_clients": 10000,
    "db_max_request_size": 10485760,
    "db_disk_threshold": 107374182400,
    "db_max_entry_size": 104857600,
    "db_memory_threshold": 3221225472,
    "db_max_commands_per_second": 10000,
    "db_request_limit": 8024278031528736858,
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
    "db_conn_idle_timeout": 21600000000000,
    "db_lua_timeout": 250000000,
    "db_lua_credits_per_min": 10000000000,
    "db_store_max_idle": 900000000000,
    "db_max_loads_per_sec": 1000000,
    "db_acl_enabled": "false",
    "db_acl_default_user_status": "true",
    "db_eviction": False,
    "last_plan_upgrade_time": 0,
    "replicas": 5,
    "customer_id": "example@upstash.com",
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
    "prod_pack_enabled": False,
}

CREDENTIALS: Final[dict[str, str]] = {
    "password": "pw/canary+1",
    "rest_token": "token-canary-1",
    "read_only_rest_token": "read-only-canary-1",
}

WITH_CREDENTIALS: Final[dict[str, Any]] = {**DOCUMENTED, **CREDENTIALS}

PREVIOUS_CREDENTIALS: Final[dict[str, str]] = {
    "password": "old-canary",
    "rest_token": "old-token-canary",
    "read_only_rest_token": "old-read-only-canary",
}

BEFORE_A_RESET: Final[dict[str, Any]] = {**DOCUMENTED, **PREVIOUS_CREDENTIALS}

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value; numbers also NaN and infinite, which Python's parser accepts."""
