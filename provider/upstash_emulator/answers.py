"""The former name of `Response`, for tests that still use it."""

from __future__ import annotations

from .responses import Response as Answer

__all__ = ["Answer"]
