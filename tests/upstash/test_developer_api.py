"""Every way in which a call to the Developer API can end, over real sockets."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DatabaseNotFoundError,
    IndeterminateOutcomeError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http.client import MAX_ATTEMPTS, Request
from pulumi_upstash_rotation.http.retries import Effect
from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi, client_for, rejection
from pulumi_upstash_rotation.upstash.settings import DEFAULT_RATE_LIMIT_WAIT, Settings
from upstash_emulator import Emulator, Fault

from ..support.servers import LocalServer, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from upstash_emulator import EmulatedDatabase

    from ..support.clock import Clock

    NewApi = Callable[..., DeveloperApi]

UNCHANGED = "; the password has not changed"
MAY_HAVE = "; the password may have changed"


def operations(emulator: Emulator) -> list[str]:
    return [call.operation for call in emulator.calls]


def settings_of(emulator: Emulator, **changes: Any) -> Settings:
    return replace(Settings(emulator.email, emulator.api_key, emulator.url), **changes)


def test_reset_and_read_are_one_request_each(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase
) -> None:
    previous = database.password
    assert api.reset_password(database.id).database.credentials.password is None
    assert api.get_database(database.id).credentials.password == database.password != previous
    assert operations(emulator) == ["reset", "get"]
    assert emulator.calls[0].user_agent.startswith("pulumi-upstash-rotation/")
    assert emulator.connections == 1


@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        (Fault.status(400), ResponseStatusError, "rejected the request (400)"),
        (
            Fault.status(401),
            AuthenticationError,
            "rejected the e-mail and API key (401). Use a Developer API key of a native Upstash "
            "account, with that account's e-mail",
        ),
        (
            Fault.status(403),
            PermissionDeniedError,
            "rejected the request (403). Check the permissions of the API key",
        ),
        (
            Fault.status(404),
            DatabaseNotFoundError,
            "has no such database in this account (404)",
        ),
        (Fault.status(405), ResponseStatusError, "rejected the request (405)"),
        (Fault.status(406), ResponseStatusError, "rejected the request (406)"),
    ],
)
def test_rejected_reset_states_that_the_password_has_not_changed_and_is_not_retried(
    api: DeveloperApi,
    emulator: Emulator,
    database: EmulatedDatabase,
    fault: Fault,
    kind: type[ApiError],
    what: str,
) -> None:
    emulator.fault(fault, operation="reset")
    with pytest.raises(kind) as raised:
        api.reset_password(database.id)
    where = f"cannot reset the password of Redis database '{database.id}': {emulator.url}"
    assert str(raised.value) == f"{where} {what}{UNCHANGED}"
    assert type(raised.value) is kind
    assert operations(emulator) == ["reset"]
    assert database.resets == 0


@pytest.mark.parametrize("status", [302, 303, 304, 408, 409, 499])
@pytest.mark.parametrize("applied", [False, True])
def test_reset_with_a_status_that_is_no_rejection_may_have_been_applied(
    api: DeveloperApi,
    emulator: Emulator,
    database: EmulatedDatabase,
    status: int,
    applied: bool,
) -> None:
    emulator.fault(Fault.status(status, applied=applied), operation="reset")
    with pytest.raises(
        IndeterminateOutcomeError, match=rf"unexpected status \({status}\){MAY_HAVE}$"
    ):
        api.reset_password(database.id)
    assert operations(emulator) == ["reset"]
    assert database.resets == applied


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("applied", [False, True])
def test_reset_with_a_server_error_may_have_been_applied(
    api: DeveloperApi,
    emulator: Emulator,
    database: EmulatedDatabase,
    status: int,
    applied: bool,
) -> None:
    emulator.fault(Fault.status(status, applied=applied), operation="reset")
    with pytest.raises(ServerError, match=rf"failed \({status}\){MAY_HAVE}$"):
        api.reset_password(database.id)
    assert operations(emulator) == ["reset"]
    assert database.resets == applied


@pytest.mark.parametrize("applied", [False, True])
def test_reset_with_a_lost_response_may_have_been_applied(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase, applied: bool
) -> None:
    emulator.fault(Fault.closed(applied=applied), operation="reset")
    with pytest.raises(
        IndeterminateOutcomeError, match=f"closed the connection before it responded{MAY_HAVE}$"
    ):
        api.reset_password(database.id)
    assert operations(emulator) == ["reset"]


def test_reset_with_a_late_response_may_have_been_applied(
    api: DeveloperApi,
    emulator: Emulator,
    database: EmulatedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pulumi_upstash_rotation.http.client.READ_TIMEOUT_SECONDS", 0.2)
    emulator.fault(Fault.delay(1, applied=True), operation="reset")
    with pytest.raises(IndeterminateOutcomeError, match=f"gave no response within 0 s{MAY_HAVE}$"):
        api.reset_password(database.id)


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        (Fault.garbage(), "its response is not a Database object"),
        (Fault.garbage(b""), "its response is not a Database object"),
        (Fault.garbage("<html>proxy</html>"), "its response is not a Database object"),
        (Fault.garbage("[" * 100_000), "its response is not a Database object"),
        (Fault.garbage(b"x" * (9 << 20)), "its response broke off"),
        (Fault.body(None), "its response is not a Database object"),
        (Fault.body("OK"), "its response is not a Database object"),
        (Fault.body([]), "its response is not a Database object"),
        (Fault.body({"database_id": ""}), "its response is not a Database object"),
        (Fault.body({"database_id": "another"}), "its response is about another database"),
    ],
)
def test_reset_with_an_unreadable_success_may_have_been_applied(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase, fault: Fault, how: str
) -> None:
    emulator.fault(fault, operation="reset")
    with pytest.raises(UnreadableResponseError) as raised:
        api.reset_password(database.id)
    assert str(raised.value) == (
        f"the API accepted the request to reset the password of Redis database '{database.id}', "
        f"but {how}{MAY_HAVE}"
    )
    assert operations(emulator) == ["reset"]
    assert database.resets == 1


@pytest.mark.parametrize("retry_after", [None, 7, "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_rate_limited_reset_is_retried_after_the_seconds_in_retry_after(
    api: DeveloperApi,
    emulator: Emulator,
    database: EmulatedDatabase,
    clock: Clock,
    retry_after: float | str | None,
) -> None:
    emulator.fault(Fault.status(429, retry_after=retry_after), operation="reset", times=2)
    api.reset_password(database.id)
    assert operations(emulator) == ["reset"] * 3
    assert database.resets == 1
    asked = 7 if retry_after == 7 else 0
    assert len(clock.sleeps) == 2
    assert all(asked < sleep < asked + 3 for sleep in clock.sleeps)


def test_reset_that_stays_rate_limited_fails_within_the_budget(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase, clock: Clock
) -> None:
    emulator.fault(Fault.status(429, retry_after=DEFAULT_RATE_LIMIT_WAIT), operation="reset")
    with pytest.raises(RateLimitedError, match=rf"is rate limiting requests \(429\){UNCHANGED}$"):
        api.reset_password(database.id)
    assert clock.sleeps == []
    clock.seconds += DEFAULT_RATE_LIMIT_WAIT + 1
    began = clock.seconds
    emulator.fault(Fault.status(429, retry_after=0), operation="reset", times=None)
    with pytest.raises(RateLimitedError):
        api.reset_password(database.id)
    assert DEFAULT_RATE_LIMIT_WAIT - 25 < clock.seconds - began < DEFAULT_RATE_LIMIT_WAIT
    assert database.resets == 0


@pytest.mark.parametrize(
    "fault",
    [Fault.status(500), Fault.status(503), Fault.status(429), Fault.closed()],
)
@pytest.mark.parametrize("operation", ["get", "list"])
def test_failed_read_is_retried(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase, operation: Any, fault: Fault
) -> None:
    emulator.fault(fault, operation=operation, times=2)
    if operation == "get":
        assert api.get_database(database.id).database_id == database.id
    else:
        assert [each.database_id for each in api.list_databases()] == [database.id]
    assert operations(emulator) == [operation] * 3


def test_read_that_keeps_failing_states_that_nothing_has_changed(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.status(500), operation="get", times=None)
    with pytest.raises(ServerError) as raised:
        api.get_database(database.id)
    assert str(raised.value) == (
        f"cannot read Redis database '{database.id}': {emulator.url} failed (500); "
        "nothing has changed"
    )
    assert len(emulator.calls) == MAX_ATTEMPTS


def test_read_only_key_reads_and_its_reset_is_rejected_by_name(
    new_api: NewApi, emulator: Emulator, database: EmulatedDatabase
) -> None:
    api = new_api(emulator.read_only_api_key)
    assert api.get_database(database.id).database_id == database.id
    with pytest.raises(PermissionDeniedError) as raised:
        api.reset_password(database.id)
    what = (
        "rejected the request because the API key is read-only (403). Use a key with write access"
    )
    assert str(raised.value).endswith(f" {what}{UNCHANGED}")
    assert database.resets == 0


def test_reset_of_a_suspended_database_is_rejected_by_name(
    api: DeveloperApi, database: EmulatedDatabase
) -> None:
    database.suspend()
    with pytest.raises(ResponseStatusError) as raised:
        api.reset_password(database.id)
    assert str(raised.value).endswith(
        f" rejected the request because the database is suspended (400). Resume it in the "
        f"console{UNCHANGED}"
    )


def test_wrong_key_is_an_authentication_error(new_api: NewApi, database: EmulatedDatabase) -> None:
    with pytest.raises(AuthenticationError, match="rejected the e-mail and API key"):
        new_api("wrong-canary").reset_password(database.id)


def test_list_of_databases_is_one_request(api: DeveloperApi, emulator: Emulator) -> None:
    emulator.add_database("another")
    assert [each.database_id for each in api.list_databases()] == [
        each.id for each in emulator.databases
    ]
    assert operations(emulator) == ["list"]


@pytest.mark.parametrize("value", [None, "OK", 7, {}, [{}], [None], {"database_id": "x"}])
def test_list_that_is_not_one_is_an_unreadable_response(
    api: DeveloperApi, emulator: Emulator, value: object
) -> None:
    emulator.fault(Fault.body(value), operation="list")
    with pytest.raises(UnreadableResponseError, match="not a list of databases; nothing has ch"):
        api.list_databases()


def test_database_id_cannot_leave_its_place_in_the_path(
    api: DeveloperApi, emulator: Emulator
) -> None:
    with pytest.raises(ResponseStatusError):
        api.get_database("../redis/database/x?y#z")
    (call,) = emulator.calls
    assert "?" not in call.path.removesuffix("x?y#z")
    assert call.path.startswith("/v2/redis/database/")


def test_long_wait_is_reported(
    new_api: NewApi, emulator: Emulator, database: EmulatedDatabase
) -> None:
    reports: list[str] = []
    emulator.fault(Fault.status(429, retry_after=7), operation="reset")
    new_api(report=reports.append).reset_password(database.id)
    (line,) = reports
    where = f"cannot reset the password of Redis database '{database.id}': {emulator.url}"
    assert line.startswith(f"{where} is rate limiting requests (429); retrying in ")


@pytest.mark.parametrize(
    "fault",
    [
        Fault.garbage(b"\x00\xff canary"),
        Fault.status(500, body="Authorization: canary", applied=True),
        Fault.status(400, body="password=canary"),
        Fault.closed(applied=True),
    ],
)
def test_no_error_holds_a_credential(
    api: DeveloperApi, emulator: Emulator, database: EmulatedDatabase, fault: Fault
) -> None:
    emulator.reset_response = "with_credentials"
    emulator.fault(fault, operation="reset")
    with pytest.raises(ApiError) as raised:
        api.reset_password(database.id)
    text = f"{raised.value} {raised.value!r} {raised.value.__cause__!r}"
    for secret in ("canary", database.password, database.rest_token, emulator.api_key):
        assert secret not in text
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (300, b"", ResponseStatusError),
        (400, b"", ResponseStatusError),
        (400, b'{"message": "Readonly API Key can not"}', PermissionDeniedError),
        (403, b"READONLY API KEY", PermissionDeniedError),
        (400, b'{"message": "database is suspended"}', ResponseStatusError),
        (401, b"", AuthenticationError),
        (404, b'{"message": "database not found"}', DatabaseNotFoundError),
        (404, b'"database not found"', DatabaseNotFoundError),
        (404, b"", ResponseStatusError),
        (404, b"database not found", ResponseStatusError),
        (404, b"<html>", ResponseStatusError),
        (404, b"[" * 100_000, ResponseStatusError),
        (418, b"\xff", ResponseStatusError),
        (429, b"", RateLimitedError),
        (500, b"readonly api key", ServerError),
        (599, b"", ServerError),
    ],
)
def test_status_and_body_become_one_error_that_names_the_status(
    status: int, body: bytes, kind: type[ResponseStatusError]
) -> None:
    found, what = rejection(status, body)
    assert found is kind
    assert f"({status})" in what


# One client and one rate limit for an account


def test_api_connects_only_for_a_request() -> None:
    def connect() -> Any:
        raise ConfigurationError("no credentials")

    api = DeveloperApi(connect, lambda: "")
    with pytest.raises(ConfigurationError, match="no credentials"):
        api.get_database("x")


def test_same_settings_have_one_client(emulator: Emulator) -> None:
    assert client_for(settings_of(emulator)) is client_for(settings_of(emulator))
    assert client_for(settings_of(emulator)) is not client_for(settings_of(emulator, api_key="x"))


def test_client_waits_for_the_rate_limit_as_long_as_the_settings_state(emulator: Emulator) -> None:
    assert client_for(settings_of(emulator, rate_limit_wait=7))._rate_limit_wait == 7


def test_threads_that_ask_at_once_get_one_client() -> None:
    settings = Settings("race@b.c", "key", "http://127.0.0.1:9")
    with ThreadPoolExecutor(32) as pool:
        assert len({id(client) for client in pool.map(client_for, [settings] * 32)}) == 1


def test_clients_of_one_account_with_different_keys_share_its_rate_limit(
    emulator: Emulator,
) -> None:
    one, other = (client_for(settings_of(emulator, api_key=key)) for key in ("one", "other"))
    assert one._rate_limit is other._rate_limit


@pytest.mark.parametrize("changes", [{"email": "x@y.z"}, {"api_url": "http://127.0.0.1:9"}])
def test_clients_of_different_accounts_have_different_rate_limits(
    emulator: Emulator, changes: dict[str, str]
) -> None:
    mine, theirs = client_for(settings_of(emulator)), client_for(settings_of(emulator, **changes))
    assert mine._rate_limit is not theirs._rate_limit


def test_different_keys_together_have_no_more_requests_in_flight_than_the_account_may() -> None:
    read = Request("GET", "/", Effect.READ, "read it")
    with LocalServer() as server:
        server.response = Response(delay_seconds=0.02)
        clients = [client_for(Settings("a@b.c", key, server.url, 3)) for key in ("one", "other")]
        with ThreadPoolExecutor(32) as pool:
            for job in [pool.submit(client.send, read) for client in clients * 16]:
                job.result()
    assert len(server.received) == 32
    assert server.most_in_flight == 3


def test_client_with_an_unreadable_bundle_is_a_configuration_error_before_any_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    with LocalServer() as server:
        settings = Settings("a@b.c", "key", f"https://127.0.0.1:{server.port}")
        api = DeveloperApi(lambda: client_for(settings), lambda: "")
        with pytest.raises(ConfigurationError) as raised:
            api.reset_password("x")
    assert str(raised.value) == (
        "cannot read the certificates that REQUESTS_CA_BUNDLE names. Correct or unset it"
    )
    assert server.connections == 0


def test_fleet_under_a_rate_limit_resets_each_database_once() -> None:
    with Emulator(databases=128, redis_servers=False, requests_per_second=60) as emulator:
        api = DeveloperApi(
            lambda: client_for(settings_of(emulator, max_concurrency=32)), lambda: ""
        )
        with ThreadPoolExecutor(128) as pool:
            list(pool.map(api.reset_password, [each.id for each in emulator.databases]))
        statuses = Counter(call.status for call in emulator.calls)
        assert {each.resets for each in emulator.databases} == {1}
        assert statuses[200] == 128
        assert statuses[429] > 0
        assert emulator.connections <= 32


def test_connections_are_never_more_than_max_concurrency() -> None:
    with Emulator(databases=40, redis_servers=False, latency_seconds=0.05) as emulator:
        api = DeveloperApi(lambda: client_for(settings_of(emulator, max_concurrency=8)), lambda: "")
        with ThreadPoolExecutor(40) as pool:
            list(pool.map(api.reset_password, [each.id for each in emulator.databases]))
        assert emulator.connections == 8
        assert len(emulator.calls) == 40
