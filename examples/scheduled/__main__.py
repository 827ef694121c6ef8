"""Rotate by the calendar: whenever a scheduled moment has passed since the last rotation."""

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation

config = pulumi.Config()

rotation = RedisPasswordRotation(
    "cache",
    database_id=config.require("databaseId"),
    rotation_schedule=config.require("schedule"),
    rotation_days=90,  # never older than this, whatever the schedule says
)

pulumi.export("rotated_at", rotation.rotated_at)
pulumi.export("next_rotation_at", rotation.next_rotation_at)
pulumi.export("rotation_cause", rotation.rotation_cause)
pulumi.export("redis_url", rotation.redis_url)  # secret
