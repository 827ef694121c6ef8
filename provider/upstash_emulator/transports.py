"""Closing connections at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def abort(transport: asyncio.WriteTransport) -> None:
    """Drop a connection without a goodbye; one that is gone already is no error."""
    # Over TLS, older Pythons (3.11.2 for one) fail here on a connection that is gone.
    with suppress(AttributeError):
        transport.abort()
