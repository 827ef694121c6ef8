"""The context of a call. Only this module reads the wall clock."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_upstash_rotation.errors import ConfigurationError, RotationError
from pulumi_upstash_rotation.http import cancellation
from pulumi_upstash_rotation.resources.seam import Context, Operation, Reporter, Run
from pulumi_upstash_rotation.upstash.account import open_account

from . import shadows
from .runs import shared_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi
    from pulumi_upstash_rotation.upstash.settings import Settings

_RUN = Run()
"""The run of this process. The engine starts a new provider process for each run."""


def new_context(reporter: Reporter, resource: str | None, run: Run | None = None) -> Context:
    """Return the context of a call that must change nothing.

    Args:
        reporter: Shows users lines.
        resource: URN of the resource. None if it is not known.
        run: The run of the engine. None for that of this process.
    """
    return Context(now, reporter, _RUN if run is None else run, resource=resource)


def share_run(address: str) -> None:
    """Share the record of this run with the engine's other provider processes."""
    global _RUN  # noqa: PLW0603  a process has one run
    _RUN = shared_run(address)


def new_operation(
    reporter: Reporter,
    resource: str | None,
    settings: Callable[[], Settings],
    run: Run | None = None,
) -> Operation:
    """Return the context of a call that may change something.

    Args:
        reporter: Shows users lines.
        resource: URN of the resource. None if it is not known.
        settings: Returns the account's settings. The account calls it only before a request.
        run: The run of the engine. None for that of this process.
    """
    account = open_account(settings, reporter.info)
    account = replace(account, open_api=_checked(account.open_api))
    run = _RUN if run is None else run
    return Operation(now, reporter, run, account, cancellation.sleep, resource=resource)


def _checked(open_api: Callable[[], DeveloperApi]) -> Callable[[], DeveloperApi]:
    """Return a function that opens the API only if its libraries are what they should be.

    Raises:
        ConfigurationError: A file of the project hides a library, or a library cannot be imported.
    """

    def checked() -> DeveloperApi:
        try:
            api = open_api()
        except Exception as error:
            what = shadows.hidden()
            if what is None and isinstance(error, RotationError):
                raise
            what = what or f"a library cannot be imported ({type(error).__name__})"
            raise ConfigurationError(f"{what}; nothing has changed") from None
        _check_libraries()
        return api

    return checked


@functools.cache
def _check_libraries() -> None:
    """Check once that no file of the project stands for a library.

    Such a file may fail only later, for example while a response is read.

    Raises:
        ConfigurationError: A file does.
    """
    if hiding := shadows.hidden(works=True):
        raise ConfigurationError(f"{hiding}; nothing has changed")


def now() -> dt.datetime:
    """Return the current time, in UTC."""
    return dt.datetime.now(dt.timezone.utc)
