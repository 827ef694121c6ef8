"""All provider processes of one run know what any of them has declared."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.frontends.engine import runs
from pulumi_upstash_rotation.frontends.engine.runs import shared_run

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = "127.0.0.1:50000"
KEY = ("RedisPasswordRotation", "96ad0856-03b1-4ee7-9666-e81abd0349e1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no folder"))
    (tmp_path / "no folder").write_text("a file")
    return tmp_path / f"pulumi-upstash-rotation-{os.getuid()}"


def in_another_process(folder: Path, code: str) -> str:
    text = (
        "from pulumi_upstash_rotation.frontends.engine.runs import shared_run\n"
        f"run, key = shared_run({ENGINE!r}), {KEY!r}\n{code}"
    )
    return subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "TMPDIR": str(folder.parent)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_process_sees_what_another_one_records(folder: Path) -> None:
    run = shared_run(ENGINE)
    run.declared.add(KEY)
    run.failed.add(KEY)
    assert in_another_process(folder, "print(key in run.declared, key in run.rotated)") == (
        "True False\n"
    )
    in_another_process(folder, "run.rotated.add(key); run.failed.discard(key)")
    assert KEY in run.rotated
    assert KEY not in shared_run(ENGINE).failed
    assert ("RedisPasswordRotation", "other") not in run.declared
    in_another_process(folder, "run.declared.add(('RedisPasswordRotation', 'other'))")
    assert KEY in run.declared
    assert ("RedisPasswordRotation", "other") in run.declared


def test_a_run_knows_nothing_of_another_engine_or_an_earlier_run(folder: Path) -> None:
    in_another_process(folder, "run.declared.add(key)")
    assert KEY not in shared_run(ENGINE).declared
    shared_run(ENGINE).declared.add(KEY)
    assert KEY not in shared_run("127.0.0.1:50001").declared


def test_files_of_ended_runs_are_removed_and_hold_no_id(folder: Path) -> None:
    in_another_process(folder, "run.declared.add(key)")
    (file,) = folder.iterdir()
    assert KEY[1] not in file.read_text()
    shared_run("127.0.0.1:50001")
    assert [each.name for each in folder.iterdir()] == [runs._digest("127.0.0.1:50001")]


@pytest.mark.parametrize("reason", ["no folder", "open to others", "a link"])
def test_without_a_safe_folder_the_record_is_this_process_alone(
    folder: Path, reason: str, tmp_path: Path
) -> None:
    if reason == "no folder":
        folder.write_text("a file")
    elif reason == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        (tmp_path / "target").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "target")
    run = shared_run(ENGINE)
    run.declared.add(KEY)
    assert KEY in run.declared
    assert KEY not in shared_run(ENGINE).declared


def test_where_files_inherit_a_group_the_record_is_shared(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o2700)
    shared_run(ENGINE).declared.add(KEY)
    assert KEY in shared_run(ENGINE).declared


def test_without_a_safe_temporary_folder_the_one_for_caches_serves(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shared_run(ENGINE).declared.add(KEY)
    assert KEY in shared_run(ENGINE).declared


def test_a_file_that_cannot_be_written_loses_nothing_of_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    run = shared_run(ENGINE)
    monkeypatch.setattr(os, "write", full)
    run.declared.add(KEY)
    assert KEY in run.declared


def test_on_a_system_without_users_the_record_is_this_process_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "getuid")
    run = shared_run(ENGINE)
    run.declared.add(KEY)
    assert KEY in run.declared
    assert KEY not in shared_run(ENGINE).declared
