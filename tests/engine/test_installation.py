"""Ways to install the native plugin: each needs one command, and programs run with each."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from ..support.assertions import opens
from ..support.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory

SCRIPT: Final = "pulumi-resource-upstash-rotation"
PACKAGE: Final = "pulumi_upstash_rotation"
PROGRAM: Final = """\
import pulumi

inputs = {"databaseId": pulumi.Config().require("databaseId"), "redisUrl": None}
type_ = "upstash-rotation:index:RedisPasswordRotation"
rotation = pulumi.CustomResource(type_, "cache", inputs)
pulumi.export("redis_url", vars(rotation)["redisUrl"])
"""
GUIDE: Final = (ROOT / "docs" / "how-to" / "other-languages.md").read_text()
WARNING: Final = f"using {SCRIPT} from $PATH"


@pytest.fixture(scope="module")
def tool(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel. The rest is this environment's."""
    (wheel,) = dist.glob(f"{PACKAGE}-*.whl")
    folder = tmp_path_factory.mktemp("tool with spaces")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


def block(name: str) -> str:
    """Return a block of the guide."""
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    return found[1]


def version_of(script: Path) -> str:
    return subprocess.check_output([script, "--version"], text=True).strip()


def test_a_wheel_serves_programs_from_path_from_the_plugin_cache_and_from_a_folder(
    tool: Path, upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    path = os.pathsep.join([str(tool), os.environ["PATH"]])
    stack = new_stack(environment={"PATH": path})
    (stack.project / "__main__.py").write_text(PROGRAM)
    stack.set_config("databaseId", database.id)

    assert f"{WARNING} at {tool / SCRIPT}" in stack.preview()
    assert database.resets == 0
    assert "created" in stack.up()
    assert opens(database, database.password, upstash_emulator)
    assert database.password in stack.outputs()["redis_url"]

    guide = block("install") + "\npulumi preview --non-interactive --stack dev --expect-no-changes"
    shown = subprocess.check_output(
        ["sh", "-ec", guide], cwd=stack.project, env=stack.environ, stderr=subprocess.STDOUT
    ).decode()
    assert WARNING not in shown
    (installed,) = json.loads(stack.pulumi("plugin", "ls", "--json"))
    assert (installed["name"], installed["version"]) == (
        "upstash-rotation",
        version_of(tool / SCRIPT),
    )
    stack.pulumi("plugin", "rm", "--all", "--yes")
    (stack.project / ".venv").symlink_to(tool.parent)
    project = stack.project / "Pulumi.yaml"
    project.write_text(project.read_text() + block("path"))
    shown = stack.destroy()
    assert WARNING not in shown
    assert "deleted" in shown
    assert database.resets == 1


def test_the_program_of_the_guide_resets_once_with_the_settings_of_the_stack(
    tool: Path, upstash_emulator: Emulator, new_stack: StackFactory, tmp_path: Path
) -> None:
    database, variables = upstash_emulator.databases[0], upstash_emulator.environment
    written = tmp_path / "written"
    written.mkdir()
    program = re.sub(r"(databaseId: ).*", rf"\g<1>{database.id}", block("program"))
    (written / "Pulumi.yaml").write_text(program + block("path"))
    stack = new_stack(written, {"UPSTASH_EMAIL": None, "UPSTASH_API_KEY": None})
    (stack.project / ".venv").symlink_to(tool.parent)
    settings = block("settings").replace("you@example.com", variables["UPSTASH_EMAIL"])
    subprocess.run(
        ["sh", "-ec", settings],
        cwd=stack.project,
        env=stack.environ,
        input=variables["UPSTASH_API_KEY"].encode(),
        check=True,
    )
    stack.preview()
    assert database.resets == 0
    stack.up()
    assert database.password in stack.outputs()["redisUrl"]
    assert database.password not in stack.stored_text()
    assert "deleted" in stack.destroy()
    assert database.resets == 1


def test_the_wheel_holds_the_schema_and_the_plugin_with_a_version_that_pulumi_accepts(
    dist: Path, tool: Path, tmp_path: Path
) -> None:
    (wheel,) = dist.glob(f"{PACKAGE}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
        (points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert f"[console_scripts]\n{SCRIPT} = " in archive.read(points).decode()
    assert (tmp_path / PACKAGE / "frontends" / "native" / "schema.json").exists()
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[a-z]+\.\d+)?", version_of(tool / SCRIPT))


def test_a_development_version_in_a_wheel_is_one_that_pulumi_accepts(
    dist: Path, tmp_path: Path
) -> None:
    (wheel,) = dist.glob(f"{PACKAGE}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (tmp_path / PACKAGE / "_version.py").write_text("__version__ = '0.3.1.dev0'\n")
    code = (
        "import json\n"
        f"from {PACKAGE}.frontends.native import main, provider\n"
        "served = provider.NativeProvider()\n"
        "schema = json.loads(served.GetSchema(None, None).schema)\n"
        "print(served.GetPluginInfo(None, None).version, schema['version'])\n"
        "main.main()\n"
    )
    printed = subprocess.check_output(
        [sys.executable, "-c", code, "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        text=True,
    )
    assert printed.split() == ["0.3.1-dev.0"] * 3


def test_the_folder_plugin_serves_a_program_as_pulumi_starts_it(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack()
    (stack.project / "__main__.py").write_text(PROGRAM)
    stack.set_config("databaseId", database.id)
    # Language hosts differ in how they find a folder. So the test runs the command that all use.
    command = [sys.executable, str(ROOT / "plugin")]
    process = subprocess.Popen(command, env=stack.environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        port = process.stdout.readline().strip()
        stack.environment["PULUMI_DEBUG_PROVIDERS"] = f"upstash-rotation:{port}"
        stack.preview()
        assert database.resets == 0
        assert "created" in stack.up()
        assert database.password in stack.outputs()["redis_url"]
        assert "deleted" in stack.destroy()
        assert database.resets == 1
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.mark.soak  # it builds the package once more
def test_the_folder_plugin_installs_the_package_of_its_own_clone(tmp_path: Path) -> None:
    for name in ("LICENSE", "README.md", "pyproject.toml", "provider", "plugin"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    version = tmp_path / "provider" / PACKAGE / "_version.py"
    version.write_text('__version__ = "7.8.9"\n')
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--dry-run"]
    options = ["--quiet", "--no-deps", "--ignore-installed", "--report", "-"]
    printed = subprocess.check_output(
        [*pip, *options, "--requirement", "requirements.txt"], cwd=tmp_path / "plugin"
    )
    (installed,) = json.loads(printed)["install"]
    assert installed["metadata"]["name"] == "pulumi-upstash-rotation"
    assert installed["metadata"]["version"] == "7.8.9"
