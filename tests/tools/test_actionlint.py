"""actionlint is built from the pinned module, with the Go that the other tools find."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import actionlint
from user_cache import UnavailableError

FAKE_GO = """\
#!{python}
import json, os, pathlib, sys
arguments = sys.argv[1:]
pathlib.Path(os.environ["CALL"]).write_text(json.dumps(arguments))
if "fails" in os.environ:
    sys.exit(3)
pathlib.Path(arguments[arguments.index("-o") + 1]).write_text("built")
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose Go only writes its arguments to this file."""
    go = tmp_path / "go"
    go.write_text(FAKE_GO.format(python=sys.executable))
    go.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALL", str(tmp_path / "call"))
    monkeypatch.setattr(actionlint, "find_go", lambda *_, **__: str(go))
    return tmp_path / "call"


def test_the_pinned_module_is_built_into_the_named_file(
    call: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert actionlint.main("actionlint") == 0
    assert Path("actionlint").read_text() == "built"
    folder, *command = json.loads(call.read_text())[1:]
    assert command[0] == "build"
    assert f"tool {command[-1]}" in Path(folder, "go.mod").read_text().splitlines()
    assert capsys.readouterr() == ("", "")


def test_a_failed_build_fails(call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("fails", "")
    assert actionlint.main("actionlint") == 3
    assert call.exists()


def test_a_machine_without_go_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find_none(*_: object, **__: object) -> str:
        raise UnavailableError("Go is missing")

    monkeypatch.setattr(actionlint, "find_go", find_none)
    assert actionlint.main("actionlint") == 1
    assert capsys.readouterr() == ("", "Go is missing\n")
