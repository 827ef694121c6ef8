"""The process of `upstash-rotation`. The libraries of the command line are an extra."""

from __future__ import annotations

import contextlib
import sys
from typing import Final, NoReturn

NAME: Final = "upstash-rotation"
"""Name of the program, as users type it."""
USAGE: Final = 2
"""Exit status of a command line that cannot run. click uses it for a wrong usage, too."""
_LIBRARIES: Final = ("click", "rich")


def main() -> NoReturn:
    """Run the command line. It ends the process."""
    try:
        from .commands import cli
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        sys.stderr.write(
            f"{NAME}: {error.name} is not installed; run "
            "`pip install 'pulumi-upstash-rotation[cli]'`\n"
        )
        sys.exit(USAGE)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a caller may have put another object there
            # A terminal without UTF-8 shows an escape instead of a character that it lacks.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    cli.main(prog_name=NAME)


if __name__ == "__main__":
    main()
