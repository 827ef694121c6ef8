"""Redis commands over the REST API: how each response is read, and what no error text shows."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    IndeterminateOutcomeError,
    RateLimitedError,
    RequestNotSentError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http.client import MAX_ATTEMPTS
from pulumi_upstash_rotation.upstash import redis_rest
from pulumi_upstash_rotation.upstash.redis_rest import MAX_ERROR_LENGTH, RedisRest, Reply

from ..support.payloads import JSON
from ..support.servers import LocalServer, Response, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstash_emulator import Emulator

    from ..support.clock import Clock

TOKEN = "token-canary"
MAY_BE = "it may be done"
GET = ("ACL", "GETUSER", "app")


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    instant = SimpleNamespace(monotonic=clock, sleep=clock.sleep)
    monkeypatch.setattr(redis_rest, "time", instant)
    monkeypatch.setattr(redis_rest, "cancellation", instant)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


def run(url: str, *commands: tuple[str, ...], **options: Any) -> list[Reply]:
    with RedisRest(url, TOKEN) as rest:
        return rest.pipeline(commands or (GET,), "try it", if_maybe_applied=MAY_BE, **options)


def replies_to(server: LocalServer, body: object, **options: Any) -> list[Reply]:
    server.response = Response(body=json.dumps(body).encode())
    return run(server.url, **options)


def test_pipeline_is_one_request_with_the_token(server: LocalServer) -> None:
    assert replies_to(server, [{"result": "OK"}]) == [Reply("OK")]
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/pipeline")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == [["ACL", "GETUSER", "app"]]


@pytest.mark.parametrize("value", [None, 1, "a", ["a", ["b"]], {"a": 1}, ""])
def test_result_is_any_json_value(server: LocalServer, value: Any) -> None:
    (reply,) = replies_to(server, [{"result": value}])
    assert (reply.value, reply.error) == (value, None)


def test_error_of_one_command_is_its_reply(server: LocalServer) -> None:
    server.response = Response(body=b'[{"error":"ERR no"},{"result":1}]')
    assert run(server.url, GET, GET) == [Reply(error="ERR no"), Reply(1)]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"nonsense", b"{}", b"null", b"[]", b"[1]", b"[{}]", b'[{"error":1}]', b'["OK"]'),
        *(
            b'[{"result":1},{"result":1}]',
            b'[{"result":',
            b'{"result":"OK"}',
            b"[" * 100_000,
            b"\xff",
        ),
    ],
)
def test_body_that_is_no_list_of_replies_is_unreadable(server: LocalServer, body: bytes) -> None:
    server.response = Response(body=body)
    with pytest.raises(UnreadableResponseError) as raised:
        run(server.url)
    assert str(raised.value) == (
        "the API accepted the request to try it, but its response is not a list of replies; "
        f"{MAY_BE}"
    )
    assert len(server.received) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(JSON)
def test_any_json_is_replies_or_unreadable(server: LocalServer, body: Any) -> None:
    try:
        (reply,) = replies_to(server, body)
    except UnreadableResponseError:
        return
    assert isinstance(reply, Reply)


@pytest.mark.parametrize(
    ("status", "kind", "what", "attempts"),
    [
        (400, ResponseStatusError, "rejected the request (400)", 1),
        (401, AuthenticationError, "rejected the token (401)", 1),
        (403, ResponseStatusError, "rejected the request (403)", 1),
        (404, ResponseStatusError, "rejected the request (404)", 1),
        (429, RateLimitedError, "is rate limiting requests (429)", None),
        (500, ServerError, "failed (500)", MAX_ATTEMPTS),
        (503, ServerError, "failed (503)", MAX_ATTEMPTS),
    ],
)
def test_error_status(
    server: LocalServer, status: int, kind: type[ApiError], what: str, attempts: int | None
) -> None:
    server.response = Response(status, b'{"error":"canary"}')
    with pytest.raises(ApiError) as raised:
        run(server.url)
    assert type(raised.value) is kind
    assert what in str(raised.value)
    assert "canary" not in str(raised.value)
    assert attempts in {None, len(server.received)}


@pytest.mark.parametrize("lost", [Response(closed=True), Response(500), Response(502)])
def test_lost_response_is_repeated(server: LocalServer, lost: Response) -> None:
    """All these commands may be."""
    server.responses = [lost, lost]
    assert replies_to(server, [{"result": "OK"}]) == [Reply("OK")]
    assert len(server.received) == 3


def test_response_that_stays_lost_states_that_it_may_be_done(server: LocalServer) -> None:
    server.response = Response(closed=True)
    with pytest.raises(IndeterminateOutcomeError, match=f"cannot try it.*; {MAY_BE}$"):
        run(server.url)


def test_request_that_is_not_sent_changes_nothing() -> None:
    with closed_port() as port, pytest.raises(RequestNotSentError, match="; nothing has changed$"):
        run(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("secret", ["secret/canary+1", TOKEN])
def test_error_text_with_a_secret_is_not_shown(server: LocalServer, secret: str) -> None:
    for text in (
        secret,
        f"ERR Error in ACL SETUSER modifier '>{secret}': x",
        secret.encode().hex(),
    ):
        (reply,) = replies_to(server, [{"error": text}], secrets=["secret/canary+1"])
        assert reply.error == "an error whose text holds a secret"


def test_error_text_that_breaks_off_within_a_secret_is_not_shown(server: LocalServer) -> None:
    """Redis cuts the arguments of a command that it does not know."""
    error = "ERR unknown command 'ACL', with args beginning with: 'SETUSER' 'app' '<" + "canary" * 4
    (reply,) = replies_to(server, [{"error": error}], secrets=["canary" * 9])
    assert reply.error == "an error whose text holds a secret"


def test_error_text_is_one_short_line_of_ascii(server: LocalServer) -> None:
    (reply,) = replies_to(server, [{"error": "a\nb\x1b[31mé" + "x" * 999}])
    assert reply.error is not None
    assert reply.error.startswith(r"a\nb\x1b[31m\xe9")
    assert reply.error.isascii()
    assert len(reply.error) < MAX_ERROR_LENGTH + 20


def test_no_repr_shows_a_value_or_the_token() -> None:
    assert "canary" not in repr(Reply("canary"))
    with RedisRest("http://127.0.0.1:1", TOKEN) as rest:
        assert "canary" not in repr(rest)


def test_real_database_runs_the_commands(
    upstash_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))
    database = upstash_emulator.databases[0]
    with RedisRest(database.rest_url, database.rest_token) as rest:
        (made,) = rest.pipeline([("ACL", "GENTOKEN", "app")], "make a token")
        done, shown, odd = rest.pipeline(
            [
                ("ACL", "SETUSER", "app", "on", f">{made.value}"),
                GET,
                ("ACL", "SETUSER", "app", "x"),
            ],
            "add it",
        )
    assert (done.value, shown.value[:2]) == ("OK", ["flags", ["on"]])
    assert re.fullmatch("ERR Error in ACL SETUSER modifier 'x': .*", odd.error or "")
    user = database.user("app")
    assert user is not None
    assert user.tokens == (made.value,)
    with RedisRest(database.rest_url, TOKEN) as rest, pytest.raises(AuthenticationError):
        rest.pipeline([GET], "read it")
