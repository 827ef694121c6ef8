"""The context of a call. Only this module reads the wall clock."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.resources.seam import Context, Operation, Reporter, Run
from pulumi_upstash_rotation.upstash.account import open_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.upstash.settings import Settings

_RUN: Final = Run()
"""A provider's process lives for one run of the engine."""


def new_context(reporter: Reporter) -> Context:
    """Return the context of a call that must change nothing."""
    return Context(_now, reporter, _RUN)


def new_operation(reporter: Reporter, settings: Callable[[], Settings]) -> Operation:
    """Return the context of a call that carries something out.

    Args:
        reporter: Shows users lines.
        settings: Returns the account's settings. It is called when a request is about to be made.
    """
    account = open_account(settings, reporter.info)
    return Operation(_now, reporter, _RUN, account, time.sleep)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
