"""Rotate a fleet from a pipeline: when a schedule or an age says so, and once for an incident."""

import os

import pulumi
from env_file import EnvFile

from pulumi_upstash_rotation import RedisPasswordRotation, list_databases

config = pulumi.Config()
databases = config.require("databases")
if databases.endswith("*"):
    ids = [each.database_id for each in list_databases(name_prefix=databases[:-1])]
else:
    ids = [id_.strip() for id_ in databases.split(",")]

# A new value rotates once. An absent one rotates nothing. Each source has a trigger of its own: if
# the next run has only one of them, that one has not changed.
incidents = {
    "incident": config.get("incident") or None,  # committed
    "incident_of_run": os.environ.get("INCIDENT") or None,  # of one run of the pipeline
}

for id_ in ids:
    rotation = RedisPasswordRotation(
        id_,
        database_id=id_,
        rotation_schedule=config.require("schedule"),
        rotation_days=config.require_float("maxAgeDays"),
        triggers=incidents,
        # The first run cuts off no client, unless an incident demands it.
        rotate_on_create=any(incidents.values()),
    )
    # One consumer a database, so that a bad database does not keep the others' consumers stale.
    EnvFile(id_, f"{id_}.env", {"REDIS_URL": rotation.required.redis_url})
    pulumi.export(f"next_rotation_at_{id_}", rotation.next_rotation_at)
    # Flat, because systems for CI do not mask nested values.
    pulumi.export(f"redis_url_{id_}", rotation.required.redis_url)  # secret
