"""What comes over the wire: servers that never end, send too much, or name a false encoding."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.errors import (
    IndeterminateOutcomeError,
    RequestNotSentError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http import wire
from pulumi_upstash_rotation.http.client import Request
from pulumi_upstash_rotation.http.retries import Effect
from pulumi_upstash_rotation.http.wire import MAX_BYTES, Attempt, TooLargeError, decoded

from ..support.servers import LocalServer, raw_server, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import trustme

    from pulumi_upstash_rotation.http.client import HttpClient

    NewClient = Callable[..., HttpClient]

RESET = Request("POST", "/reset", Effect.NON_IDEMPOTENT, "reset it", if_maybe_applied="maybe")
FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def receive_request(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(64 << 10)


def responding(*pieces: bytes, then: bytes = b"", pause: float = 0.0) -> Callable[..., None]:
    """Return a server that sends pieces, and then one piece for as long as the client listens."""

    def serve(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(b"".join(pieces))
        while then:
            connection.sendall(then)
            time.sleep(pause)

    return serve


@pytest.fixture
def short_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.READ_TIMEOUT_SECONDS", 0.5)


# Interim responses


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-Other: y\r\n\r\n",
        b"HTTP/1.1 199 What\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
    ],
)
def test_interim_response_is_skipped(new_client: NewClient, interim: bytes) -> None:
    with raw_server(responding(interim, FINAL)) as port:
        assert new_client(f"http://127.0.0.1:{port}").send(RESET) == b"{}"


def test_status_101_is_a_final_response_and_leaves_the_outcome_open(new_client: NewClient) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    with raw_server(responding(switching)) as port, pytest.raises(IndeterminateOutcomeError):
        new_client(f"http://127.0.0.1:{port}").send(RESET)


# Responses that never end


@pytest.mark.parametrize(
    ("pieces", "then"),
    [
        ((), b"H"),
        ((), b"HTTP/1.1 100 Continue\r\n\r\n"),
        ((), b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        ((b"HTTP/1.1 103 Early Hints\r\n",), b"a: b\r\n"),
        ((b"HTTP/1.1 200 OK\r\nX: ",), b"x"),
    ],
    ids=["status line", "100", "103", "headers of 103", "header"],
)
@pytest.mark.usefixtures("short_attempts")
def test_response_that_drips_before_its_body_ends_at_the_deadline(
    new_client: NewClient, pieces: tuple[bytes, ...], then: bytes
) -> None:
    with (
        raw_server(responding(*pieces, then=then, pause=0.01)) as port,
        pytest.raises(IndeterminateOutcomeError, match="; maybe$"),
    ):
        new_client(f"http://127.0.0.1:{port}").send(RESET)


@pytest.mark.parametrize(
    ("pieces", "then", "received"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nsecret",), b" ", b"secret"),
        ((b"HTTP/1.1 200 OK\r\n\r\nsecret",), b" ", b"secret"),
        ((CHUNKED, b"6\r\nsecret\r\n"), b"1\r\n \r\n", b"secret"),
        ((CHUNKED, b"999\r\nsecret"), b" ", b"secret"),
        ((CHUNKED, b"6\r\nsecret\r\n"), b"0", b"secret"),
        ((CHUNKED, b"6\r\nsecret\r\n0\r\n"), b"a: b\r\n", b"secret"),
    ],
    ids=["length", "until closed", "chunks", "in a chunk", "chunk size", "trailers"],
)
@pytest.mark.usefixtures("short_attempts")
def test_body_that_drips_ends_at_the_deadline_and_what_came_is_kept(
    new_client: NewClient, pieces: tuple[bytes, ...], then: bytes, received: bytes
) -> None:
    with (
        raw_server(responding(*pieces, then=then, pause=0.01)) as port,
        pytest.raises(UnreadableResponseError) as raised,
    ):
        new_client(f"http://127.0.0.1:{port}").send(RESET)
    assert raised.value.received.rstrip() == received
    assert "secret" not in f"{raised.value} {raised.value!r}"


@pytest.mark.usefixtures("short_attempts")
def test_body_that_stops_ends_at_the_deadline_and_what_came_is_kept(new_client: NewClient) -> None:
    pieces = (CHUNKED, b"999\r\nsecret")

    def serve(connection: socket.socket) -> None:
        responding(*pieces)(connection)
        connection.recv(1)  # until the client has closed the connection

    with raw_server(serve) as port, pytest.raises(UnreadableResponseError) as raised:
        new_client(f"http://127.0.0.1:{port}").send(RESET)
    assert raised.value.received == b"secret"


@pytest.mark.usefixtures("short_attempts")
def test_proxy_that_drips_ends_at_the_deadline_and_nothing_is_sent(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.MAX_ATTEMPTS", 1)
    pieces = (b"HTTP/1.1 200 OK\r\n",)
    with raw_server(responding(*pieces, then=b"a: b\r\n", pause=0.01)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(RequestNotSentError):
            new_client("https://api.test").send(RESET)


@pytest.mark.parametrize("inside_tls", [False, True])
def test_handshake_that_drips_ends_and_nothing_is_sent(
    new_client: NewClient,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    inside_tls: bool,
) -> None:
    """TLS inside TLS is an HTTPS proxy. urllib3 does that handshake itself, read by read."""
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.READ_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.CONNECT_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.MAX_ATTEMPTS", 1)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    def drip(connection: socket.socket) -> None:
        connection.recv(64 << 10)
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB
        while True:
            connection.sendall(b"\x00")
            time.sleep(0.01)

    with ExitStack() as stack:
        port = stack.enter_context(raw_server(drip))
        url = f"https://127.0.0.1:{port}"
        if inside_tls:
            proxy = stack.enter_context(LocalServer(tls_context(authority), upstream=port))
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            url = "https://api.test"
        with pytest.raises(RequestNotSentError):
            new_client(url).send(RESET)


# Responses that are too large

PIECE = b"x" * (64 << 10)


@pytest.mark.parametrize("status", [b"302 Found", b"401 Unauthorized", b"503 Unavailable"])
def test_endless_body_of_an_error_is_not_read(new_client: NewClient, status: bytes) -> None:
    """requests reads the body of a redirect, even if it must not follow it."""
    sent = 0

    def serve(connection: socket.socket) -> None:
        nonlocal sent
        receive_request(connection)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nLocation: /x\r\n\r\n")
        while sent < 40 << 20:
            connection.sendall(PIECE)
            sent += len(PIECE)

    with raw_server(serve) as port, pytest.raises(Exception, match=status[:3].decode()):
        new_client(f"http://127.0.0.1:{port}").send(RESET)
    assert sent < 2 * MAX_BYTES  # the kernel holds a part of it


@pytest.mark.parametrize(
    ("pieces", "then", "kind"),
    [
        ((b"HTTP/1.1 200 OK\r\n\r\nsecret",), PIECE, UnreadableResponseError),
        ((CHUNKED, b"6\r\nsecret\r\n"), b"10000\r\n" + PIECE + b"\r\n", UnreadableResponseError),
        (
            (CHUNKED, b"6\r\nsecret\r\n0\r\n"),
            b"a: " + b"b" * 60_000 + b"\r\n",
            UnreadableResponseError,
        ),
        ((), b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, IndeterminateOutcomeError),
        ((b"HTTP/1.1 103 x\r\n",), b"a: " + b"b" * 60_000 + b"\r\n", IndeterminateOutcomeError),
    ],
    ids=["body", "chunks", "trailers", "100", "headers of 103"],
)
def test_no_more_is_read_than_the_limit(
    new_client: NewClient, pieces: tuple[bytes, ...], then: bytes, kind: type[Exception]
) -> None:
    with raw_server(responding(*pieces, then=then)) as port, pytest.raises(kind) as raised:
        new_client(f"http://127.0.0.1:{port}").send(RESET)
    if isinstance(raised.value, UnreadableResponseError):
        assert raised.value.received.startswith(b"secret")
        assert len(raised.value.received) <= MAX_BYTES


# Attempts


def test_attempt_counts_all_that_comes() -> None:
    attempt = Attempt(60, 10)
    attempt.count(4)
    attempt.count(6)
    with pytest.raises(TooLargeError):
        attempt.count(1)


def test_read_waits_no_longer_than_the_socket_and_the_attempt_allow() -> None:
    with socket.socket() as sock:
        Attempt(60).before_read(sock, 3)
        assert sock.gettimeout() == 3
        for patience in (90, None):
            Attempt(60).before_read(sock, patience)
            assert 0 < (sock.gettimeout() or 0) <= 60
        with pytest.raises(TimeoutError):
            Attempt(0).before_read(sock, 3)


def test_attempt_belongs_to_its_thread() -> None:
    assert wire.start_attempt(5) is wire.current_attempt()


# Content-Encoding


@given(st.binary(), st.sampled_from(["gzip", "x-gzip", "deflate", "GZIP ", "identity, gzip"]))
def test_encoded_body_is_decoded(body: bytes, encoding: str) -> None:
    encode = zlib.compress if encoding == "deflate" else gzip.compress
    assert decoded(encode(body), encoding) == (body, True)


def test_bare_deflate_and_two_encodings_are_decoded() -> None:
    bare = zlib.compress(b"secret")[2:-4]
    assert decoded(bare, "deflate") == (b"secret", True)
    assert decoded(zlib.compress(gzip.compress(b"secret")), "gzip, deflate") == (b"secret", True)


@given(st.binary(), st.text())
def test_body_that_is_not_in_its_encoding_is_returned_as_it_came(body: bytes, name: str) -> None:
    plain = b"{" + body
    assert decoded(plain, "gzip") == (plain, True)
    assert decoded(plain, f"x{name}x") == (plain, True)


@given(st.integers(), st.text())
def test_false_deflate_never_hides_json(number: int, text: str) -> None:
    """A bare deflate stream has no signature, so a part of other bytes may look like one."""
    body = json.dumps({"database_id": text, "port": number, "password": text}).encode()
    assert decoded(body, "deflate") == (body, True)
    assert decoded(body[: len(body) // 2], "deflate") == (body[: len(body) // 2], True)


def test_bomb_is_decoded_only_up_to_the_limit() -> None:
    found, complete = decoded(gzip.compress(b"secret" + bytes(1 << 20)), "gzip", most=100)
    assert (found[:6], len(found), complete) == (b"secret", 100, False)


def test_body_of_exactly_the_limit_is_complete() -> None:
    assert decoded(gzip.compress(bytes(100)), "gzip", most=100) == (bytes(100), True)
