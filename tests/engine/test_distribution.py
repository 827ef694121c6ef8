"""What is shipped, used as a newcomer would: a wheel in an empty virtual environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import venv
import zipfile
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from ..support.assertions import opens
from ..support.mocked import TOKENS, url
from ..support.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import Emulator

    from ..support.stacks import StackFactory


PROVIDER: Final = "pulumi_upstash_rotation"
EMULATOR: Final = "upstash_emulator"
EXAMPLES: Final = ROOT / "examples"
SOURCES: Final = {PROVIDER: ROOT / "provider", EMULATOR: ROOT / "emulator"}


@pytest.mark.parametrize("package", SOURCES)
def test_a_wheel_holds_its_package_and_nothing_else(dist: Path, package: str) -> None:
    (wheel,) = dist.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith("/METADATA")).partition("/")[0]
        metadata = archive.read(f"{info}/METADATA").decode()
        entry_points = f"{info}/entry_points.txt"
        plugin = "[pytest11]" in (
            archive.read(entry_points).decode() if entry_points in names else ""
        )
    sources = {
        str(path.relative_to(SOURCES[package]))
        for path in (SOURCES[package] / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names - {name for name in names if name.startswith(info)} == sources
    assert f"{package}/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    # An index cannot resolve relative links.
    assert re.findall(r"\]\((?!https?://)[^)]*\)", metadata) == []
    # Only a test run that has asked for the emulator loads its plugin.
    assert plugin == (package == EMULATOR)


def test_the_extras_of_the_provider_are_the_command_line_and_the_emulator(dist: Path) -> None:
    (wheel,) = dist.glob(f"{PROVIDER}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(name).decode().splitlines()
    optional = [line for line in lines if line.startswith("Requires-Dist:") and "extra ==" in line]
    assert optional == [
        "Requires-Dist: click>=8.1; extra == 'cli'",
        "Requires-Dist: rich>=13.9; extra == 'cli'",
        "Requires-Dist: upstash-emulator>=0.1; extra == 'emulator'",
    ]
    assert f"{PROVIDER}/pulumi-plugin.json" in zipfile.ZipFile(wheel).namelist()


def test_the_licenses_of_both_distributions_are_the_same() -> None:
    assert (ROOT / "emulator" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_sdist_holds_what_a_packager_needs(dist: Path) -> None:
    (sdist,) = dist.glob(f"{PROVIDER}-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        *("LICENSE", "README.md", "CHANGELOG.md", "Makefile", "tests/rotation/test_decision.py"),
        "emulator/pyproject.toml",
    }
    assert wanted < names


@pytest.mark.soak
def test_a_test_in_an_empty_environment_uses_the_fixture_without_the_provider(
    dist: Path, tmp_path: Path
) -> None:
    (wheel,) = dist.glob(f"{EMULATOR}-*.whl")
    python = new_environment(tmp_path, str(wheel), "pytest")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.upstash_databases(1)\n"
        "def test_it(upstash_emulator):\n"
        "    assert len(upstash_emulator.databases) == 1\n"
        "def test_all(upstash_emulator):\n"
        "    assert len(upstash_emulator.databases) == 3\n"
    )
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "--upstash-databases", "3", "test_it.py"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def new_environment(folder: Path, *packages: str) -> Path:
    """Install packages into a new virtual environment, and return its Python."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        check=True,
    )
    return python


@pytest.mark.soak  # it installs the package and all that it needs
def test_a_new_project_from_the_quickstart_installs_the_wheel_and_rotates(
    dist: Path,
    tmp_path: Path,
    upstash_emulator: Emulator,
    new_stack: StackFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quickstart, project = str(EXAMPLES / "quickstart"), tmp_path / "rotation"
    options = ["--dir", str(project), "--name", "mine", "--yes", "--generate-only"]
    new_stack().pulumi("new", quickstart, *options)
    monkeypatch.setenv("PIP_FIND_LINKS", str(dist))
    python = new_environment(tmp_path, "--requirement", str(project / "requirements.txt"))
    database = upstash_emulator.databases[0]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    stack = new_stack(project, environment={"PATH": path})
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
    assert str(python.parent.parent) in location


def test_every_example_is_a_template_with_the_same_requirements(
    tmp_path: Path, new_stack: StackFactory
) -> None:
    stack = new_stack()
    for example in EXAMPLES.iterdir():
        target = tmp_path / example.name
        options = ["--dir", str(target), "--name", "mine", "--yes", "--generate-only"]
        stack.pulumi("new", str(example), *options)
        project, template = (
            yaml.safe_load((folder / "Pulumi.yaml").read_text()) for folder in (target, example)
        )
        assert project["name"] == "mine"
        assert template["template"]["description"] == template["description"]
        config = template["config"]  # YAML programs also give each value a type
        untyped = {name: {**each, "type": None} for name, each in config.items()}
        asked = template["template"]["config"]
        assert {name: {**each, "type": None} for name, each in asked.items()} == untyped
        if not (example / "__main__.py").exists():
            continue
        requirements = (target / "requirements.txt").read_text()
        assert requirements == (example / "requirements.txt").read_text()
        first = requirements.partition("\n")[0]
        assert first.removesuffix("[cli]") == "pulumi-upstash-rotation"


@pytest.mark.soak  # it installs large SDKs
@pytest.mark.timeout(1200)
def test_the_consumers_are_typed_and_get_the_token_before_the_retirement(
    dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = EXAMPLES / "consumers"
    monkeypatch.setenv("PIP_FIND_LINKS", str(dist))
    packages = ("--constraint", str(ROOT / "constraints.txt"), "mypy", "types-requests")
    python = new_environment(
        tmp_path, *packages, "--requirement", str(example / "requirements.txt")
    )

    def ran(*arguments: object, **environment: str) -> str:
        done = subprocess.run(
            [python, *map(str, arguments)],
            cwd=example,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    ran("-m", "mypy", "--strict", "--cache-dir", tmp_path / "mypy", ".")
    mocked = ROOT / "tests" / "support" / "mocked.py"
    for shown, stale in (("current", []), ("earlier", ["shop"])):
        registered = dict(json.loads(ran(mocked, "__main__.py", SHOWN=shown)))
        for kind in ("Secret", "ProjectEnvironmentVariable", "ActionsSecret"):
            inputs = registered[kind]
            secret = inputs["stringData"] if kind == "Secret" else inputs["value"]
            assert "4dabf18193072939515e22adb298388d" in secret  # Pulumi's mark of a secret
            assert url("current") in json.dumps(secret)
            assert TOKENS["earlier"] not in json.dumps(inputs)
        assert list(registered)[-1] == "RedisAclRetirement"
        assert registered["RedisAclRetirement"]["stale_consumers"] == stale
