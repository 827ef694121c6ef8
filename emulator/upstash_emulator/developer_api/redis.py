"""The operations on Redis databases: reset, get and list, with the API's Database object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upstash_emulator.errors import RejectedError
from upstash_emulator.responses import Response

from .operation import Operation

if TYPE_CHECKING:
    from aiohttp import web

    from upstash_emulator.faults import Fault
    from upstash_emulator.simulation.account import Account
    from upstash_emulator.simulation.redis import Credentials, RedisDatabase
    from upstash_emulator.simulation.simulation import Simulation


def redis_operations(simulation: Simulation) -> tuple[Operation, ...]:
    """Return the operations on this simulation's Redis databases."""
    redis = _Redis(simulation)
    return (
        Operation("reset", "POST", "/v2/redis/reset-password/{id}", redis.reset),
        Operation("get", "GET", "/v2/redis/database/{id}", redis.get),
        Operation("list", "GET", "/v2/redis/databases", redis.list),
    )


class _Redis:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def reset(self, request: web.Request, account: Account, fault: Fault) -> Response:
        database = self._database(request, account)
        await self._simulation.reset(
            database,
            source="API_KEY - emulator",
            ip=request.remote or "",
            fault=fault,
        )
        database = self._described_instead(database, fault)
        old_shape = self._simulation.settings.reset_response == "with_credentials"
        shown = old_shape or database.credential_protection
        credentials = database.credentials if shown else None
        return Response.json(_describe(database, credentials, old_fields=old_shape))

    async def get(self, request: web.Request, account: Account, fault: Fault) -> Response:
        database = self._database(request, account)
        database = self._described_instead(database, fault)
        shown = (
            self._simulation.settings.show_credentials_on_get
            and request.query.get("credentials") != "hide"
            and not database.credential_protection
        )
        return Response.json(_describe(database, database.read_credentials() if shown else None))

    async def list(self, _request: web.Request, account: Account, _fault: Fault) -> Response:
        databases = self._simulation.databases.values()
        return Response.json([_describe(each) for each in databases if each.owner == account.email])

    def _database(self, request: web.Request, account: Account) -> RedisDatabase:
        """Return the database that a path names. Those of other accounts do not exist."""
        database = self._simulation.database(request.match_info["id"])
        if database.owner != account.email:
            raise RejectedError(404, "database not found")
        return database

    def _described_instead(self, database: RedisDatabase, fault: Fault) -> RedisDatabase:
        return self._simulation.databases.get(fault.other_database_id or "", database)


def _describe(
    database: RedisDatabase, credentials: Credentials | None = None, *, old_fields: bool = False
) -> dict[str, object]:
    value = _documented_fields(database)
    if old_fields:  # fields that the API returned until 2025
        value |= {"user_email": database.owner, "database_type": "Pay as You Go"}
    if credentials:
        value |= credentials.as_json()
    return value


def _documented_fields(database: RedisDatabase) -> dict[str, object]:
    """Return the Database object with every field of the API's documentation, and no others."""
    return {
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
        "customer_id": database.owner,
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
