"""The three credentials of a database."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """Everything that opens one database; a reset replaces all three.

    Attributes:
        password: Password of the Redis user `default`.
        rest_token: Standard REST token; opens Redis as `default`, too.
        read_only_rest_token: Read-only REST token; password of the Redis user `default_ro`.
    """

    password: str = field(repr=False)
    rest_token: str = field(repr=False)
    read_only_rest_token: str = field(repr=False)

    @classmethod
    def generate(cls) -> Credentials:
        """Return credentials that nobody has seen before."""
        return cls(
            password=secrets.token_hex(20),
            rest_token=f"A{secrets.token_urlsafe(44)}",
            read_only_rest_token=f"B{secrets.token_urlsafe(44)}",
        )

    def as_json(self) -> dict[str, str]:
        """Return the credentials under the API's field names."""
        return {
            "password": self.password,
            "rest_token": self.rest_token,
            "read_only_rest_token": self.read_only_rest_token,
        }
