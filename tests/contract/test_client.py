"""Every way in which a call to the Developer API can end, over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import trustme

from pulumi_upstash_rotation import __version__
from pulumi_upstash_rotation.client import UpstashClient, client_for
from pulumi_upstash_rotation.errors import (
    ApiConnectionError,
    ApiContractError,
    ApiError,
    ApiOutcomeUnknownError,
    ApiStatusError,
    AuthenticationError,
    DatabaseNotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from pulumi_upstash_rotation.settings import Settings
from pulumi_upstash_rotation.transport import MAX_ATTEMPTS, RETRY_BUDGET_SECONDS, Transport
from upstash_emulator import Emulator, Fault
from upstash_emulator.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upstash_emulator import EmulatedDatabase

UNCHANGED = "; the password has not changed"
MAY_HAVE = "; the password may have changed"


@pytest.fixture(scope="module")
def _emulator() -> Iterator[Emulator]:
    with Emulator(redis_servers=False) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    _emulator.clear(restore=True)
    return _emulator


@pytest.fixture
def database(emulator: Emulator) -> EmulatedDatabase:
    return emulator.databases[0]


class Waits(list[float]):
    """The waits that a client asked for: its clock goes on, nobody waits."""

    def clock(self) -> float:
        return sum(self)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def new_client(emulator: Emulator, waits: Waits) -> Callable[..., UpstashClient]:
    def make(url: str | None = None, api_key: str | None = None) -> UpstashClient:
        settings = Settings(emulator.email, api_key or emulator.api_key, url or emulator.url)
        return UpstashClient(Transport(settings, clock=waits.clock, sleep=waits.append))

    return make


@pytest.fixture
def client(new_client: Callable[..., UpstashClient]) -> UpstashClient:
    return new_client()


def operations(emulator: Emulator) -> list[str]:
    return [call.operation for call in emulator.calls]


def test_a_reset_and_a_read_are_one_call_each(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase
) -> None:
    before = database.password
    assert client.reset_password(database.id).password is None
    read = client.get_database(database.id).password
    assert read is not None
    assert read.get_secret_value() == database.password != before
    assert operations(emulator) == ["reset", "get"]
    assert emulator.calls[0].user_agent.startswith(f"pulumi-upstash-rotation/{__version__} python/")
    assert emulator.connections == 1


@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        (Fault.status(400), ApiStatusError, "refused the request (400)"),
        (
            Fault.status(401),
            AuthenticationError,
            "refused the e-mail and API key (401): use a Developer API key of a native Upstash "
            "account, with that account's e-mail",
        ),
        (
            Fault.status(403),
            PermissionDeniedError,
            "does not permit it with this API key (403)",
        ),
        (
            Fault.status(404),
            DatabaseNotFoundError,
            "knows no such database in this account (404)",
        ),
        (Fault.status(405), ApiStatusError, "refused the request (405)"),
        (Fault.status(406), ApiStatusError, "refused the request (406)"),
        (
            Fault.status(302, body="<html>moved</html>", content_type="text/html"),
            ApiStatusError,
            "answered with a redirect, which is not followed (302)",
        ),
    ],
)
def test_a_refusal_says_that_nothing_has_changed_and_is_final(
    client: UpstashClient,
    emulator: Emulator,
    database: EmulatedDatabase,
    fault: Fault,
    kind: type[ApiError],
    what: str,
) -> None:
    emulator.fault(fault, operation="reset")
    with pytest.raises(kind) as raised:
        client.reset_password(database.id)
    where = f"cannot reset the password of Redis database '{database.id}': {emulator.url}"
    assert str(raised.value) == f"{where} {what}{UNCHANGED}"
    assert type(raised.value) is kind
    assert operations(emulator) == ["reset"]
    assert database.resets == 0


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("applied", [False, True])
def test_a_failing_server_may_have_applied_the_reset(
    client: UpstashClient,
    emulator: Emulator,
    database: EmulatedDatabase,
    status: int,
    applied: bool,
) -> None:
    emulator.fault(Fault.status(status, applied=applied), operation="reset")
    with pytest.raises(ServerError, match=rf"failed \({status}\){MAY_HAVE}$"):
        client.reset_password(database.id)
    assert operations(emulator) == ["reset"]
    assert database.resets == applied


@pytest.mark.parametrize("applied", [False, True])
def test_a_lost_answer_may_have_been_a_reset(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase, applied: bool
) -> None:
    emulator.fault(Fault.closed(applied=applied), operation="reset")
    with pytest.raises(
        ApiOutcomeUnknownError, match=f"closed the connection before it had answered{MAY_HAVE}$"
    ):
        client.reset_password(database.id)
    assert operations(emulator) == ["reset"]


def test_a_late_answer_may_have_been_a_reset(
    client: UpstashClient,
    emulator: Emulator,
    database: EmulatedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.transport.READ_TIMEOUT_SECONDS", 0.2)
    emulator.fault(Fault.delay(1, applied=True), operation="reset")
    with pytest.raises(ApiOutcomeUnknownError, match=f"gave no answer within 0 s{MAY_HAVE}$"):
        client.reset_password(database.id)


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        (Fault.cut_off(), "its answer broke off"),
        (Fault.garbage(), "its answer is not a Database object"),
        (Fault.garbage(b""), "its answer is not a Database object"),
        (Fault.garbage("<html>proxy</html>"), "its answer is not a Database object"),
        (Fault.garbage("[" * 100_000), "its answer is not a Database object"),
        (Fault.garbage(b"x" * (9 << 20)), "its answer broke off"),
        (Fault.body(None), "its answer is not a Database object"),
        (Fault.body("OK"), "its answer is not a Database object"),
        (Fault.body([]), "its answer is not a Database object"),
        (Fault.without("database_id"), "its answer is not a Database object"),
        (Fault.body({"database_id": "another"}), "its answer is about another database"),
    ],
)
def test_a_success_that_cannot_be_read_may_have_been_a_reset(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase, fault: Fault, how: str
) -> None:
    emulator.fault(fault, operation="reset")
    with pytest.raises(ApiContractError) as raised:
        client.reset_password(database.id)
    assert str(raised.value) == (
        f"the API was asked to reset the password of Redis database '{database.id}' and reported "
        f"success, but {how}{MAY_HAVE}"
    )
    assert operations(emulator) == ["reset"]
    assert database.resets == 1


@pytest.mark.parametrize("retry_after", [None, 7, "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_a_limited_request_is_sent_again_after_the_wait_that_the_api_asks_for(
    client: UpstashClient,
    emulator: Emulator,
    database: EmulatedDatabase,
    waits: Waits,
    retry_after: float | str | None,
) -> None:
    emulator.fault(Fault.status(429, retry_after=retry_after), operation="reset", times=2)
    client.reset_password(database.id)
    assert operations(emulator) == ["reset"] * 3
    assert database.resets == 1
    asked = 7 if retry_after == 7 else 0
    assert len(waits) == 2
    assert all(asked < wait < asked + 3 for wait in waits)


def test_a_request_that_stays_limited_ends_within_the_budget(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase, waits: Waits
) -> None:
    emulator.fault(Fault.status(429, retry_after=int(RETRY_BUDGET_SECONDS)), operation="reset")
    with pytest.raises(RateLimitError, match=f"try again later{UNCHANGED}$"):
        client.reset_password(database.id)
    assert waits == []
    emulator.fault(Fault.status(429, retry_after=0), operation="reset", times=None)
    with pytest.raises(RateLimitError):
        client.reset_password(database.id)
    assert len(waits) == MAX_ATTEMPTS - 1
    assert database.resets == 0


@pytest.mark.parametrize(
    "fault",
    [Fault.status(500), Fault.status(503), Fault.status(429), Fault.closed()],
)
def test_a_read_is_made_again(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase, fault: Fault
) -> None:
    emulator.fault(fault, operation="get", times=2)
    assert client.get_database(database.id).database_id == database.id
    assert operations(emulator) == ["get"] * 3


def test_a_read_that_keeps_failing_says_that_nothing_has_changed(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.status(500), operation="get", times=None)
    with pytest.raises(ServerError, match="; nothing has changed$"):
        client.get_database(database.id)
    assert len(emulator.calls) == MAX_ATTEMPTS


def test_a_read_only_key_is_named(
    new_client: Callable[..., UpstashClient], emulator: Emulator, database: EmulatedDatabase
) -> None:
    client = new_client(api_key=emulator.read_only_api_key)
    assert client.get_database(database.id).database_id == database.id
    with pytest.raises(PermissionDeniedError, match="the API key is read-only"):
        client.reset_password(database.id)
    assert database.resets == 0


def test_a_suspended_database_is_named(client: UpstashClient, database: EmulatedDatabase) -> None:
    database.suspend()
    with pytest.raises(ApiStatusError) as raised:
        client.reset_password(database.id)
    assert str(raised.value).endswith(
        f"refused because the database is suspended (400): resume it in the console{UNCHANGED}"
    )


def test_a_wrong_key_is_named(
    new_client: Callable[..., UpstashClient], database: EmulatedDatabase
) -> None:
    with pytest.raises(AuthenticationError, match="refused the e-mail and API key"):
        new_client(api_key="wrong-canary").reset_password(database.id)


def test_the_list_of_databases_is_one_call(client: UpstashClient, emulator: Emulator) -> None:
    emulator.add_database("another")
    assert [each.database_id for each in client.list_databases()] == [
        each.id for each in emulator.databases
    ]
    assert operations(emulator) == ["list"]


@pytest.mark.parametrize("value", [None, "OK", 7, {}, [{}], [None], {"database_id": "x"}])
def test_a_list_that_is_none_is_our_error(
    client: UpstashClient, emulator: Emulator, value: object
) -> None:
    emulator.fault(Fault.body(value), operation="list")
    with pytest.raises(ApiContractError, match="not a list of databases; nothing has changed$"):
        client.list_databases()


def test_an_id_cannot_leave_its_place_in_the_path(
    client: UpstashClient, emulator: Emulator
) -> None:
    with pytest.raises(ApiStatusError):
        client.get_database("../redis/database/x?y#z")
    (call,) = emulator.calls
    assert "?" not in call.path.removesuffix("x?y#z")
    assert call.path.startswith("/v2/redis/database/")


def test_a_refused_connection_is_tried_again_and_never_left(
    new_client: Callable[..., UpstashClient], waits: Waits
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = new_client(url=f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ApiConnectionError, match=f"could not be reached{UNCHANGED}$"):
            client.reset_password("some-id")
    assert len(waits) == MAX_ATTEMPTS - 1


def test_a_name_that_does_not_resolve_never_left(
    new_client: Callable[..., UpstashClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ApiConnectionError, match=f"could not be reached{UNCHANGED}$"):
        new_client(url="https://upstash.invalid").reset_password("some-id")


@contextmanager
def tls_server() -> Iterator[int]:
    """Accept TLS connections on a loopback port with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_untrusted_certificate_is_final_and_nothing_was_sent(
    new_client: Callable[..., UpstashClient], waits: Waits
) -> None:
    with tls_server() as port:
        client = new_client(url=f"https://127.0.0.1:{port}")
        with pytest.raises(ApiConnectionError, match=r"certificate that is not trusted.*has not"):
            client.reset_password("some-id")
    assert waits == []


@contextmanager
def server(greeting: bytes) -> Iterator[int]:
    """Accept connections on a loopback port, say something, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(64)
                    connection.sendall(greeting)
                    connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("greeting", "what", "tries"),
    [
        (b"", "broke off the connection while it was being made", MAX_ATTEMPTS),
        (b"HTTP/1.1 200 OK\r\n\r\n", "does not speak TLS as it should", 1),
    ],
)
def test_a_connection_that_was_never_made_sent_nothing(
    new_client: Callable[..., UpstashClient],
    waits: Waits,
    greeting: bytes,
    what: str,
    tries: int,
) -> None:
    with server(greeting) as port:
        client = new_client(url=f"https://127.0.0.1:{port}")
        with pytest.raises(ApiConnectionError, match=f"{what}{UNCHANGED}$"):
            client.reset_password("some-id")
    assert len(waits) == tries - 1


def test_a_refusal_that_broke_off_is_still_a_refusal(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase
) -> None:
    half = Answer(status=403, body=b"half of it", ending="cut_off")
    emulator.fault(Fault("half", applied=False, reshape=lambda _: half), operation="reset")
    with pytest.raises(PermissionDeniedError, match=rf"\(403\){UNCHANGED}$"):
        client.reset_password(database.id)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("HTTPS_PROXY", "http://[", "through the proxy"),
        ("HTTPS_PROXY", "http://:99999", "through the proxy"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9", "through the proxy"),
        ("HTTPS_PROXY", "nonsense://127.0.0.1:9", "through the proxy"),
        ("REQUESTS_CA_BUNDLE", "/no/such/file", "what REQUESTS_CA_BUNDLE names can't be read"),
    ],
)
def test_a_setting_of_the_environment_that_cannot_be_used_sent_nothing(
    new_client: Callable[..., UpstashClient],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    what: str,
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv(name, value)
    with server(b"") as port:
        client = new_client(url=f"https://upstash.invalid:{port}")
        with pytest.raises(ApiConnectionError, match=f"{what}.*{UNCHANGED}$"):
            client.reset_password("some-id")


def test_what_nobody_foresaw_may_have_been_a_reset(
    client: UpstashClient,
    emulator: Emulator,
    database: EmulatedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError(database.password)

    monkeypatch.setattr("requests.models.Response.iter_content", explode)
    emulator.answer = "with_credentials"
    with pytest.raises(ApiContractError, match=f"its answer broke off{MAY_HAVE}$"):
        client.reset_password(database.id)


def test_a_long_wait_is_told(emulator: Emulator, database: EmulatedDatabase, waits: Waits) -> None:
    told: list[str] = []
    settings = Settings(emulator.email, emulator.api_key, emulator.url)
    client = UpstashClient(
        Transport(settings, tell=told.append, clock=waits.clock, sleep=waits.append)
    )
    emulator.fault(Fault.status(429, retry_after=7), operation="reset")
    client.reset_password(database.id)
    (line,) = told
    where = f"cannot reset the password of Redis database '{database.id}': {emulator.url}"
    assert line.startswith(f"{where} is still limiting requests (429): try again later; trying ag")


def test_a_proxy_that_is_not_there_never_saw_the_request(
    new_client: Callable[..., UpstashClient],
    monkeypatch: pytest.MonkeyPatch,
    waits: Waits,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        client = new_client(url="https://upstash.invalid")
        with pytest.raises(ApiConnectionError, match=f"through the proxy.*{UNCHANGED}$"):
            client.reset_password("some-id")
    assert waits == []


def test_plain_http_to_this_machine_ignores_proxies(
    client: UpstashClient,
    emulator: Emulator,
    database: EmulatedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert client.get_database(database.id).database_id == database.id
    assert operations(emulator) == ["get"]


def test_no_error_holds_a_credential(
    client: UpstashClient, emulator: Emulator, database: EmulatedDatabase
) -> None:
    emulator.answer = "with_credentials"
    faults = [
        Fault.cut_off(),
        Fault.without("database_id"),
        Fault.status(500, body="Authorization: canary", applied=True),
        Fault.status(400, body="password=canary"),
        Fault.closed(applied=True),
    ]
    for fault in faults:
        emulator.fault(fault, operation="reset")
        with pytest.raises(ApiError) as raised:
            client.reset_password(database.id)
        text = "".join([str(raised.value), repr(raised.value), repr(raised.value.__cause__)])
        for secret in ("canary", database.password, database.rest_token, emulator.api_key):
            assert secret not in text
        assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_one_process_has_one_client_for_one_account(emulator: Emulator) -> None:
    settings = Settings(emulator.email, emulator.api_key, emulator.url)
    assert client_for(settings) is client_for(Settings(*vars(settings).values()))
    assert client_for(settings) is not client_for(Settings("x@y.z", "other", emulator.url))
