"""The plugin's process: its command line, and how it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.frontends.native import main as plugin
from pulumi_upstash_rotation.frontends.native.version import plugin_version

if TYPE_CHECKING:
    from pathlib import Path

MODULE = [sys.executable, "-m", plugin.__name__]
SECONDS = 60
"""How long a test waits for a process that ends soon."""


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MODULE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, **environ},
    )


def test_version_is_printed_without_the_sdk(tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text("raise ImportError")
    done = run("--version", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{plugin_version()}\n", "")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_shows_the_command(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plugin", option])
    assert plugin.main() == 0
    assert "pulumi-resource-upstash-rotation [OPTIONS] [ENGINE]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "text", "kind"),
    [
        ("grpc.py", "raise ImportError('canary')", "ImportError"),
        ("pulumi/__init__.py", "", "ModuleNotFoundError"),
        ("grpc.py", "raise RuntimeError('canary')", "RuntimeError"),
    ],
)
def test_sdk_that_cannot_be_imported_is_one_line(
    module: str, text: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / module).parent.mkdir(exist_ok=True)
    (tmp_path / module).write_text(text)
    done = run(PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{plugin.NAME}: cannot start with Pulumi's SDK for Python ")
    assert f"({kind})" in line
    assert line.endswith("or newer; run `pip install --upgrade pulumi`")
    assert "canary" not in line


FEW_THREADS = """
import sys, threading
start, left = threading.Thread.start, [None] * int(sys.argv.pop())
def limited(self):
    if not left:
        raise RuntimeError("can't start new thread")
    left.pop()
    start(self)
threading.Thread.start = limited
from pulumi_upstash_rotation.frontends.native.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("threads", ["0", "1"])
def test_server_that_cannot_start_is_one_line(threads: str) -> None:
    """Also if only a part of it has started. gRPC would then wait without end."""
    done = subprocess.run(
        [sys.executable, "-c", FEW_THREADS, threads],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    expected = f"{plugin.NAME}: cannot start (RuntimeError: can't start new thread)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_missing_sdk_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", missing)
    assert "Pulumi's SDK for Python none (ImportError)" in plugin._not_loaded(ImportError())


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ([], None),
        (["127.0.0.1:42"], "127.0.0.1:42"),
        (["[::1]:42"], "[::1]:42"),
        (["--logtostderr", "-v=9", "--tracing", "http://x:1/y", "127.0.0.1:42"], "127.0.0.1:42"),
        (["--logtostderr"], None),
        (["--tracing=x"], None),
        ([":42"], None),
        (["host:"], None),
        (["host:port"], None),
    ],
)
def test_address_of_the_engine_is_the_last_argument(
    arguments: list[str], address: str | None
) -> None:
    assert plugin._address(arguments) == address
