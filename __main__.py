"""Rotate the password of every Upstash Redis database that the stack's config selects.

pulumi config set namePrefix cache-
pulumi config set --path triggers.release 2026-11
pulumi up
"""

from __future__ import annotations

import pulumi

from pulumi_upstash_rotation import RedisPasswordRotation, in_shard, list_databases

config = pulumi.Config()
database_ids = config.get_object("databaseIds")
name_prefix = config.get("namePrefix")
shard = config.get("shard")
rotate_on_create = config.get_bool("rotateOnCreate")
rotate_on_delete = config.get_bool("rotateOnDelete")

if (database_ids is None) == (name_prefix is None):
    raise pulumi.RunError("set one of databaseIds and namePrefix in the stack's config")
if database_ids is not None and not isinstance(database_ids, list):
    raise pulumi.RunError("databaseIds must be a list of ids in the stack's config")
if shard is not None and (rotate_on_create is not False or rotate_on_delete):
    # A database that moves to another stack is created there and deleted here.
    raise pulumi.RunError(
        "shard needs rotateOnCreate: false and no rotateOnDelete in the stack's config. "
        "Otherwise a change of the number of shards would reset passwords"
    )
if database_ids is None:
    database_ids = [each.database_id for each in list_databases(name_prefix=name_prefix)]

rotations = {
    database_id: RedisPasswordRotation(
        database_id,
        database_id=database_id,
        triggers=config.get_object("triggers"),
        rotation_days=config.get_float("rotationDays"),
        rotation_schedule=config.get("rotationSchedule"),
        rotate_on_create=rotate_on_create,
        rotate_on_delete=rotate_on_delete,
        require_credentials=config.get_bool("requireCredentials"),
        verify=config.get_bool("verify"),
        verify_timeout=config.get_float("verifyTimeout"),
    )
    for database_id in database_ids
    if shard is None or in_shard(database_id, shard)
}

pulumi.export("databases", {id_: rotation.attributes for id_, rotation in rotations.items()})
if config.get_bool("exportCredentials"):
    # Flat, because systems for CI do not mask nested values.
    for id_, rotation in rotations.items():
        for name in ("password", "rest_token", "read_only_rest_token", "redis_url"):
            pulumi.export(f"{name}_{id_}", getattr(rotation.required, name))
