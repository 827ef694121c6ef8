"""The process: how it starts, and what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ...support.exported import ROTATED, exported, resource

PROGRAM = [str(Path(sys.executable).with_name("upstash-rotation"))]
PACKAGE = [sys.executable, "-m", "pulumi_upstash_rotation"]
MODULE = [sys.executable, "-m", "pulumi_upstash_rotation.frontends.cli.main"]


def run(*command: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.mark.parametrize("program", [PROGRAM, PACKAGE, MODULE], ids=["script", "-m", "module"])
def test_command_line_starts(program: list[str]) -> None:
    done = run(*program, "report", "-", "--max-age=1", stdin=exported(resource(ROTATED)))
    assert (done.returncode, done.stdout[:5]) == (3, "stack")
    assert done.stderr.startswith("upstash-rotation: older than 1 days")


@pytest.mark.parametrize("library", ["click", "rich"])
def test_missing_library_is_one_line_that_says_how_to_install_it(
    library: str, tmp_path: Path
) -> None:
    hidden = f"raise ModuleNotFoundError('none', name='{library}')"
    (tmp_path / f"{library}.py").write_text(hidden)
    done = run(*PACKAGE, "report", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"upstash-rotation: {library} is not installed; run "
        "`pip install 'pulumi-upstash-rotation[cli]'`\n"
    )


def test_other_missing_module_is_no_matter_of_the_extra(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import no_such_module")
    done = run(*PACKAGE, "report", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "No module named 'no_such_module'" in done.stderr


def test_terminal_without_utf8_shows_escapes() -> None:
    state = exported(resource(ROTATED, name="東京"))
    done = run(*PACKAGE, "report", "-", stdin=state, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u6771\\u4eac" in done.stdout
