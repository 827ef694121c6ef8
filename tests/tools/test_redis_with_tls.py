"""The sources of a redis-server with TLS, on machines made of small fake programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import redis_with_tls
from upstash_emulator import EmulatorError
from upstash_emulator.redis_processes.binary import RedisBinary

APT_GET = """#!/bin/sh
echo "$*" >> "$MACHINE/calls"
case "$*" in
*update) [ ! -e "$MACHINE/offline" ] || { echo "E: no network" >&2; exit 100; };;
*--simulate*)
    case "$*" in *Dir::State::Lists*) ;; *)
        [ ! -e "$MACHINE/no-lists" ] || { echo "E: Unable to locate package" >&2; exit 100; };;
    esac
    printf 'Inst %s (1 Debian)\\n' libjemalloc2 redis-server;;
*download*) touch libjemalloc2_1.deb redis-server_1.deb;;
esac
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64" && touch "$3/usr/lib/x86_64/libjemalloc.so.2"
printf '#!/bin/sh\\necho GOOD $LD_LIBRARY_PATH $*\\n' > "$3/usr/bin/redis-server"
chmod 755 "$3/usr/bin/redis-server"
"""


class Machine:
    """A machine without a redis-server on PATH, whose apt can give one."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self._patch = patch
        for name, content in (("apt-get", APT_GET), ("dpkg-deb", DPKG_DEB)):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(content)
            program.chmod(0o755)
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("MACHINE", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(self.cache))
        patch.setattr("sys.argv", ["redis_with_tls.py"])
        patch.setattr(redis_with_tls, "serves_tls", lambda path: "GOOD" in output_of(path))
        self.finds(None)

    def finds(self, binary: RedisBinary | None) -> None:
        """Let the emulator find this redis-server on PATH, or none."""

        def find() -> RedisBinary:
            if binary is None:
                raise EmulatorError("no redis-server")
            return binary

        self._patch.setattr(redis_with_tls, "find_redis_binary", find)

    def has(self, *names: str) -> None:
        for name in names:
            (self.folder / name).touch()

    @property
    def calls(self) -> list[str]:
        """The last words of each call of apt-get."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.rpartition(" ")[2] for line in lines]


def output_of(program: Path) -> str:
    if not program.exists():
        return ""
    return subprocess.run([program, "argument"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_redis_server_with_tls_on_path_prints_nothing(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.finds(RedisBinary("/usr/bin/redis-server", "7.0.15", has_tls=True))
    assert redis_with_tls.main() == 0
    assert capsys.readouterr() == ("", "")
    assert machine.calls == []


@pytest.mark.parametrize(
    "binary", [None, RedisBinary("/bin/redis-server", "6.2.14", has_tls=False)]
)
def test_machine_without_tls_gets_the_package_once(
    machine: Machine, capsys: pytest.CaptureFixture[str], binary: RedisBinary | None
) -> None:
    machine.finds(binary)
    assert redis_with_tls.main() == 0
    output, message = capsys.readouterr()
    folder = Path(output.strip())
    assert folder.is_relative_to(machine.cache)
    assert message == "Getting a redis-server with TLS from apt (once) ...\n"
    libraries = f"{folder}/../root/usr/lib/x86_64"
    assert output_of(folder / "redis-server").split()[:2] == ["GOOD", libraries]
    assert output_of(folder / "redis-server").split()[-1] == "argument"
    assert redis_with_tls.main() == 0
    assert capsys.readouterr() == (output, "")
    assert machine.calls == ["redis-server", "redis-server"]
    assert [each.name for each in (machine.cache / "pulumi-upstash-rotation").iterdir()] == [
        folder.parent.name
    ]


def test_machine_without_package_lists_gets_lists_of_its_own(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("no-lists")
    assert redis_with_tls.main() == 0
    assert Path(capsys.readouterr().out.strip(), "redis-server").exists()
    assert machine.calls == ["redis-server", "update", "redis-server", "redis-server"]


@pytest.mark.usefixtures("machine")
def test_redis_server_in_the_cache_that_is_broken_is_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    redis_with_tls.main()
    program = Path(capsys.readouterr().out.strip(), "redis-server")
    program.write_text("#!/bin/sh\necho broken\n")
    assert redis_with_tls.main() == 0
    assert "GOOD" in output_of(program)


def test_machine_without_network_gets_one_clear_line(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("no-lists", "offline")
    assert redis_with_tls.main() == 1
    output, message = capsys.readouterr()
    assert output == ""
    assert message.splitlines()[1:] == [
        "No redis-server that serves TLS: apt-get failed (E: no network). "
        "Install redis (apt-get, dnf or brew install redis), then run this again."
    ]


def test_machine_without_apt_gets_one_clear_line(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(machine.folder))
    assert redis_with_tls.main() == 1
    assert "apt-get is missing" in capsys.readouterr().err


def test_cache_folder_that_cannot_be_written_gets_one_clear_line(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("cache")
    assert redis_with_tls.main() == 1
    assert "try another XDG_CACHE_HOME" in capsys.readouterr().err
