"""Write the SDKs of a Pulumi schema with Pulumi's own generators.

Usage: sdks.py SCHEMA OUT [LANGUAGE ...]. The languages are nodejs, go and python. Each SDK gets a
folder of its own in OUT.
"""

from __future__ import annotations

import subprocess
import sys

from pulumi_hosts import HOSTS, build
from user_cache import UnavailableError, say


def main(arguments: list[str]) -> int:
    """Run the pinned generators. The first run builds them, together with the language hosts."""
    try:
        sdkgen = HOSTS.ensure(build) / "sdkgen"
    except UnavailableError as error:
        say(f"No generators: {error}.")
        return 1
    return subprocess.run([sdkgen, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
