"""`make demo`: rotations on a real Pulumi engine and a real redis-server, explained step by step.

It checks every claim. A false one ends it with exit status 1.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import redis

from pulumi_stack import PulumiError, Stack, accept_interrupts
from upstash_emulator import Emulator

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"


def main() -> int:
    """Run the demo and return the exit status."""
    accept_interrupts()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="upstash-rotation-demo-") as name,
        Emulator() as upstash,
    ):
        try:
            tour(Path(name), upstash, upstash.databases[0])
        except PulumiError as error:
            print(error, file=sys.stderr)
            return 1
        except NotTrueError as claim:
            print(f"\nNot true: {claim}", file=sys.stderr)
            return 1
    print(f"\nDone in {time.monotonic() - started:.0f} s; the demo stopped and removed everything.")
    return 0


def tour(folder: Path, upstash: Emulator, database: EmulatedDatabase) -> None:
    """Show one rotation after the other."""
    heading("The emulator imitates Upstash on this machine, so you need no account")
    say(f"The emulator's API is at {upstash.url}.")
    say(f"The database {database.id} is a real redis-server with TLS on port {database.port}.")
    project = folder / "quickstart"
    shutil.copytree(QUICKSTART, project)
    stack = Stack.create(project, folder / "stack", environment=upstash.environment)
    stack.set_config("databaseId", database.id)
    original = database.password
    claim("the current password opens the database", opens(upstash, database, original))

    heading("The program: examples/quickstart")
    show(program_text(project))

    heading("The first `pulumi up` resets the password and returns it as a secret output")
    run(stack, "up", "--yes", "--skip-preview", "--suppress-outputs")
    run(stack, "stack", "output")
    second = password_in(stack)
    claim("the database rejects the previous password", not opens(upstash, database, original))
    claim("the database accepts the new password from the stack", opens(upstash, database, second))
    claim("no file of the stack holds the password in clear", second not in stack.stored_text())

    heading("A `pulumi up` without a change resets nothing")
    run(stack, "up", "--yes", "--skip-preview", "--suppress-outputs")
    claim("no reset happened", database.resets == 1)

    heading("A preview shows the changed trigger and resets nothing")
    run(stack, "config", "set", "release", "2026-12")
    run(stack, "preview")
    claim("no reset happened", database.resets == 1)

    heading("`pulumi up` rotates the password")
    run(stack, "up", "--yes", "--skip-preview", "--suppress-outputs")
    third = password_in(stack)
    claim("one more reset happened", database.resets == 2)  # noqa: PLR2004
    claim("the database rejects the second password", not opens(upstash, database, second))
    claim("the database accepts the third password", opens(upstash, database, third))

    heading("`pulumi destroy` removes the resource and does not touch the database")
    run(stack, "destroy", "--yes", "--skip-preview")
    claim("the last password still opens the database", opens(upstash, database, third))


class NotTrueError(Exception):
    """A claim of the demo is false."""


def heading(text: str) -> None:
    """Print the title of a step."""
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def say(text: str) -> None:
    """Print an explanation."""
    print(f"   {text}", flush=True)


def show(text: str) -> None:
    """Print a part of a program, or the output of a command."""
    for line in text.splitlines():
        if line.strip():
            print(f"   | {line}", flush=True)


def claim(text: str, holds: bool) -> None:
    """Print a claim that is true.

    Raises:
        NotTrueError: The claim is false.
    """
    if not holds:
        raise NotTrueError(text)
    print(f"   ✓ {text}", flush=True)


def run(stack: Stack, *arguments: str) -> None:
    """Run a pulumi command. Show it and its output."""
    print(f"   $ pulumi {' '.join(arguments)}", flush=True)
    show(stack.on_stack(*arguments))


def program_text(project: Path) -> str:
    """Return the program without its docstring."""
    return (project / "__main__.py").read_text().partition('"""\n\n')[2]


def password_in(stack: Stack) -> str:
    """Return the password in the stack's secret output."""
    return urlsplit(stack.outputs()["redis_url"]).password or ""


def opens(upstash: Emulator, database: EmulatedDatabase, password: str) -> bool:
    """Return whether the database accepts a password, over TLS with a checked certificate."""
    with redis.Redis(
        host="127.0.0.1",
        port=database.port,
        password=password,
        ssl=True,
        ssl_ca_certs=str(upstash.ca_bundle),
    ) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


if __name__ == "__main__":
    sys.exit(main())
