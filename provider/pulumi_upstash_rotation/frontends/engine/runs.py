"""The record of a run that all provider processes of one engine share.

The engine starts a provider process for each provider resource: the default one, each explicit one,
and one for each value of the option `version`. A deletion in one of them must see what the others
have declared, rotated or failed to rotate. So the processes share a small file. It holds digests.

A process holds a shared lock on the file as long as it lives. A file that nobody locks is from an
earlier run, and the next process empties or removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.resources.seam import Run

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_ATTEMPTS: Final = 20


def shared_run(address: str) -> Run:
    """Return a record of the run of the engine with this address, `HOST:PORT`.

    If no file can be used, the record is only this process's.
    """
    for parent in (tempfile.gettempdir, _cache):
        # Windows lacks users and locks like these.
        with contextlib.suppress(AttributeError, ImportError, OSError, RuntimeError):
            file = _open(_folder(Path(parent())) / _digest(address))
            names = ("declared", "rotated", "failed", "claimed")
            return Run(*(_SharedKeys(file, name) for name in names))
    return Run()


class _SharedKeys(set[tuple[str, ...]]):
    """A set of keys to which other processes may add, and from which they may remove."""

    def __init__(self, file: int, name: str) -> None:
        super().__init__()
        self._file = file
        self._name = name
        self._lock = threading.Lock()
        self._read_to = 0
        self._digests: set[str] = set()

    def add(self, key: tuple[str, ...], /) -> None:
        super().add(key)
        self._write("+", key)

    def discard(self, key: object, /) -> None:
        super().discard(key)
        self._write("-", key)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or _digest(key) in self._others()

    def _write(self, sign: str, key: object) -> None:
        with contextlib.suppress(OSError):  # a full disk: this process still knows it
            os.write(self._file, f"{self._name}{sign}{_digest(key)}\n".encode())

    def _others(self) -> AbstractSet[str]:
        """Return the digests of the keys that all processes have added and not removed.

        It reads only what is new. A large fleet would otherwise read the whole file for each call.
        """
        with self._lock, contextlib.suppress(OSError):
            size = os.fstat(self._file).st_size
            new = os.pread(self._file, size - self._read_to, self._read_to)
            whole = new[: new.rfind(b"\n") + 1]
            self._read_to += len(whole)
            for line in whole.decode().splitlines():
                if line.startswith(f"{self._name}+"):
                    self._digests.add(line.partition("+")[2])
                elif line.startswith(f"{self._name}-"):
                    self._digests.discard(line.partition("-")[2])
        return self._digests


def _digest(key: object) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:32]


def _cache() -> str:
    """Return this user's folder for caches. It serves if the one for temporary files does not."""
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


def _folder(parent: Path) -> Path:
    """Return this user's folder for such files.

    Raises:
        OSError: It cannot be made, or another user could write to it.
    """
    folder = parent / f"pulumi-upstash-rotation-{os.getuid()}"
    folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    found = folder.lstat()
    others = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if found.st_uid != os.getuid() or others or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{folder} is not safe")
    return folder


def _open(path: Path) -> int:
    """Return the descriptor of a run's file, with a shared lock.

    Raises:
        OSError: The file cannot be used.
    """
    import fcntl  # absent on Windows, as os.getuid() is

    for _ in range(_ATTEMPTS):
        _remove_unused(path)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, stat.S_IRUSR | stat.S_IWUSR)
        with contextlib.suppress(BlockingIOError):  # another process of this run has it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
        fcntl.flock(file, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):  # another process has just removed it
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        os.close(file)
    raise OSError(f"cannot keep {path}")


def _remove_unused(path: Path) -> None:
    """Remove the files of earlier runs from the folder of a run's file."""
    import fcntl

    for other in path.parent.iterdir():
        if other == path:
            continue
        with contextlib.suppress(OSError):
            file = os.open(other, os.O_RDWR)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                other.unlink()
            finally:
                os.close(file)
