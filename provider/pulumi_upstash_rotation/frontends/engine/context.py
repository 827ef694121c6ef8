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
"""The run of this process. The engine starts a new provider process for each run."""


def new_context(reporter: Reporter) -> Context:
    """Return the context of a call that must change nothing."""
    return Context(_now, reporter, _RUN)


def new_operation(reporter: Reporter, settings: Callable[[], Settings]) -> Operation:
    """Return the context of a call that may change something.

    Args:
        reporter: Shows users lines.
        settings: Returns the account's settings. The account calls it only before a request.
    """
    account = open_account(settings, reporter.info)
    return Operation(_now, reporter, _RUN, account, time.sleep)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
