"""Rotate the password of one Upstash Redis database whenever `release` changes."""

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation

config = pulumi.Config()

rotation = RedisPasswordRotation(
    "cache",
    database_id=config.require("databaseId"),
    triggers={"release": config.require("release")},
)

for name, value in rotation.attributes.items():  # endpoint, port, region, state, ...
    pulumi.export(name, value)
pulumi.export("redis_url", rotation.required.redis_url)  # secret
