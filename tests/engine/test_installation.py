"""Ways to install the native plugin: each needs one command, and programs run with each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from ..support.assertions import opens

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

    version = version_of(tool / SCRIPT)
    plugin = ["plugin", "install", "resource", "upstash-rotation", version]
    stack.pulumi(*plugin, "--file", str(tool / SCRIPT))
    (installed,) = json.loads(stack.pulumi("plugin", "ls", "--json"))
    assert (installed["name"], installed["version"]) == ("upstash-rotation", version)
    stack.environment["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"
    shown = stack.preview("--expect-no-changes")
    assert WARNING not in shown

    stack.pulumi("plugin", "rm", "--all", "--yes")
    (stack.project / "tool").symlink_to(tool)
    providers = {"providers": [{"name": "upstash-rotation", "path": "tool"}]}
    text = yaml.safe_dump({"name": "test", "runtime": "python", "plugins": providers})
    (stack.project / "Pulumi.yaml").write_text(text)
    shown = stack.destroy()
    assert WARNING not in shown
    assert "deleted" in shown
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
