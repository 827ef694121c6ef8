"""`make picture`: draw docs/rotation.svg from the real output of a rotation.

The tool runs the quick start against the emulator in a terminal, as a user would.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
from itertools import groupby
from pathlib import Path
from typing import Final

import pyte
from pyte.graphics import FG_BG_256
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from pulumi_stack import Stack, accept_interrupts
from pulumi_upstash_rotation.frontends.cli.formats import svg_format
from upstash_emulator import Emulator

ROOT: Final = Path(__file__).parents[1]
QUICKSTART: Final = ROOT / "examples" / "quickstart"
PICTURE: Final = ROOT / "docs" / "rotation.svg"
COLUMNS: Final = 115
ROWS: Final = 60
COMMANDS: Final = (
    ("config", "set", "release", "2026-12"),
    ("up", "--yes", "--skip-preview", "--suppress-outputs"),
    ("stack", "output", "verification"),
    ("stack", "output", "redis_url"),
)
STANDARD_COLOURS: Final = {colour: number for number, colour in enumerate(FG_BG_256[:16])}
THEME: Final = TerminalTheme(
    background=(22, 27, 34),
    foreground=(225, 228, 232),
    normal=[
        (110, 118, 129),
        (255, 123, 114),
        (126, 231, 135),
        (242, 204, 96),
        (121, 192, 255),
        (210, 168, 255),
        (118, 227, 234),
        (225, 228, 232),
    ],
)


def main() -> None:
    """Rotate, and write the picture."""
    accept_interrupts()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    blank = ""
    with tempfile.TemporaryDirectory() as name, Emulator(databases=1) as upstash:
        project = Path(name) / "quickstart"
        shutil.copytree(QUICKSTART, project)
        stack = Stack.create(project, Path(name) / "stack", environment=upstash.environment)
        stack.set_config("databaseId", upstash.databases[0].id)
        stack.up()
        for command in COMMANDS:
            prompt = Text.assemble(blank, ("$ ", "green"), (shown(command), "bold"))
            console.print(prompt, *printed(stack, command), sep="\n")
            blank = "\n"
    code_format = svg_format(
        "A changed trigger, and `pulumi up` rotates the password", background="#161b22"
    )
    picture = console.export_svg(theme=THEME, code_format=code_format, unique_id="t")
    PICTURE.write_text("\n".join(each.strip() for each in picture.splitlines()) + "\n")


def shown(command: tuple[str, ...]) -> str:
    """Return a command as a user types it."""
    return " ".join(("pulumi", *command))


def printed(stack: Stack, command: tuple[str, ...]) -> list[Text]:
    """Run a command in a terminal and return the lines on its final screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    process = subprocess.Popen(
        ["pulumi", *command, "--color", "always"],
        cwd=stack.project,
        env={**stack.environ, "PULUMI_STACK": stack.name, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    while chunk := read(ours):
        stream.feed(chunk)
    os.close(ours)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, process.args)
    lines = [line(screen, row) for row in range(ROWS)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def read(terminal: int) -> bytes:
    """Return new output of the program in a terminal, or nothing if the program has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux raises this when the program has closed its side
        return b""


def line(screen: pyte.Screen, row: int) -> Text:
    """Return a line of a screen, with its colours."""
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
    text = Text()
    # Some viewers drop spaces at the end of a text, so words and spaces are separate texts.
    for (colour, bold, _), run in groupby(
        cells, lambda cell: (cell.fg, cell.bold, cell.data == " ")
    ):
        number = STANDARD_COLOURS.get(colour)
        style = Style(color=None if number is None else Color.from_ansi(number), bold=bold)
        text.append("".join(cell.data for cell in run), style)
    text.rstrip()
    return text


if __name__ == "__main__":
    main()
