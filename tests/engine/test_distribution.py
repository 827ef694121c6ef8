"""What is shipped, used as a newcomer would: a wheel in an empty virtual environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from typing import TYPE_CHECKING

import pytest

from ..support.assertions import opens
from ..support.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return folder


def test_the_wheel_holds_the_packages_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    info = next(top for top in tops if top.endswith(".dist-info"))
    assert tops == {"pulumi_upstash_rotation", "upstash_emulator", info}
    sources = {
        str(path.relative_to(ROOT / "provider"))
        for path in (ROOT / "provider").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names - {name for name in names if name.startswith(info)} == sources
    assert {"pulumi_upstash_rotation/py.typed", "upstash_emulator/py.typed"} < names
    assert "pulumi_upstash_rotation/pulumi-plugin.json" in names
    assert f"{info}/licenses/LICENSE" in names


def test_the_sdist_holds_what_a_packager_needs(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "tests/rotation/test_decision.py"}
    assert wanted < names


def test_the_wheel_in_an_empty_environment_runs_the_quickstart(
    dist: Path, tmp_path: Path, upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    (wheel,) = dist.glob("*.whl")
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)],
        check=True,
    )
    database = upstash_emulator.databases[0]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    stack = new_stack(ROOT / "examples" / "quickstart", environment={"PATH": path})
    stack.set_config("databaseId", database.id)
    printed = stack.up("--logtostderr", "-v=7")
    assert "GetRequiredPlugins" in printed
    assert "upstash-rotation downloading" not in printed
    outputs = stack.outputs()
    assert outputs["db_request_limit"] == "8024278031528736858"
    assert opens(database, database.password, upstash_emulator)
    assert database.password in outputs["redis_url"]
    location = subprocess.check_output(
        [python, "-c", "import pulumi_upstash_rotation as p; print(p.__file__)"], text=True
    )
    assert str(folder) in location
