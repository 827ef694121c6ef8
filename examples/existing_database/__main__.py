"""Take over a database in use: adopt its password now and rotate it later."""

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation

config = pulumi.Config()

rotation = RedisPasswordRotation(
    "cache",
    database_id=config.require("databaseId"),
    triggers={"release": config.require("release")},
    rotate_on_create=False,
)

pulumi.export("rotation_cause", rotation.rotation_cause)  # "adopted", until the first rotation
pulumi.export("redis_url", rotation.required.redis_url)  # secret
