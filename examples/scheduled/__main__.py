"""Rotate if a scheduled time has passed since the last rotation, or at a maximum age."""

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation

config = pulumi.Config()

rotation = RedisPasswordRotation(
    "cache",
    database_id=config.require("databaseId"),
    rotation_schedule=config.require("schedule"),
    rotation_days=90,  # maximum age, even if the schedule fires less often
)

pulumi.export("rotated_at", rotation.rotated_at)
pulumi.export("next_rotation_at", rotation.next_rotation_at)
pulumi.export("rotation_cause", rotation.rotation_cause)
pulumi.export("redis_url", rotation.required.redis_url)  # secret
