"""`AclUser`: one ACL user of a database, as the server has it now."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AclUser:
    """A user that `ACL SETUSER` has created.

    Attributes:
        name: Its name.
        enabled: Whether it is `on`.
        tokens: Its live tokens, in the order of their creation. Each is a password of the user and
            a Bearer token of the REST API.
        passwords: The SHA-256 digests of its passwords, as in the response to `ACL GETUSER`. If
            `acl_digests_are_of_tokens` is off, the response has others.
        commands: Its permissions, such as `-@all +get`.
        keys: Its key patterns, such as `cache:*`.
        channels: Its channel patterns.
    """

    name: str
    enabled: bool
    tokens: tuple[str, ...] = field(repr=False)
    passwords: tuple[str, ...] = field(repr=False)
    commands: str
    keys: tuple[str, ...]
    channels: tuple[str, ...]
