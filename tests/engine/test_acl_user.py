"""`RedisAclUser` on the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory

PROGRAM = """
import os
from pulumi import dynamic
from pulumi_upstash_rotation import RedisAclUser

class FileProvider(dynamic.ResourceProvider):
    def create(self, props):
        if os.path.exists(props["path"] + ".broken"):
            raise RuntimeError("the consumer fails")
        with open(props["path"], "w") as file:
            file.write(props["text"])
        return dynamic.CreateResult(props["path"], props)
    def update(self, id, olds, news):
        self.create(news)
        return dynamic.UpdateResult(news)

class File(dynamic.Resource):
    text: pulumi.Output[str]
    def __init__(self, name, path, text):
        super().__init__(FileProvider(), name, {"path": path, "text": text})

config = pulumi.Config()
user = RedisAclUser(
    "app",
    database_id=config.require("databaseId"),
    username="app",
    rules=(config.get("rules") or "~app:* +@read +@write +ping").split(),
    triggers={"release": config.get("release")},
)
consumer = File("consumer", os.path.abspath("consumer.url"), user.redis_url)
if config.get("retire") != "no":
    user.retire_previous(after=[consumer], grace_seconds=0)
for name in ("token", "redis_url", "rest_url", "previous_token", "rotated_at", "rotation_count",
             "rotation_cause", "verified", "verification", "credential_fingerprint"):
    pulumi.export(name, getattr(user, name))
"""


def test_a_rotation_hands_the_new_token_on_and_retires_the_old_one(
    new_stack: StackFactory, upstash_emulator: Emulator
) -> None:
    database = upstash_emulator.add_database("main")
    stack = new_stack(PROGRAM)
    stack.set_config("databaseId", database.id)
    print(stack.up())
    first = stack.outputs()
    print(first)
    print(stack.preview())
    stack.set_config("release", "2")
    print(stack.preview())
    upstash_emulator.clear()
    print(stack.up())
    print([call.operation for call in upstash_emulator.calls])
    print(stack.outputs())
    print(database.acl_users)
    stack.set_config("rules", "~other:* +get")
    print(stack.preview())
    print(stack.up())
    print(database.acl_users)
    print(stack.refresh())
    print(stack.destroy())
    print(database.acl_users)
    assert 0
