"""Rotate every database of the account whose name starts with a prefix."""

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation, list_databases

config = pulumi.Config()

rotations = {
    database.database_name: RedisPasswordRotation(
        database.database_id,
        database_id=database.database_id,
        triggers={"release": config.require("release")},
    )
    for database in list_databases(name_prefix=config.get("prefix") or "")
}

pulumi.export("rotated_at", {name: each.rotated_at for name, each in rotations.items()})
if config.get_bool("exportUrls"):  # flat, because systems for CI do not mask nested values
    for name, each in rotations.items():
        pulumi.export(f"redis_url_{name}", each.required.redis_url)  # secret
