"""Shell commands as users and CI systems run them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def run_bash(
    script: str, folder: Path, environ: Mapping[str, str], *options: str
) -> tuple[int, str]:
    """Run a script in a folder. Return its exit status and all that it prints."""
    done = subprocess.run(
        ["bash", *options, "-c", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout
