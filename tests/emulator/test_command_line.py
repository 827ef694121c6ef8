"""`python -m upstash_emulator`, as a user meets it."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import command_line
from upstash_emulator.redis_processes import binary as redis_binary

from .support import alive, descendants, gone

if TYPE_CHECKING:
    from collections.abc import Iterator


USE_EVERYTHING = """
import os, requests, redis
url, auth = os.environ["UPSTASH_API_URL"], (
    os.environ["UPSTASH_EMAIL"], os.environ["UPSTASH_API_KEY"])
for database in requests.get(f"{url}/v2/redis/databases", auth=auth).json():
    path = f"/{database['database_id']}"
    assert requests.post(f"{url}/v2/redis/reset-password{path}", auth=auth).status_code == 200
    password = requests.get(f"{url}/v2/redis/database{path}", auth=auth).json()["password"]
    print(redis.Redis(port=database["port"], password=password, ssl=True).ping())
"""


@contextmanager
def running(
    *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command while it runs, and what it printed up to the line about stopping it."""
    with subprocess.Popen(
        [sys.executable, "-m", "upstash_emulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        lines: list[str] = []
        try:
            while process.stdout and not (lines and "Ctrl-C" in lines[-1]):
                lines.append(process.stdout.readline().rstrip("\n"))
                assert process.poll() is None, process.stderr and process.stderr.read()
            yield process, lines
        finally:
            process.terminate()


def exported(lines: list[str]) -> dict[str, str]:
    assignments = [shlex.split(line)[1] for line in lines if line.startswith("export ")]
    return dict(assignment.split("=", 1) for assignment in assignments)


@pytest.fixture(scope="module")
def printed() -> Iterator[list[str]]:
    """What a running emulator with one database has printed."""
    with running("--databases", "1") as (_, lines):
        yield lines


@pytest.fixture(scope="module")
def printed_by_a_fleet() -> Iterator[list[str]]:
    """The same for 40 databases without Redis, and with a chosen e-mail and API key."""
    chosen = {"UPSTASH_EMULATOR_API_KEY": "a key's quotes"}
    options = ("--databases", "40", "--no-redis-servers", "--email", "me@example.com")
    with running(*options, environment=chosen) as (_, lines):
        yield lines


def test_printed_exports_in_another_shell_are_all_that_it_needs(printed: list[str]) -> None:
    used = subprocess.run(
        [sys.executable, "-c", USE_EVERYTHING],
        env={**os.environ, **exported(printed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert used.stdout.split() == ["True"], used.stderr


def test_printed_text_is_short_and_names_every_database(printed: list[str]) -> None:
    lines = printed
    assert set(exported(lines)) == {
        "UPSTASH_EMAIL",
        "UPSTASH_API_KEY",
        "UPSTASH_API_URL",
        "SSL_CERT_FILE",
    }
    assert lines[0].startswith("Upstash emulator: 1 database, Redis ")
    assert any(line.startswith("database-1  ") and "rediss://127.0.0.1:" in line for line in lines)
    assert len(lines) < 12


def test_printed_text_with_40_databases_lists_16_of_them(printed_by_a_fleet: list[str]) -> None:
    lines = printed_by_a_fleet
    assert len([line for line in lines if line.startswith("database-")]) == 16
    assert any(line.startswith("… and 24 more: http://127.0.0.1:") for line in lines)
    assert lines[0].startswith("Upstash emulator: 40 databases, without Redis")


def test_api_key_from_the_environment_is_used(printed_by_a_fleet: list[str]) -> None:
    variables = exported(printed_by_a_fleet)
    assert variables["UPSTASH_API_KEY"] == "a key's quotes"
    assert variables["UPSTASH_EMAIL"] == "me@example.com"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_emulator_after_a_signal_stops_and_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    env_file = tmp_path / "emulator.env"
    with running("--env-file", str(env_file)) as (process, lines):
        variables = exported(lines)
        assert env_file.read_text().splitlines()[1:] == [
            line for line in lines if line.startswith("export ")
        ]
        assert env_file.stat().st_mode & 0o777 == 0o600
        started = descendants(process.pid)
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")
    assert len(started) == 3
    assert not alive(started)
    assert not Path(variables["SSL_CERT_FILE"]).parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_emulator_after_sigkill_leaves_no_redis_server_and_no_folder() -> None:
    with running("--databases", "3") as (process, lines):
        folder = Path(exported(lines)["SSL_CERT_FILE"]).parent
        started = descendants(process.pid)
        assert len(started) == 4
        assert alive(started) == started
        process.kill()
        process.wait()
        assert gone(started)
        assert not folder.exists()


def test_emulator_after_ctrl_c_for_its_whole_process_group_stops_cleanly() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "upstash_emulator", "--port", "0", "--databases", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while "Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "signal", lambda *_: None)
        assert command_line.main(arguments) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert len(errors.splitlines()) == 1
    return errors


def test_port_that_is_taken_gives_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = error_line(capsys, "--port", port, "--no-redis-servers")
    assert f"port {port} of 127.0.0.1: it is taken" in line
    assert "port 0" in line


def test_machine_without_redis_server_gives_one_clear_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_binary.find_redis_binary.cache_clear()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(redis_binary, "find_spec", lambda _name: None)
    line = error_line(capsys, "--port", "0")
    assert "no redis-server" in line
    assert "--no-redis-servers" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_host_that_other_machines_reach_is_rejected(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert "--allow-other-machines" in error_line(capsys, "--host", host)


def test_host_that_other_machines_reach_is_used_with_the_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("--host", "192.0.2.1", "--allow-other-machines", "--no-redis-servers")
    assert "cannot listen on port 8080 of 192.0.2.1" in error_line(capsys, *arguments)


def test_env_file_that_another_program_wrote_stays_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    precious = tmp_path / ".env"
    precious.write_text("SECRET=1\n")
    base = ("--port", "0", "--no-redis-servers", "--env-file")
    assert "not a file of the emulator" in error_line(capsys, *base, str(precious))
    assert precious.read_text() == "SECRET=1\n"
    assert "cannot write" in error_line(capsys, *base, str(tmp_path / "no folder" / ".env"))


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--databases", "-1"], ["--bogus"]])
def test_arguments_that_are_wrong_are_explained(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        command_line.main(arguments)
    assert "usage: python -m upstash_emulator" in capsys.readouterr().err
