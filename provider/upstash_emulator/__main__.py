"""`python -m upstash_emulator`."""

from __future__ import annotations

import sys

_EXTRA_MISSING = (
    "upstash_emulator: {missing} is not installed. "
    "Run pip install 'pulumi-upstash-rotation[emulator]'"
)


def _start() -> int:
    try:
        from .command_line import main  # reports a missing extra on one line
    except ModuleNotFoundError as error:
        sys.stderr.write(_EXTRA_MISSING.format(missing=error.name) + "\n")
        return 1
    return main()


if __name__ == "__main__":
    sys.exit(_start())
