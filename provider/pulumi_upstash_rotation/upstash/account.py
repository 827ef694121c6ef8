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

    from .credentials import Credentials, UserLogin
    from .database import Database
    from .developer_api import DeveloperApi
    from .redis_rest import RedisRest
    from .settings import Settings


LOAD_SECONDS: Final = 30.0
"""Maximum time to wait for the libraries of a verification."""


class Verify(Protocol):
    """Type of `probe.verify()`, with the reporter already given."""

    def __call__(
        self, database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        """Return the result."""


class OpenRest(Protocol):
    """Opens the REST API of a database."""

    def __call__(self, base_url: str, token: str, report: Report) -> RedisRest:
        """Return it, for one `with` statement. Raises `ConfigurationError`, as `open_api` does."""


def open_rest(base_url: str, token: str, report: Report) -> RedisRest:
    """Return the REST API of a database: see `RedisRest`."""
    try:
        from .redis_rest import RedisRest
    except Exception as error:  # noqa: BLE001  a file of the project in the place of a library
        raise ConfigurationError(_not_loaded(error)) from None
    return RedisRest(base_url, token, report)


class VerifyUser(Protocol):
    """Type of `probe.verify_user()`, with the reporter already given."""

    def __call__(self, login: UserLogin, *, timeout_seconds: float) -> Verification:
        """Return the result."""


class AcceptsToken(Protocol):
    """Type of `probe.accepts_token()`."""

    def __call__(self, rest_url: str, token: str, *, timeout_seconds: float) -> bool | None:
        """Return whether the token is accepted. None if that cannot be determined."""


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
        verify_user: Logs in to a database as an ACL user. It never raises.
        accepts_token: Returns whether a database accepts a token. None if that cannot be
            determined. It never raises.
        open_rest: Opens the REST API of a database: `open_rest()`, or a test's own.
    """

    open_api: Callable[[], DeveloperApi]
    verify: Verify
    prepare_to_verify: Callable[[], Callable[[], object]]
    verify_user: VerifyUser
    accepts_token: AcceptsToken
    open_rest: OpenRest = open_rest

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
        return DeveloperApi(lambda: client_for(settings()), lambda: settings().email, report)

    def verify(
        database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        def verification() -> Verification:
            from . import probe

            return probe.verify(database, previous, timeout_seconds=timeout_seconds, report=report)

        return _never_raising(verification)

    def verify_user(login: UserLogin, *, timeout_seconds: float) -> Verification:
        def verification() -> Verification:
            from . import probe

            return probe.verify_user(login, timeout_seconds=timeout_seconds, report=report)

        return _never_raising(verification)

    return Account(
        open_api=open_api,
        verify=verify,
        prepare_to_verify=_prepare_to_verify,
        verify_user=verify_user,
        accepts_token=_accepts_token,
    )


def _never_raising(verification: Callable[[], Verification]) -> Verification:
    """Return a verification, or why there is none."""
    try:
        from . import probe  # noqa: F401  loads the libraries
    except Exception as error:  # noqa: BLE001  an error after a reset could lose the new password
        return Verification(verified=False, message=f"not verified: {_not_loaded(error)}")
    try:
        return verification()
    except Exception as error:  # noqa: BLE001  same
        why = f"not verified: unexpected {type(error).__name__}; please report it"
        return Verification(verified=False, message=why)


def _accepts_token(rest_url: str, token: str, *, timeout_seconds: float) -> bool | None:
    with contextlib.suppress(Exception):  # a library that cannot be loaded
        from . import probe

        return probe.accepts_token(rest_url, token, timeout_seconds=timeout_seconds)
    return None


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
