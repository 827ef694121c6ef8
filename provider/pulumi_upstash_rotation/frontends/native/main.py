"""The plugin's process: `pulumi-resource-upstash-rotation [OPTIONS] [ENGINE]`.

Pulumi's engine starts it, reads a port from the first line of its output, and ends it with SIGINT.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from .version import plugin_version

NAME: Final = "pulumi-resource-upstash-rotation"
LEAST_SDK: Final = "3.200"
"""The first version of Pulumi's SDK for Python that this package supports."""


def main() -> int:
    """Serve one engine until it ends. Return the exit status."""
    arguments = sys.argv[1:]
    if "--version" in arguments:
        print(plugin_version())  # noqa: T201  `pulumi plugin install` takes it
        return 0
    if {"-h", "--help"} & {*arguments}:
        print(__doc__)  # noqa: T201  same
        return 0
    try:
        from .server import serve
    except Exception as error:  # noqa: BLE001  another SDK may fail in any way
        return _fail(_not_loaded(error))
    try:
        serve(_address(arguments))
    except Exception as error:  # noqa: BLE001  the engine would show a traceback
        _fail(f"cannot start ({type(error).__name__}: {error})")
        sys.stderr.flush()
        os._exit(1)  # gRPC would wait without end for a server that has not started
    return 0


def _fail(problem: str) -> int:
    sys.stderr.write(f"{NAME}: {problem}\n")
    return 1


def _address(arguments: list[str]) -> str | None:
    """Return the engine's address, which is the last argument. None if nobody gave one."""
    last = arguments[-1] if arguments else ""
    host, _, port = last.rpartition(":")
    return last if host and port.isdecimal() else None


def _not_loaded(error: Exception) -> str:
    from importlib import metadata

    try:
        version = metadata.version("pulumi")
    except metadata.PackageNotFoundError:
        version = "none"
    return (
        f"cannot start with Pulumi's SDK for Python {version} ({type(error).__name__}). It needs "
        f"{LEAST_SDK} or newer; run `pip install --upgrade pulumi`"
    )


if __name__ == "__main__":
    sys.exit(main())
