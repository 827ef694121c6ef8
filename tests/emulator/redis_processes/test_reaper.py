"""The child process that owns the redis-servers."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from upstash_emulator import Emulator, EmulatorError

from ..support import alive, gone


def test_redis_servers_end_with_the_reaper(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Emulator(databases=2) as emulator:
        folder = emulator.ca_bundle.parent
        servers = {database._database.backend.pid for database in emulator.databases}
        assert alive(servers) == servers
        os.kill(emulator._simulation._reaper._process.pid, signal.SIGKILL)
        assert gone(servers)
        with pytest.raises(EmulatorError, match="ended by itself"):
            emulator.databases[0].reset_in_console()
    assert "ended by itself" in caplog.text
    shutil.rmtree(folder)
