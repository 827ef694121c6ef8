"""Console blocks of documents: commands, and what they show."""

from __future__ import annotations

import doctest
import re

VARIABLE = {
    r"@ (updating|previewing update|destroying)\.+\n": "",
    r"\n\s*\n": "\n",
    r"\((\d+|\d+\.\d+)s\)": "(0s)",
    r"Duration: \d+s": "Duration: 0s",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "TIME",
    r"\b[0-9a-f]{32,40}\b": "SECRET",
    r"(database-2  )[0-9a-f-]{36}": r"\1ID",
    r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
    r"/\S*/upstash-\w+": "/tmp/upstash-X",
    r"Redis \d+\.\d+\.\d+": "Redis VERSION",
    r"[ \t]+\n": "\n",
}
"""What differs from run to run, and what stands for it in both texts."""


def block(document: str, name: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that the document shows."""
    match = re.search(rf"<!-- console: {name} -->\n```console\n(.*?)```", document, re.DOTALL)
    assert match, f"no console block {name}"
    steps = re.split(r"^\$ ", match[1], flags=re.MULTILINE)[1:]
    return [(command, shown) for command, _, shown in (step.partition("\n") for step in steps)]


def normalised(text: str) -> str:
    for pattern, replacement in VARIABLE.items():
        text = re.sub(pattern, replacement, text)
    # The engine reports what runs at the same time in any order.
    return "\n".join(line for line in text.strip().splitlines())


def assert_shows(shown: str, printed: str) -> None:
    want, got = (normalised(text) + "\n" for text in (shown, printed))
    checker = doctest.OutputChecker()
    assert checker.check_output(want, got, doctest.ELLIPSIS), f"shown:\n{want}\nreally:\n{got}"
