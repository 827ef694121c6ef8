"""What can be done with an Upstash account and its databases, at one place for both planes.

A preview gets no `Account`, so that it can make no call.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.http.client import Report
    from pulumi_upstash_rotation.values import Verification

    from .credentials import Credentials
    from .database import Database
    from .developer_api import DeveloperApi
    from .settings import Settings


class Verify(Protocol):
    """Tries credentials on a database: see `probe.verify()`."""

    def __call__(
        self, database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        """Return what the database answered."""


@dataclass(frozen=True)
class Account:
    """An Upstash account.

    Attributes:
        open_api: Returns the Developer API. It loads requests and pydantic, which an operation
            that makes no call does not need.
        verify: Tries the new credential and the previous one on the database itself.
        prepare_to_verify: Loads in the background what a verification needs.
        sleep: Waits, in seconds.
    """

    open_api: Callable[[], DeveloperApi]
    verify: Verify
    prepare_to_verify: Callable[[], None]
    sleep: Callable[[float], None]

    @property
    def api(self) -> DeveloperApi:
        """The Developer API."""
        return self.open_api()


def open_account(settings: Callable[[], Settings], report: Report) -> Account:
    """Return the account that the settings name, for one call of a front end.

    Args:
        settings: Returns the settings. It is called when a request is about to be made, because an
            operation that needs no request needs no credentials.
        report: Shows a user what takes time, a line each.
    """

    def open_api() -> DeveloperApi:
        from .developer_api import DeveloperApi, client_for

        return DeveloperApi(lambda: client_for(settings()), report)

    def verify(
        database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        from . import probe

        return probe.verify(database, previous, timeout_seconds=timeout_seconds, report=report)

    return Account(
        open_api=open_api,
        verify=verify,
        prepare_to_verify=_prepare_to_verify,
        sleep=time.sleep,
    )


_prepared = threading.Event()


def _prepare_to_verify() -> None:
    """Load what verification needs while the API is busy. redis-py takes a while."""
    if not _prepared.is_set():
        _prepared.set()
        threading.Thread(target=_load, daemon=True).start()


def _load() -> None:
    import contextlib

    with contextlib.suppress(Exception):  # verification itself reports what is wrong
        from . import probe

        probe.prepare()
