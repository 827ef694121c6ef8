"""`make generate` writes the schema of the native plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import generate
import schema

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PROGRAM = """
import sys
import generate
assert generate.main(["--check"]) == 0
print(*{name.partition(".")[0] for name in sys.modules})
"""
LIBRARIES = {"pulumi", "grpc", "pydantic", "requests", "cronsim"}


def test_the_committed_schema_is_the_generated_one() -> None:
    assert generate.SCHEMA.read_text() == schema.text()


def test_a_stale_schema_fails_the_check_and_is_written_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = json.loads(schema.text())
    del changed["resources"]["upstash-rotation:index:RedisAclUser"]["inputProperties"]["rules"]
    copy = tmp_path / "schema.json"
    copy.write_text(json.dumps(changed))
    monkeypatch.setattr(generate, "documents", lambda: iter(()))
    monkeypatch.setattr(generate, "SCHEMA", copy)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "schema.json is out of date" in capsys.readouterr().out
    assert json.loads(copy.read_text()) == changed
    assert generate.main([]) == 0
    assert copy.read_text() == schema.text()
    assert generate.main(["--check"]) == 0


def test_it_needs_no_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=generate.ROOT / "tools",
        capture_output=True,
        text=True,
        check=True,
    )
    assert LIBRARIES.isdisjoint(done.stdout.split())
