"""Rotate the token of an ACL user without an outage."""

import pulumi
from env_file import EnvFile

from pulumi_upstash_rotation import RedisAclUser

config = pulumi.Config()

user = RedisAclUser(
    "app",
    database_id=config.require("databaseId"),
    username="app",
    rules=["~app:*", "+@read", "+@write", "+ping"],
    triggers={"release": config.require("release")},
)

env_file = EnvFile("env", config.require("envFile"), {"REDIS_URL": user.redis_url})

user.retire_previous(after=[env_file])

pulumi.export("rotation_cause", user.rotation_cause)
pulumi.export("credential_fingerprint", user.credential_fingerprint)
