"""An Upstash account: its Developer API, and the verification of its databases."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final, Protocol

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.http import background
from pulumi_upstash_rotation.values import Verification

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_upstash_rotation.http.client import Report

    from .credentials import Credentials
    from .database import Database
    from .developer_api import DeveloperApi
    from .settings import Settings


LOAD_SECONDS: Final = 30.0
"""Maximum time to wait for the libraries of a verification."""


class Verify(Protocol):
    """Type of `probe.verify()`, with the reporter already given."""

    def __call__(
        self, database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        """Return the result."""


@dataclass(frozen=True)
class Account:
    """An Upstash account.

    Attributes:
        open_api: Returns the Developer API. It imports requests and pydantic. Operations without a
            request do not need them. Raises `ConfigurationError` if they cannot be imported.
        verify: Logs in to the database with the new credential and the previous one. It never
            raises.
        prepare_to_verify: Starts to load in the background what a verification needs. Returns a
            function that waits until that is done. Neither raises.
    """

    open_api: Callable[[], DeveloperApi]
    verify: Verify
    prepare_to_verify: Callable[[], Callable[[], object]]

    @property
    def api(self) -> DeveloperApi:
        """The Developer API."""
        return self.open_api()


def open_account(settings: Callable[[], Settings], report: Report) -> Account:
    """Return the account that the settings name, for one call of a front end.

    Args:
        settings: Returns the settings. The account calls it only before a request, because other
            operations need no credentials.
        report: Shows a line to a user when something takes long.
    """

    def open_api() -> DeveloperApi:
        try:
            from .developer_api import DeveloperApi, client_for
        except Exception as error:  # noqa: BLE001  a file of the project in the place of a library
            raise ConfigurationError(_not_loaded(error)) from None
        return DeveloperApi(lambda: client_for(settings()), report)

    def verify(
        database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        try:
            from . import probe
        except Exception as error:  # noqa: BLE001  an error after a reset could lose the new password
            return Verification(verified=False, message=f"not verified: {_not_loaded(error)}")
        try:
            return probe.verify(database, previous, timeout_seconds=timeout_seconds, report=report)
        except Exception as error:  # noqa: BLE001  same
            why = f"not verified: unexpected {type(error).__name__}; please report it"
            return Verification(verified=False, message=why)

    return Account(open_api=open_api, verify=verify, prepare_to_verify=_prepare_to_verify)


def _not_loaded(error: Exception) -> str:
    """Return which library could not be loaded, and the most likely reason."""
    name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = error.obj.__name__
    library = f"the library {name}" if name else "a library"
    return (
        f"{library} cannot be loaded ({type(error).__name__}). A file in the project's folder may "
        "have its name; rename that file"
    )


@functools.cache
def _prepare_to_verify() -> Callable[[], object]:
    """Import the libraries of a verification, and read the trust store, during the requests."""
    try:
        ended = background.start(_load)
    except (RuntimeError, MemoryError):  # no more threads
        _load()
        return lambda: None
    return lambda: ended(LOAD_SECONDS)


def _load() -> None:
    with contextlib.suppress(Exception):  # the verification itself reports an error
        from . import probe

        probe.prepare()
