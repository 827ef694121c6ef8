"""Rotate the password of every Upstash Redis database that the stack's config names.

pulumi config set --path 'databaseIds[0]' 96ad0856-03b1-4ee7-9666-e81abd0349e1
pulumi config set --path triggers.release 2026-11
pulumi up
"""

from __future__ import annotations

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation

config = pulumi.Config()
rotations = {
    database_id: RedisPasswordRotation(
        database_id, database_id=database_id, triggers=config.get_object("triggers")
    )
    for database_id in config.require_object("databaseIds")
}

pulumi.export("databases", {id_: rotation.attributes for id_, rotation in rotations.items()})
if config.get_bool("exportCredentials"):
    # Flat, because systems for CI do not mask nested values.
    for id_, rotation in rotations.items():
        for name in ("password", "rest_token", "read_only_rest_token", "redis_url"):
            pulumi.export(f"{name}_{id_}", getattr(rotation.required, name))
