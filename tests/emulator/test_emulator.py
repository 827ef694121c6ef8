"""`Emulator`: start and stop, settings, and no secret anywhere."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import redis
import requests

from upstash_emulator import Emulator, EmulatorError, Fault

from .support import (
    AT_ONCE,
    TIMEOUT_SECONDS,
    Api,
    alive,
    descendants,
    gone,
    rest_client,
    secrets_of,
    wait_until,
)


def test_stop_leaves_no_process_no_thread_and_no_file() -> None:
    before, threads = descendants(os.getpid()), set(threading.enumerate())
    with Emulator(databases=3) as emulator:
        folder = emulator.ca_bundle.parent
        started = descendants(os.getpid()) - before
        assert len(started) == 1 + 3
        with Api(emulator) as api:
            api.list()
    assert not alive(started)
    assert not folder.exists()
    assert wait_until(lambda: set(threading.enumerate()) <= threads)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(emulator.url.rpartition(":")[2])))


def test_stop_with_slow_responses_and_idle_clients_does_not_wait() -> None:
    emulator = Emulator()
    emulator.start()
    emulator.fault(Fault.delay(60))
    with ThreadPoolExecutor(1) as pool, Api(emulator) as api:
        call = pool.submit(api.list)
        with rest_client(emulator, emulator.databases[0], emulator.databases[0].rest_token) as rest:
            assert rest.ping() == "PONG"
            assert wait_until(lambda: emulator.connections == 1)
            started = time.monotonic()
            emulator.stop()
            assert time.monotonic() - started < 10
        with pytest.raises(requests.ConnectionError):
            call.result()


def test_calls_and_resets_after_stop_stay_readable() -> None:
    with Emulator(databases=1, redis_servers=False) as emulator, Api(emulator) as api:
        api.reset(emulator.databases[0])
    assert [call.operation for call in emulator.calls] == ["reset"]
    assert emulator.databases[0].resets == emulator.resets == 1
    emulator.stop()
    with pytest.raises(EmulatorError, match="stopped"):
        emulator.add_database()


def test_start_of_an_emulator_that_was_started_is_rejected() -> None:
    emulator = Emulator(redis_servers=False)
    with pytest.raises(EmulatorError, match="not started"):
        emulator.add_database()
    emulator.stop()
    with emulator, pytest.raises(EmulatorError, match="only once"):
        emulator.start()


def test_several_emulators_at_once_are_independent() -> None:
    with Emulator() as first, Emulator() as second:
        assert first.url != second.url
        assert first.api_key != second.api_key
        assert first.databases[0].port != second.databases[0].port


def test_64_databases_start_in_order_within_seconds() -> None:
    started = time.monotonic()
    with Emulator(databases=64) as emulator:
        assert time.monotonic() - started < 30
        assert len({database.port for database in emulator.databases}) == 64
        names = [database.name for database in emulator.databases]
        assert names == [f"database-{number}" for number in range(1, 65)]


def test_start_on_a_port_that_is_taken_names_it_and_leaves_nothing_behind() -> None:
    before = descendants(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"port {port} of 127.0.0.1: it is taken"):
            Emulator(port=port).start()
    assert gone(descendants(os.getpid()) - before)


def test_host_on_the_ipv6_loopback_is_served_if_the_machine_has_one() -> None:
    emulator = Emulator(host="::1", redis_servers=False)
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        with pytest.raises(EmulatorError, match="cannot listen on port 0 of ::1"):
            emulator.start()
        return
    with emulator, Api(emulator) as api:
        assert emulator.url.startswith("http://[::1]:")
        assert api.list().status_code == 200


def test_fleet_without_redis_servers_resets_and_replies_to_ping() -> None:
    before = descendants(os.getpid())
    with Emulator(databases=500, redis_servers=False) as fleet:
        assert len(descendants(os.getpid()) - before) == 1
        database = fleet.databases[499]
        old = database.rest_token
        with Api(fleet) as api:
            assert api.reset(database).status_code == 200
        with rest_client(fleet, database, database.rest_token) as client:
            assert client.ping() == "PONG"
            assert client.echo("hello") == "hello"
            assert client.pipeline().ping().echo("x").exec() == ["PONG", "x"]
            with pytest.raises(Exception, match="runs without redis-servers"):
                client.get("key")
        with (
            rest_client(fleet, database, old) as client,
            pytest.raises(Exception, match="WRONGPASS"),
        ):
            client.ping()
        redis_client = redis.Redis(port=database.port, retry=AT_ONCE)
        with pytest.raises(redis.ConnectionError, match="refused"):
            redis_client.ping()
        redis_client.close()
        database.take_offline()
        with (
            rest_client(fleet, database, database.rest_token) as client,
            pytest.raises(Exception, match="disconnected"),
        ):
            client.ping()
        fleet.clear(restore=True)
        with rest_client(fleet, database, database.rest_token) as client:
            assert client.ping() == "PONG"


def test_reset_response_that_does_not_exist_is_rejected() -> None:
    with pytest.raises(EmulatorError, match="documented, with_credentials"):
        Emulator(reset_response="new")


def test_environment_is_all_that_a_program_needs() -> None:
    with Emulator(email="me@example.com", api_key="my-key") as emulator:
        environment = emulator.environment
        assert environment["UPSTASH_EMAIL"] == "me@example.com"
        assert environment["UPSTASH_API_KEY"] == "my-key"
        response = requests.get(
            f"{environment['UPSTASH_API_URL']}/v2/redis/databases",
            auth=(environment["UPSTASH_EMAIL"], environment["UPSTASH_API_KEY"]),
            timeout=TIMEOUT_SECONDS,
        )
        assert response.status_code == 200
        assert environment["SSL_CERT_FILE"] == str(emulator.ca_bundle)


def test_ca_bundle_trusts_the_usual_roots_of_the_machine_as_well() -> None:
    with Emulator(redis_servers=False) as emulator:
        text = emulator.ca_bundle.read_text(errors="replace")
        assert text.count("BEGIN CERTIFICATE") > 20


def test_text_of_any_object_holds_no_secret() -> None:
    with Emulator(databases=1) as emulator:
        database = emulator.databases[0]
        emulator.fault(fault := Fault.body({"password": database.password}))
        with Api(emulator) as api:
            api.reset(database)
        objects = [
            emulator,
            database,
            database._database,
            database._database.credentials,
            database._database.backend,
            emulator.calls,
            emulator._simulation.options,
            emulator._simulation.account,
            fault,
        ]
        printed = "\n".join(f"{each!r} {each}" for each in objects)
        assert database.id in printed
        assert not [secret for secret in secrets_of(emulator) if secret in printed]


def test_private_folder_is_closed_to_others_and_holds_no_secret() -> None:
    with Emulator(databases=2) as emulator:
        emulator.databases[0].reset_in_console()
        folder = emulator.ca_bundle.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = [file.read_bytes() for file in folder.iterdir() if file.is_file()]
        assert len(files) == 3
        secrets = [secret.encode() for secret in secrets_of(emulator)]
        assert not [secret for secret in secrets for content in files if secret in content]
        assert len(os.fsencode(folder)) < 90


def test_command_lines_and_environments_of_all_processes_hold_no_secret() -> None:
    with Emulator(databases=2) as emulator:
        first = secrets_of(emulator)
        emulator.databases[0].reset_in_console()
        secrets = first | secrets_of(emulator)
        seen = []
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                seen += [*process.cmdline(), *process.environ().values()]
        assert any("redis-server" in text for text in seen)
        assert not [secret for secret in secrets for text in seen if secret in text]


def test_account_that_is_added_has_an_environment_of_its_own_until_restore() -> None:
    with Emulator(redis_servers=False) as emulator:
        account = emulator.add_account("other@example.com", "a key")
        assert account.environment == {
            **emulator.environment,
            "UPSTASH_EMAIL": "other@example.com",
            "UPSTASH_API_KEY": "a key",
        }
        assert "a key" not in repr(account)
        emulator.add_database(account=account)
        with pytest.raises(EmulatorError, match="there is an account other@example.com"):
            emulator.add_account("other@example.com")
        emulator.clear(restore=True)
        assert len(emulator.databases) == 1
        with pytest.raises(EmulatorError, match="no account other@example.com"):
            emulator.add_database(account=account)
