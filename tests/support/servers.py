"""Servers on loopback: HTTP as a test scripts it, a proxy, and ports that misbehave."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest
    from typing_extensions import Self

LOOPBACK: Final = "127.0.0.1"
AUTHORITY_FILE_NAME: Final = "7557dba4.0"
"""What OpenSSL calls the authority's file in a folder: `openssl x509 -noout -hash`."""


def new_authority() -> trustme.CA:
    """Return a new authority, always of the same name, which `AUTHORITY_FILE_NAME` depends on."""
    return trustme.CA(
        organization_name="Tests of pulumi-upstash-rotation", organization_unit_name="loopback"
    )


def tls_context(authority: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    """Return what a server needs to show a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (LOOPBACK,)), **options).configure_cert(context)
    return context


@dataclass(frozen=True)
class Response:
    """One response of a `LocalServer`.

    Attributes:
        missing_bytes: How much shorter the body is than its Content-Length.
        closed: The connection is closed instead.
        late: It is sent only when the server stops.
        delay_seconds: How long it takes at least.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    missing_bytes: int = 0
    closed: bool = False
    late: bool = False
    delay_seconds: float = 0.0


@dataclass(frozen=True)
class Received:
    """One request as a server has received it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class LocalServer:
    """An HTTP server on a free port of 127.0.0.1, and an HTTP proxy. A context manager.

    Attributes:
        responses: The next responses. `response` follows them.
        response: The response to every other request.
        received: The requests so far.
        most_in_flight: How many requests it has had at once, at most.
        connections: How many connections it has accepted.
        broken_connections: How many coming connections it closes at once.
        upstream: Port of 127.0.0.1 that it connects CONNECT requests to, whatever host they name.
            None: it rejects them with 407.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, upstream: int | None = None) -> None:
        self.responses: list[Response] = []
        self.response = Response()
        self.received: list[Received] = []
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        self.connections = 0
        self.broken_connections = 0
        self.upstream = upstream
        self.stopped = threading.Event()
        self._server = _Server(self, tls)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        """Start."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: LocalServer, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self._tls = tls
        super().__init__((LOOPBACK, 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.owner.connections += 1
        if self.owner.broken_connections:
            self.owner.broken_connections -= 1
            connection.close()
            raise ConnectionAbortedError
        if self._tls:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, *_: object) -> None:
        """Stay silent: clients of these tests break off what they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with owner.lock:
            owner.received.append(Received(self.command, self.path, dict(self.headers), body))
            response = owner.responses.pop(0) if owner.responses else owner.response
            owner.in_flight += 1
            owner.most_in_flight = max(owner.most_in_flight, owner.in_flight)
        owner.stopped.wait(60 if response.late else response.delay_seconds)
        with owner.lock:
            owner.in_flight -= 1
        self.close_connection = response.closed or response.missing_bytes > 0
        if not response.closed:
            self._send(response)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body) + response.missing_bytes))
        self.end_headers()
        self.wfile.write(response.body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        owner = self.server.owner
        owner.received.append(Received(self.command, self.path, dict(self.headers)))
        self.close_connection = True
        if owner.upstream is None:
            self.send_error(407)
            return
        self.send_response(200)
        self.end_headers()
        with socket.create_connection((LOOPBACK, owner.upstream)) as upstream:
            _relay(self.connection, upstream)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    other = {client: upstream, upstream: client}
    with suppress(OSError):
        while True:
            for source in select.select([*other], [], [])[0]:
                if not (data := source.recv(64 << 10)):
                    return
                other[source].sendall(data)


def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the environment name no authority and no proxy."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield a port whose connections `serve` handles, one after the other."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def greeting_port(greeting: bytes) -> Iterator[int]:
    """Yield a port that sends these bytes to whoever writes to it, and closes the connection."""

    def serve(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(serve) as port:
        yield port


@contextmanager
def silent_port() -> Iterator[int]:
    """Yield a port that accepts connections and never sends a byte."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that refuses connections and that nothing else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        yield bound.getsockname()[1]
