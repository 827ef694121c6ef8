"""Find or unpack a redis-server that serves TLS itself, and print its folder.

The tool tries three sources in this order:

    path   a `redis-server` on PATH. The tool then prints nothing.
    cache  the server that an earlier run has put into the user's cache folder
    apt    the package of Debian or Ubuntu and its libraries. The tool unpacks them into the cache
           folder. It installs nothing and needs no root.

A program counts only if it accepts a TLS connection. Messages for the user go to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from upstash_emulator import EmulatorError
from upstash_emulator.redis_processes.binary import examine, find_redis_binary

PACKAGE = "redis-server"
LIMIT_SECONDS = 600
WRAPPER = """\
#!/bin/sh
root=${{0%/*}}/../root
LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}} \\
    exec "$root/usr/bin/redis-server" "$@"
"""


class RedisUnavailableError(Exception):
    """No source has a redis-server that serves TLS. The text is the reason."""


def ensure_redis() -> Path | None:
    """Return the folder of a redis-server that serves TLS. None if there is one on PATH."""
    with contextlib.suppress(EmulatorError):
        if find_redis_binary().has_tls:
            return None
    home = _home()
    if not serves_tls(home / "bin/redis-server"):
        _fill_from_apt(home)
    return home / "bin"


def serves_tls(program: Path) -> bool:
    """Return whether a program is a redis-server for the emulator and serves TLS itself."""
    binary = examine(str(program)) if os.access(program, os.X_OK) else None
    return binary is not None and binary.has_tls


def _home() -> Path:
    """Return the folder in the user's cache for this distribution and machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()).absolute()
    try:
        release = platform.freedesktop_os_release()
        system = f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}"
    except OSError:
        system = platform.system().lower()
    return cache / "pulumi-upstash-rotation" / f"redis-{system}-{platform.machine()}"


def _fill_from_apt(home: Path) -> None:
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise RedisUnavailableError(f"{program} is missing")
    print("Getting a redis-server with TLS from apt (once) ...", file=sys.stderr, flush=True)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix=f"{home.name}.", dir=home.parent)
    except OSError as error:
        reason = f"cannot write to {home.parent} ({error.strerror}), try another XDG_CACHE_HOME"
        raise RedisUnavailableError(reason) from None
    with work as folder:
        stage = Path(folder, "stage")
        _unpack(_download(Path(folder)), stage)
        if not serves_tls(stage / "bin/redis-server"):
            raise RedisUnavailableError(
                "the redis-server of this distribution does not run or does not serve TLS"
            )
        shutil.rmtree(home, ignore_errors=True)
        try:
            stage.rename(home)
        except OSError:  # another run was faster
            if not serves_tls(home / "bin/redis-server"):
                raise


def _download(work: Path) -> list[Path]:
    """Download the package and its libraries.

    If the machine's package lists fail, the tool downloads its own. Most containers have no lists.
    Other machines have lists with versions that no longer exist.
    """
    for name in ("lists/partial", "cache/archives/partial", "packages"):
        (work / name).mkdir(parents=True)
    own_lists = ["-o", f"Dir::State::Lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
    try:
        return _download_with([], work / "packages")
    except RedisUnavailableError:
        _apt([*own_lists, "update"], work)
        return _download_with(own_lists, work / "packages")


def _download_with(options: list[str], target: Path) -> list[Path]:
    plan = ["install", "--simulate", "--reinstall", "--no-install-recommends", PACKAGE]
    packages = re.findall(r"^Inst (\S+)", _apt([*options, *plan], target), re.MULTILINE)
    _apt([*options, "download", *packages], target)
    return list(target.glob("*.deb"))


def _apt(arguments: list[str], folder: Path) -> str:
    return _run(["apt-get", "--quiet", "-o", "APT::Sandbox::User=root", *arguments], folder)


def _unpack(packages: list[Path], stage: Path) -> None:
    root = stage / "root"
    root.mkdir(parents=True)
    for package in packages:
        _run(["dpkg-deb", "--extract", str(package), str(root)], stage.parent)
    folders = {file.parent.relative_to(root) for file in root.rglob("*.so*")}
    wrapper = stage / "bin/redis-server"
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text(WRAPPER.format(libraries=":".join(f"$root/{each}" for each in folders)))
    wrapper.chmod(0o755)


def _run(command: list[str], folder: Path) -> str:
    try:
        finished = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RedisUnavailableError(f"{command[0]} failed ({error})") from None
    if finished.returncode != 0:
        last = finished.stderr.strip().rpartition("\n")[2]
        raise RedisUnavailableError(f"{command[0]} failed ({last or 'no message'})")
    return finished.stdout


def main() -> int:
    """Print the folder, or one line with the reason why there is no server."""
    layout = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=layout).parse_args()
    try:
        if folder := ensure_redis():
            print(folder)
    except (RedisUnavailableError, OSError) as error:
        advice = "Install redis (apt-get, dnf or brew install redis), then run this again."
        print(f"No redis-server that serves TLS: {error}. {advice}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
