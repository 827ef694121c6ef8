"""One trust store, sessions with and without a proxy, and whether a request was sent."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.errors import (
    ConfigurationError,
    IndeterminateOutcomeError,
    RequestNotSentError,
)
from pulumi_upstash_rotation.http.client import MAX_ATTEMPTS, Request
from pulumi_upstash_rotation.http.connection import TRUST_VARIABLES, causes, trust_store
from pulumi_upstash_rotation.http.retries import Effect

from ..support.servers import (
    AUTHORITY_FILE_NAME,
    LocalServer,
    Response,
    closed_port,
    greeting_port,
    new_authority,
    silent_port,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

    from pulumi_upstash_rotation.http.client import HttpClient

    from ..support.clock import Clock

    NewClient = Callable[..., HttpClient]

RESET = Request(
    "POST",
    "/reset",
    Effect.NON_IDEMPOTENT,
    "reset it",
    if_not_applied="it has not changed",
    if_maybe_applied="it may have changed",
)
NOT_TRUSTED = "has an untrusted certificate (add its authority with REQUESTS_CA_BUNDLE)"
NO_PROXY = "could not be reached through the proxy (HTTPS_PROXY or ALL_PROXY names it)"
BROKEN_OFF = "closed the connection during the handshake"


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """Path of a file with the authority's certificate."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return str(tmp_path / "authority.pem")


@pytest.fixture
def folder(authority: trustme.CA, tmp_path: Path) -> str:
    """Path of a folder with the authority's certificate, as OpenSSL looks it up."""
    (tmp_path / "authorities").mkdir()
    authority.cert_pem.write_to_path(tmp_path / "authorities" / AUTHORITY_FILE_NAME)
    return str(tmp_path / "authorities")


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[LocalServer]:
    with LocalServer(tls_context(authority, "127.0.0.1", "localhost", "api.test")) as server:
        yield server


def assert_not_sent(client: HttpClient, url: str, what: str) -> RequestNotSentError:
    with pytest.raises(RequestNotSentError) as raised:
        client.send(RESET)
    assert str(raised.value) == f"cannot reset it: {url} {what}; it has not changed"
    return raised.value


# What is trusted


def test_redis_connection_offers_no_http_even_after_a_request(
    authority: trustme.CA, bundle: str, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 makes the context that it uses offer HTTP, which a Redis server may reject."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    tls = tls_context(authority, "127.0.0.1")
    tls.set_alpn_protocols(["http/1.1"])
    offered = {}
    with LocalServer(tls) as server:
        new_client(server.url).send(RESET)
        for protocol in ("http", "redis"):
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
                trust_store(protocol).wrap_socket(plain, server_hostname="127.0.0.1") as sock,
            ):
                offered[protocol] = sock.selected_alpn_protocol()
    assert offered == {"http": "http/1.1", "redis": None}


@pytest.mark.parametrize("kind", ["bundle", "folder"])
@pytest.mark.parametrize(
    "variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
)
def test_authority_that_the_environment_names_is_trusted(
    variable: str,
    kind: str,
    request: pytest.FixtureRequest,
    tls_server: LocalServer,
    new_client: NewClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if (variable, kind) in {("SSL_CERT_FILE", "folder"), ("SSL_CERT_DIR", "bundle")}:
        variable = {"SSL_CERT_FILE": "SSL_CERT_DIR", "SSL_CERT_DIR": "SSL_CERT_FILE"}[variable]
    monkeypatch.setenv(variable, request.getfixturevalue(kind))
    assert new_client(tls_server.url).send(RESET) == b"{}"


def test_authority_that_nothing_names_is_not_trusted_and_nothing_is_sent(
    tls_server: LocalServer, new_client: NewClient, clock: Clock
) -> None:
    error = assert_not_sent(new_client(tls_server.url), tls_server.url, NOT_TRUSTED)
    assert not error.transient
    assert clock.sleeps == []
    assert tls_server.received == []


@pytest.mark.parametrize("variable", TRUST_VARIABLES)
def test_another_authority_is_not_trusted(
    variable: str,
    tls_server: LocalServer,
    new_client: NewClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new_authority().cert_pem.write_to_path(tmp_path / "another.pem")
    monkeypatch.setenv(variable, str(tmp_path / "another.pem"))
    assert_not_sent(new_client(tls_server.url), tls_server.url, NOT_TRUSTED)
    assert tls_server.received == []


def test_requests_ca_bundle_counts_before_curl_ca_bundle(
    bundle: str, new_client: NewClient, tls_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("CURL_CA_BUNDLE", "/no/such/file")
    assert new_client(tls_server.url).send(RESET) == b"{}"


def test_empty_variable_counts_as_absent(
    bundle: str, new_client: NewClient, tls_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    monkeypatch.setenv("CURL_CA_BUNDLE", bundle)
    assert new_client(tls_server.url).send(RESET) == b"{}"


def test_named_authorities_come_on_top_of_the_usual_ones(
    bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = trust_store("http").cert_store_stats()["x509_ca"]
    trust_store.cache_clear()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    assert trust_store("http").cert_store_stats()["x509_ca"] == usual + 1 > 2


@pytest.mark.parametrize("variable", TRUST_VARIABLES)
@pytest.mark.parametrize(
    "content",
    [None, b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["missing", "empty", "garbage", "broken"],
)
def test_bundle_that_cannot_be_read_is_a_configuration_error_and_nothing_is_sent(
    variable: str,
    content: bytes | None,
    tls_server: LocalServer,
    new_client: NewClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if content is not None:
        (tmp_path / "bundle.pem").write_bytes(content)
    monkeypatch.setenv(variable, str(tmp_path / "bundle.pem"))
    with pytest.raises(ConfigurationError) as raised:
        new_client(tls_server.url)
    assert str(raised.value) == (
        f"cannot read the certificates that {variable} names. Correct or unset it"
    )
    assert tls_server.connections == 0


def test_key_log_that_cannot_be_written_is_an_error_before_any_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "missing" / "keys"))
    trust_store.cache_clear()
    with pytest.raises(ConfigurationError, match="SSLKEYLOGFILE names. Correct or unset it"):
        trust_store("http")


def test_plain_http_needs_no_trust_store(
    server: LocalServer, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    assert new_client(server.url).send(RESET) == b"{}"


def test_certificate_of_another_host_is_not_trusted(
    authority: trustme.CA, bundle: str, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with LocalServer(tls_context(authority, "another.test")) as server:
        assert_not_sent(new_client(server.url), server.url, NOT_TRUSTED)
    assert server.received == []


def test_expired_certificate_is_not_trusted(
    authority: trustme.CA, bundle: str, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    past = datetime(2020, 1, 1, tzinfo=timezone.utc)
    expired = tls_context(authority, not_before=past, not_after=past.replace(year=2021))
    with LocalServer(expired) as server:
        assert_not_sent(new_client(server.url), server.url, NOT_TRUSTED)


# Through a proxy


@contextmanager
def proxy_to(
    upstream: int | None,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA | None = None,
) -> Iterator[LocalServer]:
    """Start a proxy, over https where there is an authority, and make the environment name it."""
    with LocalServer(authority and tls_context(authority), upstream=upstream) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        yield proxy


@pytest.mark.parametrize("proxy_over_https", [False, True])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_named_authority_is_trusted_through_a_proxy_that_sees_no_key(
    variable: str,
    proxy_over_https: bool,
    bundle: str,
    authority: trustme.CA,
    tls_server: LocalServer,
    new_client: NewClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, bundle)
    with proxy_to(tls_server.port, monkeypatch, authority if proxy_over_https else None) as proxy:
        client = new_client("https://api.test")
        for _ in range(2):
            assert client.send(RESET) == b"{}"
    (tunnel,) = proxy.received
    assert (tunnel.method, tunnel.path) == ("CONNECT", "api.test:443")
    assert not {"authorization", "proxy-authorization"} & set(map(str.lower, tunnel.headers))
    assert [each.path for each in tls_server.received] == ["/reset"] * 2
    assert tls_server.connections == 1


def test_bundle_is_read_once_and_not_for_each_connection(
    authority: trustme.CA,
    tls_server: LocalServer,
    new_client: NewClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "bundle.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    client = new_client("https://api.test")
    (tmp_path / "bundle.pem").unlink()
    with proxy_to(tls_server.port, monkeypatch):
        assert client.send(RESET) == b"{}"
    assert new_client(tls_server.url).send(RESET) == b"{}"


@pytest.mark.parametrize("proxy_over_https", [False, True])
def test_folder_of_authorities_is_trusted_through_a_proxy(
    proxy_over_https: bool,
    folder: str,
    authority: trustme.CA,
    tls_server: LocalServer,
    new_client: NewClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", folder)
    with proxy_to(tls_server.port, monkeypatch, authority if proxy_over_https else None):
        assert new_client("https://api.test").send(RESET) == b"{}"


def test_unnamed_authority_is_not_trusted_through_a_proxy_and_nothing_is_sent(
    tls_server: LocalServer, new_client: NewClient, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    with proxy_to(tls_server.port, monkeypatch):
        assert_not_sent(new_client("https://api.test"), "https://api.test", NOT_TRUSTED)
    assert tls_server.received == []
    assert clock.sleeps == []


def test_proxy_with_an_untrusted_certificate_gets_no_request(
    authority: trustme.CA,
    tls_server: LocalServer,
    new_client: NewClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with proxy_to(tls_server.port, monkeypatch, authority) as proxy:
        with pytest.raises(RequestNotSentError, match="; it has not changed$"):
            new_client("https://api.test").send(RESET)
        assert proxy.received == []


def test_proxy_that_rejects_the_tunnel_gets_no_request_and_no_retry(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    with proxy_to(None, monkeypatch) as proxy:
        assert_not_sent(new_client("https://api.test"), "https://api.test", NO_PROXY)
    assert [each.method for each in proxy.received] == ["CONNECT"]
    assert clock.sleeps == []


def test_proxy_that_is_not_there_gets_no_request(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    with closed_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert_not_sent(new_client("https://api.test"), "https://api.test", NO_PROXY)
    assert clock.sleeps == []


@pytest.mark.parametrize(
    "proxy",
    ["http://[", "http://:99999", "socks5://127.0.0.1:9", "nonsense://127.0.0.1:9"],
)
def test_proxy_that_cannot_be_used_gets_no_request(
    proxy: str, new_client: NewClient, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert_not_sent(new_client("https://api.test"), "https://api.test", NO_PROXY)
    assert clock.sleeps == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("over_tls", [False, True])
def test_request_to_this_machine_never_passes_a_proxy(
    host: str,
    over_tls: bool,
    authority: trustme.CA,
    bundle: str,
    new_client: NewClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    tls = tls_context(authority, "127.0.0.1", "localhost") if over_tls else None
    with LocalServer(tls) as server, proxy_to(server.port, monkeypatch) as proxy:
        url = server.url.replace("127.0.0.1", host)
        assert new_client(url).send(RESET) == b"{}"
    assert len(server.received) == 1
    assert (proxy.connections, proxy.received) == (0, [])


def test_tunnelled_request_without_a_response_may_have_been_sent(
    bundle: str, tls_server: LocalServer, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    tls_server.response = Response(closed=True)
    with proxy_to(tls_server.port, monkeypatch):
        client = new_client("https://api.test")
        with pytest.raises(IndeterminateOutcomeError, match="; it may have changed$"):
            client.send(RESET)
    assert len(tls_server.received) == 1


# Sent or not sent


def test_connection_that_is_refused_sends_nothing(new_client: NewClient, clock: Clock) -> None:
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}"
        assert assert_not_sent(new_client(url), url, "could not be reached").transient
    assert len(clock.sleeps) == MAX_ATTEMPTS - 1


def test_host_name_that_does_not_resolve_sends_nothing(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    url = "https://api.test"
    assert assert_not_sent(new_client(url), url, "could not be reached").transient


def test_name_server_that_does_not_respond_is_waited_for_with_a_limit(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("client", "connection"):
        name = f"pulumi_upstash_rotation.http.{module}.CONNECT_TIMEOUT_SECONDS"
        monkeypatch.setattr(name, 0.05)
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait())
    url = "https://api.test"
    assert assert_not_sent(new_client(url), url, "did not connect within 10 s").transient
    released.set()


def test_each_address_of_a_name_is_tried(
    server: LocalServer, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def two(host: str, *rest: object) -> list[object]:
        if host != "localhost":
            return [*resolve(host, *rest)]  # type: ignore[call-overload]
        return [found for each in ("127.0.0.2", "127.0.0.1") for found in resolve(each, *rest)]  # type: ignore[call-overload]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert new_client(f"http://localhost:{server.port}").send(RESET) == b"{}"
    assert len(server.received) == 1


def test_handshake_without_a_response_sends_nothing(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.CONNECT_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.MAX_ATTEMPTS", 2)
    with silent_port() as port:
        url = f"https://127.0.0.1:{port}"
        assert assert_not_sent(new_client(url), url, "did not connect within 10 s").transient


@pytest.mark.parametrize(
    ("greeting", "what", "attempts"),
    [
        (b"", BROKEN_OFF, MAX_ATTEMPTS),
        (b"HTTP/1.1 200 OK\r\n\r\n", "failed the TLS handshake", 1),
    ],
)
def test_handshake_that_fails_sends_nothing(
    new_client: NewClient, clock: Clock, greeting: bytes, what: str, attempts: int
) -> None:
    with greeting_port(greeting) as port:
        url = f"https://127.0.0.1:{port}"
        assert_not_sent(new_client(url), url, what)
    assert len(clock.sleeps) == attempts - 1


def test_broken_kept_connection_may_have_sent_the_request(
    server: LocalServer, new_client: NewClient
) -> None:
    client = new_client(server.url)
    client.send(RESET)
    server.response = Response(closed=True)
    with pytest.raises(IndeterminateOutcomeError):
        client.send(RESET)
    assert server.connections == 1
    assert len(server.received) == 2


def test_earlier_request_that_was_not_sent_does_not_affect_a_later_one(
    server: LocalServer, new_client: NewClient
) -> None:
    client = new_client(server.url)
    client.send(RESET)
    server.response = Response(closed=True)
    with closed_port() as port, pytest.raises(RequestNotSentError):
        new_client(f"http://127.0.0.1:{port}").send(RESET)
    with pytest.raises(IndeterminateOutcomeError):
        client.send(RESET)
    assert len(server.received) == 2


def test_threads_do_not_share_whether_a_request_was_sent(
    server: LocalServer, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.READ_TIMEOUT_SECONDS", 0.5)
    server.response = Response(late=True)
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(new_client(server.url).send, RESET)
        while not server.received:
            time.sleep(0.001)
        with closed_port() as port, pytest.raises(RequestNotSentError):
            new_client(f"http://127.0.0.1:{port}").send(RESET)
        with pytest.raises(IndeterminateOutcomeError):
            in_flight.result(10)
    assert len(server.received) == 1


def test_causes_are_each_wrapped_exception_once() -> None:
    inner, context, reason = OSError("inner"), KeyError("context"), ValueError("reason")
    outer = RuntimeError("text", inner)
    outer.__context__ = context
    outer.reason = reason  # type: ignore[attr-defined]
    inner.__cause__ = outer
    assert {*causes(outer)} == {outer, inner, context, reason}
    assert len([*causes(outer)]) == 4
