"""The reaper: a child process that owns all redis-servers. It ends them with the emulator.

It ends when its standard input ends. The kernel closes that whenever the emulator ends, even by a
kill. Then the reaper kills its servers and removes the private folder. `reaper.py` runs this file
without the rest of the package, so it imports only the standard library.

Each line is a JSON object. Requests are `{"launch": name, "argv": […], "config": text}` and
`{"kill": name}`. The first report is `{"folder": path}`. For each server there are two more. At its
start it is `{"name": …, "pid": …}`, and at its end `{"name": …, "exit": code, "log": its last
lines}`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from contextlib import suppress

_LONGEST_PARENT = 64
"""Maximum length of the folder's path. macOS allows 104 bytes for a socket in it."""
_LOG_LINES = 6


class Servers:
    """The redis-servers, by name."""

    def __init__(self, folder: str) -> None:
        """Start without servers."""
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._output = threading.Lock()

    def report(self, **report: object) -> None:
        """Write one line to the emulator. After the emulator's end the line is lost."""
        with self._output, suppress(OSError):
            print(json.dumps(report), flush=True)  # noqa: T201 - the protocol

    def launch(self, name: str, argv: list[str], config: str) -> None:
        """Start a server. Other users cannot read its configuration on standard input."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the redis-server that the emulator found
                argv,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            self.report(name=name, exit=127, log=str(error))
            return
        self._processes[name] = process
        self.report(name=name, pid=process.pid)
        threading.Thread(target=self._watch, args=(name, process), daemon=True).start()
        if process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(config)

    def _watch(self, name: str, process: subprocess.Popen[str]) -> None:
        log = deque(process.stdout or (), maxlen=_LOG_LINES)
        self.report(name=name, exit=process.wait(), log="".join(log))

    def kill(self, name: str) -> None:
        """Kill a server. It has nothing to save."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def kill_all(self) -> None:
        """End every server."""
        for name in tuple(self._processes):
            self.kill(name)


def _private_folder() -> str:
    """Make a folder for temporary files, in /tmp if the usual parent has too long a name."""
    parent = tempfile.gettempdir()
    if len(parent) > _LONGEST_PARENT:
        parent = "/tmp"  # noqa: S108 - the folder in it is private
    return tempfile.mkdtemp(prefix="upstash-", dir=parent)


def main() -> None:
    """Serve requests until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    os.umask(0o077)
    folder = _private_folder()
    servers = Servers(folder)
    try:
        servers.report(folder=folder)
        for line in sys.stdin:
            request = json.loads(line)
            if "launch" in request:
                servers.launch(request["launch"], request["argv"], request["config"])
            else:
                servers.kill(request["kill"])
    finally:
        servers.kill_all()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
