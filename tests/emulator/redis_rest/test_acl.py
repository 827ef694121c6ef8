"""ACL commands over REST: how they are sent, recorded and hit by faults."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests

from upstash_emulator import Fault
from upstash_emulator.redis_rest import api as api_module

from ..support import Api, Rest, rest, wait_until

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase, Emulator


def generate(run: Rest, user: str = "app") -> str:
    return str(run("ACL", "GENTOKEN", user))


def seen(run: Rest, *command: str) -> str:
    """What a client sees of a command."""
    try:
        response = run.post("/", command)
    except requests.exceptions.ChunkedEncodingError:
        return "cut off"
    except requests.ConnectionError:
        return "closed"
    try:
        value = response.json()
    except ValueError:
        return f"{response.status_code}, not JSON"
    return f"{response.status_code}, {value}"


def test_command_in_the_path_is_recorded_without_its_arguments(
    run: Rest, emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    token = generate(run)
    path = f"/acl/setuser/app/on/{quote('>' + token)}/+ping"
    assert rest(api, emulator, database, "GET", path).json() == {"result": "OK"}
    assert run("PING", token=token) == "PONG"
    assert [call.path for call in emulator.calls] == ["/", "/acl/setuser"]
    assert token not in api.call("GET", "/emulator/calls").text


def test_pipeline_runs_acl_commands_in_order_with_the_others(run: Rest, emulator: Emulator) -> None:
    commands = [
        ["SET", "key", "1"],
        ["ACL", "SETUSER", "app", "+get"],
        ["ACL", "SETUSER", "app", "nopass"],
        ["ACL", "USERS"],
        ["GET", "key"],
    ]
    replies = run.post("/pipeline", commands).json()
    assert [reply.get("result") for reply in replies] == [
        *("OK", "OK", None),
        ["default", "default_ro", "app"],
        "1",
    ]
    assert "nopass" in replies[2]["error"]
    assert [call.operation for call in emulator.calls] == [
        *("acl setuser", "acl setuser", "acl users")
    ]


def test_transaction_with_an_acl_command_is_rejected(run: Rest) -> None:
    response = run.post("/multi-exec", [["SET", "key", "1"], ["ACL", "SETUSER", "app"]])
    assert response.status_code == 400
    assert "not available in a transaction" in response.json()["error"]
    assert run("GET", "key") is None


def test_response_in_base64_on_request_is_encoded(
    run: Rest, emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    run("ACL", "SETUSER", "app", "~a")
    base64 = {"Upstash-Encoding": "base64"}
    command = ["ACL", "GETUSER", "app"]
    response = rest(api, emulator, database, "POST", "/", command, headers=base64).json()
    assert response["result"][:2] == ["ZmxhZ3M=", ["b2Zm"]]


def test_other_tokens_cannot_run_acl_commands(run: Rest, database: EmulatedDatabase) -> None:
    token = run.user("app")
    for command in (
        ["ACL", "GENTOKEN", "app"],
        ["ACL", "RESTTOKEN", "app", token],
        ["ACL", "SETUSER", "app", "+acl"],
        ["ACL", "GETUSER", "app"],
        ["ACL", "DELUSER", "app"],
    ):
        for other in (token, database.read_only_rest_token):
            assert str(run(*command, token=other)).startswith("NOPERM")
    run("ACL", "SETUSER", "app", "resetpass")
    assert run("ACL", "GENTOKEN", "app", token=token) == "WRONGPASS invalid password"
    assert run("AUTH", token) == "ERR AUTH is not available over REST in the emulator"


def test_each_command_is_recorded_with_its_outcome(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    database.acl("USERS")
    run("PING")
    generate(run)
    run("ACL", "SETUSER", "app", "nopass")
    run("ACL", "NOSUCH")
    run("ACL", "GETUSER", "app", token="unknown")
    calls = [(call.operation, call.status, call.applied) for call in emulator.calls]
    assert calls == [
        ("acl gentoken", 200, True),
        ("acl setuser", 400, False),
        ("unknown", 400, False),
        ("acl getuser", 401, False),
    ]
    ids = [call.database_id for call in emulator.calls]
    assert ids == [*[database.id] * 3, None]
    emulator.clear()
    assert emulator.calls == []


@pytest.mark.parametrize(
    ("fault", "expected", "applied"),
    [
        (Fault.status(503, body="{}", content_type="application/json"), "503, {}", False),
        (Fault.status(429, retry_after=1, body="busy"), "429, not JSON", False),
        (Fault.status(500, body="<html>", applied=True), "500, not JSON", True),
        (Fault.closed(), "closed", False),
        (Fault.closed(applied=True), "closed", True),
        (Fault.cut_off(), "cut off", True),
        (Fault.garbage(), "200, not JSON", True),
        (Fault.body(None), "200, None", True),
        (Fault.without("result"), "200, {}", True),
        (Fault.merge({"result": 7}), "200, {'result': 7}", True),
        (Fault.rename({"result": "error"}), "200, {'error': 'OK'}", True),
        (Fault.wrap("data"), "200, {'data': {'result': 'OK'}}", True),
        (Fault.rewrite("OK", "NO"), "200, {'result': 'NO'}", True),
        (Fault.delay(0.01), "200, {'result': 'OK'}", True),
        (Fault.delay(0.01, applied=True), "200, {'result': 'OK'}", True),
        (Fault.headers({"X-Cache": "HIT"}), "200, {'result': 'OK'}", True),
        (Fault.interim(100), "200, {'result': 'OK'}", True),
        (Fault.drip("body", 0.01), "200, {'result': 'OK'}", True),
        (Fault.delay(0.01).also(Fault.closed()), "closed", False),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_fault_hits_its_command_once(
    run: Rest,
    emulator: Emulator,
    database: EmulatedDatabase,
    fault: Fault,
    expected: str,
    applied: bool,
) -> None:
    emulator.fault(fault, operation="acl setuser", database_id=database.id)
    assert run("ACL", "GETUSER", "app") is None
    assert run("PING") == "PONG"
    assert seen(run, "ACL", "SETUSER", "app", "+get") == expected
    assert (database.user("app") is not None) == applied
    call = emulator.calls[-1]
    assert (call.operation, call.applied, call.fault) == ("acl setuser", applied, fault.kind)
    assert call.status == (None if expected == "closed" else call.status)
    assert seen(run, "ACL", "SETUSER", "app", "+get") == "200, {'result': 'OK'}"


@pytest.mark.parametrize(
    ("operation", "command"),
    [
        ("acl gentoken", ["ACL", "GENTOKEN", "app"]),
        ("acl getuser", ["acl", "getuser", "app"]),
        ("acl deluser", ["ACL", "DELUSER", "app"]),
        ("acl whoami", ["ACL", "WHOAMI"]),
        ("any", ["ACL", "LIST"]),
    ],
)
def test_fault_has_the_name_of_the_subcommand(
    run: Rest, emulator: Emulator, operation: str, command: list[str]
) -> None:
    emulator.fault(Fault.closed(), operation=operation)
    assert seen(run, *command) == "closed"
    assert seen(run, *command).startswith("200")


def test_fault_of_the_developer_api_hits_no_acl_command(
    run: Rest, emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    emulator.fault(Fault.closed(), operation="get")
    emulator.fault(Fault.slow_propagation(60))
    emulator.fault(Fault.closed(), operation="acl users", database_id=emulator.databases[1].id)
    assert run("ACL", "USERS") == ["default", "default_ro"]
    with pytest.raises(requests.ConnectionError):
        api.get(database)


def test_fault_before_the_command_comes_before_authentication(
    run: Rest, emulator: Emulator
) -> None:
    fault = Fault.status(503, body="{}", content_type="application/json")
    emulator.fault(fault, operation="acl users")
    assert run.post("/", ["ACL", "USERS"], token="unknown").status_code == 503
    assert run.post("/", ["ACL", "USERS"], token="unknown").status_code == 401


def test_command_that_a_reset_overtakes_is_rejected(
    run: Rest, emulator: Emulator, database: EmulatedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = database.rest_token

    async def sleep(seconds: float) -> None:
        if seconds:
            await database._database.reset()

    monkeypatch.setattr(api_module, "asyncio", SimpleNamespace(sleep=sleep))
    emulator.fault(Fault.delay(60), operation="acl setuser")
    assert run("ACL", "SETUSER", "app", token=token) == "WRONGPASS invalid password"
    assert database.resets == 1
    assert database.user("app") is None


def test_command_in_flight_whose_user_is_deleted_is_rejected(run: Rest) -> None:
    token = run.user("app")
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(run, "BLPOP", "key", "60", token=token)
        assert wait_until(lambda: "blocked_clients:1" in str(run("INFO", "clients")))
        assert run("ACL", "DELUSER", "app") == 1
        assert blocked.result(60) == "WRONGPASS invalid password"


def test_fault_in_a_pipeline_hits_the_whole_request(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    emulator.fault(Fault.closed(applied=True), operation="acl setuser")
    commands = [["ACL", "GETUSER", "app"], ["ACL", "SETUSER", "app"]]
    with pytest.raises(requests.ConnectionError):
        run.post("/pipeline", commands)
    assert database.user("app") is not None
    assert [call.fault for call in emulator.calls] == ["closed"] * 2


def test_command_that_is_rejected_uses_up_a_fault(run: Rest, emulator: Emulator) -> None:
    emulator.fault(Fault.garbage(), operation="acl setuser")
    assert "nopass" in str(run("ACL", "SETUSER", "app", "nopass"))
    assert run("ACL", "SETUSER", "app") == "OK"


def test_control_api_plans_faults_and_selects_the_readings(
    run: Rest, emulator: Emulator, database: EmulatedDatabase, api: Api
) -> None:
    token = run.user("app")
    plan = {"kind": "closed", "operation": "acl deluser", "applied": True}
    assert api.control("POST", "/faults", **plan).status_code == 201
    readings = {
        "reset_spares_acl_users": False,
        "removed_token_disconnects": True,
        "acl_digests_are_of_tokens": False,
    }
    assert api.control("PATCH", "/settings", **readings).json() == readings
    assert emulator.removed_token_disconnects
    assert not emulator.acl_digests_are_of_tokens
    database.reset_in_console()
    assert run("PING", token=token) == "WRONGPASS invalid password"
    assert seen(run, "ACL", "DELUSER", "app") == "closed"
    assert database.user("app") is None
