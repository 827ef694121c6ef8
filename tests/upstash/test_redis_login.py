"""A login to Redis, against servers on loopback that answer as a test scripts it."""

from __future__ import annotations

import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.upstash import probe
from pulumi_upstash_rotation.upstash.redis_login import (
    MAX_REPLY_BYTES,
    RedisLogin,
    UnexpectedReplyError,
)

from ..support.servers import (
    closed_port,
    greeting_port,
    new_authority,
    raw_server,
    silent_port,
    tls_context,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Serve = Callable[[ssl.SSLSocket], None]

OK, WRONG = b"+OK\r\n", b"-WRONGPASS invalid or missing auth token\r\n"


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Serve], Iterator[int]]:
    """Return a context manager: a TLS server whose connections a function handles."""
    authority = new_authority()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    tls = tls_context(authority)

    @contextmanager
    def server(serve: Serve) -> Iterator[int]:
        def secured(connection: socket.socket) -> None:
            connection.settimeout(10)
            with tls.wrap_socket(connection, server_side=True) as sock:
                serve(sock)

        with raw_server(secured) as port:
            yield port

    return server  # type: ignore[return-value]


def replying(*replies: bytes) -> Serve:
    """Return a server that sends one reply to each command, and closes the connection."""

    def serve(sock: ssl.SSLSocket) -> None:
        for reply in replies:
            if not sock.recv(64 << 10):
                return
            sock.sendall(reply)

    return serve


def login(port: int, seconds: float = 10) -> RedisLogin:
    return RedisLogin("127.0.0.1", port, seconds)


@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (b"+OK\r\n", True),
        (b"+OK\n", True),
        (WRONG, False),
        (b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", False),
        (b"-ERR invalid password\r\n", False),
        (b"-NOAUTH Authentication required.\r\n", False),
    ],
)
def test_reply_tells_whether_the_password_is_accepted(
    redis: Callable[..., Iterator[int]], reply: bytes, accepted: bool
) -> None:
    with redis(replying(reply, reply)) as port, login(port) as connection:
        assert connection.accepts("canary") is accepted
        assert connection.accepts("canary") is accepted


@pytest.mark.parametrize(
    "reply",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-ERR Client sent AUTH, but no password is set\r\n",
        b"-ERR max number of clients reached\r\n",
        b"-MOVED 1 host:1\r\n",
        b"+QUEUED\r\n",
        b":1\r\n",
        b"\r\n",
        b"\xff\xfe\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+" + b"x" * MAX_REPLY_BYTES,
    ],
)
def test_other_reply_is_unexpected(redis: Callable[..., Iterator[int]], reply: bytes) -> None:
    with (
        redis(replying(reply)) as port,
        login(port) as connection,
        pytest.raises(UnexpectedReplyError),
    ):
        connection.accepts("canary")


TEXTS = ["plain", "ümlaut", "two\r\n*1\r\n$4\r\nPING", "", "\ud800"]


@pytest.mark.parametrize(
    ("user", "password"), [*((None, text) for text in TEXTS), *zip(TEXTS, TEXTS[::-1], strict=True)]
)
def test_password_and_user_are_one_argument_of_the_command_each(
    redis: Callable[..., Iterator[int]], user: str | None, password: str
) -> None:
    received: list[bytes] = []

    def serve(sock: ssl.SSLSocket) -> None:
        received.append(sock.recv(64 << 10))
        sock.sendall(OK)

    with redis(serve) as port, login(port) as connection:
        assert connection.accepts(password, user)
    sent = [text.encode(errors="surrogatepass") for text in (user, password) if text is not None]
    arguments = b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in sent)
    assert received == [b"*%d\r\n$4\r\nAUTH\r\n%b" % (len(sent) + 1, arguments)]


def test_reply_may_come_byte_by_byte(redis: Callable[..., Iterator[int]]) -> None:
    def serve(sock: ssl.SSLSocket) -> None:
        sock.recv(64 << 10)
        for byte in OK:
            sock.sendall(bytes([byte]))

    with redis(serve) as port, login(port) as connection:
        assert connection.accepts("canary")


def test_closed_connection_is_an_end_of_file(redis: Callable[..., Iterator[int]]) -> None:
    with redis(replying(b"")) as port, login(port) as connection, pytest.raises(EOFError):
        connection.accepts("canary")


@pytest.mark.parametrize("reply", [b"x", b""])
def test_reply_that_never_ends_is_a_timeout(
    redis: Callable[..., Iterator[int]], reply: bytes
) -> None:
    def drip(sock: ssl.SSLSocket) -> None:
        while True:
            sock.sendall(reply) if reply else None
            time.sleep(0.01)
            if sock.pending() < 0:
                return
            sock.settimeout(0.001)
            try:
                if not sock.recv(1):
                    return
            except TimeoutError:
                pass

    with redis(drip) as port, login(port, 0.4) as connection, pytest.raises(TimeoutError):
        connection.accepts("canary")


@pytest.mark.usefixtures("redis")
def test_silent_server_is_a_timeout_of_the_handshake() -> None:
    with silent_port() as port, pytest.raises(TimeoutError):
        login(port, 0.2)


def test_time_that_is_up_opens_no_connection() -> None:
    with closed_port() as port, pytest.raises(TimeoutError):
        login(port, 0)


@pytest.mark.usefixtures("redis")
def test_closed_port_and_other_protocol_are_os_errors() -> None:
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        login(port)
    with greeting_port(b"-ERR no TLS here\r\n") as port, pytest.raises(ssl.SSLError):
        login(port)


def test_untrusted_certificate_gets_no_password(
    redis: Callable[..., Iterator[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with redis(replying(OK)) as port, pytest.raises(ssl.SSLCertVerificationError):
        login(port)


def test_unreadable_trust_store_is_a_configuration_error(
    redis: Callable[..., Iterator[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    with redis(replying(OK)) as port, pytest.raises(ConfigurationError):
        login(port)


def test_server_that_closes_instead_of_a_rejection_is_tried_on_a_new_connection(
    redis: Callable[..., Iterator[int]],
) -> None:
    servers = iter([replying(OK, b""), replying(WRONG)])

    def serve(sock: ssl.SSLSocket) -> None:
        next(servers)(sock)

    with redis(serve) as port:
        accepts = probe._redis(f"rediss://127.0.0.1:{port}")
        assert accepts("new", "previous", 10) == (True, False)


def test_server_that_only_closes_is_unreachable(redis: Callable[..., Iterator[int]]) -> None:
    with redis(replying(OK, b"")) as port:
        accepts = probe._redis(f"rediss://127.0.0.1:{port}")
        assert accepts("new", None, 10) == (True, False)
    with redis(replying(b"")) as port, pytest.raises(probe.UnreachableError, match="be reached"):
        probe._redis(f"rediss://127.0.0.1:{port}")("new", "previous", 10)
