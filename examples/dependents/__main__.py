"""Roll a new password out in the same `pulumi up` that rotates it."""

import pulumi
from env_file import EnvFile

from pulumi_upstash_rotation import RedisPasswordRotation

config = pulumi.Config()

rotation = RedisPasswordRotation(
    "cache",
    database_id=config.require("databaseId"),
    triggers={"release": config.require("release")},
)

env_file = EnvFile("app", config.require("envFile"), {"REDIS_URL": rotation.required.redis_url})

pulumi.export("credential_fingerprint", rotation.credential_fingerprint)
