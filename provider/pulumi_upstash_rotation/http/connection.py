"""Sessions, the trust store, and whether a request may have been sent.

A connection records that it is still connecting. If an error comes then, no request was sent.
Each connection keeps to the limits in `wire.py`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import socket
import ssl
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
)
from urllib3.util.connection import allowed_gai_family

from pulumi_upstash_rotation._version import __version__
from pulumi_upstash_rotation.errors import ConfigurationError

from . import background
from .urls import is_loopback
from .wire import BoundedResponse, BoundedTLSSocket, current_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT_SECONDS: Final = 10.0
# urllib3 logs the text of a malformed header, which may hold a credential.
logging.getLogger("urllib3.connection").addFilter(
    lambda record: not str(record.msg).startswith("Failed to parse headers")
)
TRUST_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Each may name a file or folder of certificates. The first one that is set counts."""


@functools.cache
def trust_store(protocol: Literal["http", "redis"]) -> ssl.SSLContext:
    """Return the authorities that every TLS connection of this package trusts.

    The authorities are this machine's (`SSL_CERT_FILE` replaces them), certifi's, and those that
    `REQUESTS_CA_BUNDLE` names. They are read once, because a read takes as long as a connection.

    Each protocol has a context of its own, because urllib3 makes its context offer HTTP.

    Raises:
        ConfigurationError: A variable names certificates that cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=certifi.where())
    except OSError:  # certifi's file is always there
        problem = "cannot write to the file that SSLKEYLOGFILE names. Correct or unset it"
        raise ConfigurationError(problem) from None
    context.load_default_certs()
    if protocol == "http":
        context.set_alpn_protocols(["http/1.1"])
        context.sslsocket_class = BoundedTLSSocket
    name = next((name for name in TRUST_VARIABLES if os.environ.get(name)), None)
    if name:
        bundle = os.environ[name]
        try:
            kind = "capath" if Path(bundle).is_dir() else "cafile"
            context.load_verify_locations(**{kind: bundle})
        except (OSError, ssl.SSLError):
            problem = f"cannot read the certificates that {name} names. Correct or unset it"
            raise ConfigurationError(problem) from None
    return context


def new_session(base_url: str, *, pool_size: int = 1) -> requests.Session:
    """Return a session for one server. It makes no request.

    Args:
        base_url: Where requests will go.
        pool_size: Maximum number of open connections to keep.

    Raises:
        ConfigurationError: As for `trust_store()`.
    """
    parts = urlsplit(base_url)
    session = _Session()
    session.headers["User-Agent"] = (
        f"pulumi-upstash-rotation/{__version__} python/{platform.python_version()}"
    )
    session.headers["Accept"] = "application/json"
    session.headers["Accept-Encoding"] = "identity"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # an API needs none
    # A request to this machine uses no proxy. A proxy would see the content of plain http.
    session.trust_env = not is_loopback(parts.hostname or "")
    adapter = _Adapter(trust_store("http") if parts.scheme == "https" else None, pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    """Follows no redirect. requests would read the whole body of one, whatever its size."""

    def get_redirect_target(self, _response: object) -> None:
        """Return no target."""


class _Connection(HTTPConnection):
    """Records that it is still connecting, and keeps to the limits of the attempt."""

    response_class = BoundedResponse
    debuglevel = 0
    """Others set it for all connections of a process, to print requests. Ours hold the API key."""

    def connect(self) -> None:
        attempt = current_attempt()
        attempt.may_be_sent = False
        super().connect()
        attempt.may_be_sent = True

    def _new_conn(self) -> socket.socket:
        """Return a connected socket. urllib3 would wait for a name server without a limit."""
        name, last = self._dns_host, None
        try:
            for address in self._addresses():
                self._dns_host = address
                try:
                    return super()._new_conn()
                except HTTPError as error:
                    last = error
        finally:
            self._dns_host = name  # TLS checks the certificate for it
        raise last or NewConnectionError(self, "no address")

    def _addresses(self) -> list[str]:
        """Return the addresses of the host.

        Raises:
            NewConnectionError: It has none.
            ConnectTimeoutError: The name server did not respond in time.
        """
        found: list[str] = []
        name = (self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)

        def resolve() -> None:
            with contextlib.suppress(OSError, UnicodeError):
                results = socket.getaddrinfo(*name)
                found.extend(dict.fromkeys(str(result[4][0]) for result in results))

        try:
            ended = background.start(resolve)
        except (RuntimeError, MemoryError):  # no more threads: a name server may hold this one up
            resolve()
        else:
            if not ended(CONNECT_TIMEOUT_SECONDS):
                raise ConnectTimeoutError(self, "the name server did not respond in time")
        if not found:
            raise NewConnectionError(self, "the name cannot be resolved")
        return found


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    """Uses the trust store and the recording connections, with and without a proxy."""

    def __init__(self, trust: ssl.SSLContext | None, pool_size: int) -> None:
        self._tls: dict[str, Any] = {"ssl_context": trust} if trust else {}
        super().__init__(pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  handed on
        super().init_poolmanager(*args, **{**options, **self._tls})
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401  same
        if self._tls and not proxy.lower().startswith("socks"):
            options["proxy_ssl_context"] = self._tls["ssl_context"]
        manager = super().proxy_manager_for(proxy, **options, **self._tls)
        socks = type(manager) is not ProxyManager
        manager.pool_classes_by_scheme = (
            _socks_pools() if socks else {"http": _Pool, "https": _TLSPool}
        )
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> Any:  # noqa: ANN401  handed on
        # Without verify=True, requests would load the bundle into the shared store for each pool.
        return super().build_connection_pool_key_attributes(request, verify=True)

    def cert_verify(self, conn: Any, *_: object) -> None:  # noqa: ANN401  a pool
        conn.cert_reqs = "CERT_REQUIRED"


@functools.cache
def _socks_pools() -> dict[str, type[HTTPConnectionPool]]:
    """Return the pools for a SOCKS proxy. They need PySocks, which few users have."""
    from urllib3.contrib import socks

    class Connection(_Connection, socks.SOCKSConnection):
        _new_conn = socks.SOCKSConnection._new_conn  # noqa: SLF001  the proxy may resolve the name

    class TLSConnection(_TLSConnection, socks.SOCKSHTTPSConnection):
        _new_conn = socks.SOCKSConnection._new_conn  # noqa: SLF001  same

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TLSPool(HTTPSConnectionPool):
        ConnectionCls = TLSConnection

    return {"http": Pool, "https": TLSPool}


_PROXY: Final = "could not be reached through the proxy (HTTPS_PROXY or ALL_PROXY names it)"
_BROKEN_OFF: Final = "closed the connection during the handshake"
_NOT_SENT: Final[tuple[tuple[type[Exception], str, bool], ...]] = (
    (
        ssl.SSLCertVerificationError,
        "has an untrusted certificate (add its authority with REQUESTS_CA_BUNDLE)",
        False,
    ),
    (ProxyError, _PROXY, False),
    (requests.exceptions.InvalidURL, _PROXY, False),
    (requests.exceptions.InvalidSchema, _PROXY, False),
    (LocationValueError, _PROXY, False),
    (ssl.SSLEOFError, _BROKEN_OFF, True),
    (ssl.SSLError, "failed the TLS handshake", False),
    (NewConnectionError, "could not be reached", True),
    (requests.Timeout, f"did not connect within {CONNECT_TIMEOUT_SECONDS:.0f} s", True),
    (requests.RequestException, _BROKEN_OFF, True),
)
"""Reasons why a request was not sent, the most specific one first.

Each row has an exception, its text for users, and whether a retry can help. The settings check the
base URL, so these exceptions concern the proxy's URL.
"""


def not_sent(error: Exception) -> tuple[str, bool] | None:
    """Return why this thread's request was not sent, and whether a retry can help.

    Returns None if the request may have been sent.
    """
    about_a_url = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        LocationValueError,
    )
    if current_attempt().may_be_sent and not isinstance(error, about_a_url):
        return None
    wrapped = list(causes(error))
    found = (row for row in _NOT_SENT if any(isinstance(each, row[0]) for each in wrapped))
    _, what, transient = next(found, (Exception, "could not be reached", False))
    return what, transient


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
