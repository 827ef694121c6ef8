"""`Account`: an Upstash account, its API keys and its audit log."""

from __future__ import annotations

import hmac
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

_AUDIT_LOG_SECONDS = 7 * 24 * 3600
"""Time for which the free plan keeps an entry."""
_RESET_ACTION = 8
"""A guess, because no source documents the number of this action."""


@dataclass
class Account:
    """An Upstash account.

    Attributes:
        email: User name of the Developer API.
        api_key: Password of the Developer API.
        read_only_api_key: Another one, rejected on writes.
        audit_log: Entries in the API's own shape, newest first.
        admitted: When the requests of the last second were admitted, by the loop's clock.
    """

    email: str
    api_key: str = field(repr=False)
    read_only_api_key: str = field(repr=False)
    audit_log: list[dict[str, object]] = field(default_factory=list, repr=False)
    admitted: deque[float] = field(default_factory=deque, repr=False)

    def access(self, email: str, api_key: str) -> Literal["full", "read_only"] | None:
        """Return the access of an e-mail and an API key. None if one of them is wrong."""
        full = hmac.compare_digest(api_key.encode(), self.api_key.encode())
        read_only = hmac.compare_digest(api_key.encode(), self.read_only_api_key.encode())
        if email != self.email or not (full or read_only):
            return None
        return "full" if full else "read_only"

    def log_reset(self, database_name: str, *, source: str, ip: str) -> None:
        """Add a reset to the audit log, as the newest entry.

        Args:
            database_name: Name of the database.
            source: Origin of the request, such as `console`.
            ip: The client's address.
        """
        now = int(time.time())
        entry: dict[str, object] = {
            "log_id": str(uuid.uuid4()),
            "customer_id": self.email,
            "actor": self.email,
            "timestamp": now,
            "action": _RESET_ACTION,
            "action_string": "Reset Database Password",
            "source": source,
            "entity": database_name,
            "secondary_entity": "NA",
            "third_entity": "",
            "readable_format": "",
            "ip": ip,
            "ttl": now + _AUDIT_LOG_SECONDS,
            "reason": "",
            "notes": "",
        }
        self.audit_log.insert(0, entry)
