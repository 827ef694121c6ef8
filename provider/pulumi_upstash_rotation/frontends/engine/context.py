"""The context of a call. The clock is read here, and nowhere else in the package."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.resources.handler import Context, Reporter, Run
from pulumi_upstash_rotation.upstash.account import open_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.upstash.settings import Settings

_RUN: Final = Run()
"""A provider's process lives for one run of the engine."""


def preview_context(reporter: Reporter) -> Context:
    """Return the context of a call that must change nothing. It has no account."""
    return Context(_now, reporter, _RUN)


def operation_context(reporter: Reporter, settings: Callable[[], Settings]) -> Context:
    """Return the context of a call that carries something out.

    Args:
        reporter: Shows a user lines.
        settings: Returns the account's settings. It is called when a request is about to be made.
    """
    return Context(_now, reporter, _RUN, open_account(settings, reporter.info))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
