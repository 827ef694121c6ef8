"""The session that the Developer API is called with, and whether a request may have left over it.

A connection notes when it is being made: what fails in that time has surely changed nothing.
"""

from __future__ import annotations

import platform
import ssl
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import LocationValueError, NewConnectionError, ProxyError

from ._version import __version__
from .settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .settings import Settings

CONNECT_TIMEOUT_SECONDS: Final = 10.0


class _Wire(threading.local):
    """Whether this thread's request may have left; it may unless a connection is being made."""

    open = True


wire: Final = _Wire()


class _Connection(HTTPConnection):
    """Notes that it is being made: what fails meanwhile has surely changed nothing."""

    def connect(self) -> None:
        wire.open = False
        super().connect()
        wire.open = True


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    """Has its connections noted, with and without a proxy."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  handed on
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401  same
        manager = super().proxy_manager_for(proxy, **options)
        if type(manager) is ProxyManager:  # SOCKS has connections of its own
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager


def new_session(settings: Settings) -> requests.Session:
    """Return a session for an account; no request is made."""
    session = requests.Session()
    # Bytes, because HTTP Basic has no charset and requests would take Latin-1.
    session.auth = HTTPBasicAuth(settings.email.encode(), settings.api_key.encode())
    session.headers["User-Agent"] = (
        f"pulumi-upstash-rotation/{__version__} python/{platform.python_version()}"
    )
    session.headers["Accept"] = "application/json"
    # Plain http stays on this machine: never hand its API key to a proxy.
    session.trust_env = not is_loopback(urlsplit(settings.api_url).hostname or "")
    adapter = _Adapter(pool_maxsize=settings.max_concurrency)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


_PROXY: Final = "could not be reached through the proxy (HTTPS_PROXY names it)"
_BROKEN_OFF: Final = "broke off the connection while it was being made"
_NOT_SENT: Final[tuple[tuple[type[Exception], str, bool], ...]] = (
    (
        ssl.SSLCertVerificationError,
        "has a certificate that is not trusted (REQUESTS_CA_BUNDLE names what is)",
        False,
    ),
    (ProxyError, _PROXY, False),
    (requests.exceptions.InvalidURL, _PROXY, False),
    (requests.exceptions.InvalidSchema, _PROXY, False),
    (LocationValueError, _PROXY, False),
    (ssl.SSLEOFError, _BROKEN_OFF, True),
    (ssl.SSLError, "does not speak TLS as it should", False),
    (NewConnectionError, "could not be reached", True),
    (requests.Timeout, f"did not connect within {CONNECT_TIMEOUT_SECONDS:.0f} s", True),
    (requests.RequestException, _BROKEN_OFF, True),
    (OSError, "can't be trusted: what REQUESTS_CA_BUNDLE names can't be read", False),
)
"""What keeps a request from being sent, the most telling first: an exception, what it means, and
whether it may pass by itself. The API's own URL was checked with the settings."""


def not_sent(error: Exception) -> tuple[str, bool] | None:
    """Return what kept this thread's request from being sent, and whether it may pass by itself.

    None: the request may have been sent.
    """
    if wire.open and not _is_about_the_way(error):
        return None
    wrapped = list(causes(error))
    found = (entry for entry in _NOT_SENT if any(isinstance(each, entry[0]) for each in wrapped))
    _, what, passing = next(found, (Exception, "could not be reached", False))
    return what, passing


def _is_about_the_way(error: Exception) -> bool:
    """Say whether an error comes before any connection is made: about a URL or a CA bundle."""
    about_a_url = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        LocationValueError,
    )
    about_a_file = isinstance(error, OSError) and not isinstance(error, requests.RequestException)
    return about_a_file or isinstance(error, about_a_url)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it wraps, which requests and urllib3 keep in `args`."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            reason = getattr(cause, "reason", None)
            pending += [*cause.args, reason, cause.__cause__, cause.__context__]
