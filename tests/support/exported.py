"""States of stacks as Pulumi exports them, made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.frontends.native.names import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE_ID: Final = "96ad0856-03b1-4ee7-9666-e81abd0349e1"
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
PACKAGES: Final = {"dynamic": "pulumi-python:dynamic/upstash", "native": "upstash-rotation:index"}
"""What precedes the name of a resource in a type token, by front end."""
ROTATED: Final = {
    "database_id": DATABASE_ID,
    "database_name": "cache-1",
    "rotated_at": "2026-11-13T04:05:06Z",
    "rotation_count": 2,
    "rotation_cause": "trigger: release",
    "verified": True,
    "verification": "verified",
    "schema_version": 1,
}
"""Outputs of a rotation ten days before the start of the tests' clock."""
TOKEN: Final = {
    **ROTATED,
    "username": "app",
    "credential_fingerprint": "524febd755cd0cc2",
}
"""Outputs of an ACL user's token and of the user."""


def secret(ciphertext: str = "v1:ciphertext") -> dict[str, str]:
    """Return a secret as a state has it."""
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": ciphertext}


def secret_in_clear(value: object) -> dict[str, str]:
    """Return a secret as `pulumi stack export --show-secrets` shows it."""
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def resource(
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    kind: str = "RedisPasswordRotation",
    name: str = "cache",
    front_end: str = "dynamic",
    **attributes: Any,
) -> dict[str, Any]:
    """Return a resource of a state."""
    type_ = f"{PACKAGES[front_end]}:{kind}"
    rename = to_camel if front_end == "native" else dict
    return {
        "urn": f"urn:pulumi:dev::shop::{type_}::{name}",
        "custom": True,
        "type": type_,
        "inputs": rename(inputs or {}),
        "outputs": rename(outputs),
        **attributes,
    }


def acl_user(
    token: Mapping[str, Any] = TOKEN,
    user: Mapping[str, Any] = TOKEN,
    inputs: Mapping[str, Any] | None = None,
    *,
    front_end: str = "dynamic",
) -> list[dict[str, Any]]:
    """Return the resources of an ACL user."""
    return [
        resource(token, inputs, kind="RedisAclToken", name="app-token", front_end=front_end),
        resource(user, kind="RedisAclUser", name="app", front_end=front_end),
        resource(user, kind="RedisAclRetirement", name="app-retirement", front_end=front_end),
    ]


def exported(*resources: object, **deployment: Any) -> str:
    """Return what `pulumi stack export` prints."""
    return json.dumps({"version": 3, "deployment": {"resources": resources, **deployment}})


def checkpoint(*resources: object) -> str:
    """Return a state file of a local backend."""
    latest = {"resources": resources}
    stack = "organization/shop/dev"
    return json.dumps({"version": 3, "checkpoint": {"stack": stack, "latest": latest}})
