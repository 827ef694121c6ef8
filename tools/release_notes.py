"""`make release-notes VERSION=X.Y.Z`: print that version's section of CHANGELOG.md.

The tool fails if a distribution has another version, or if the section is missing or misplaced. The
release workflow passes the tag's version. So the tag, the changelog and the distributions agree.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = re.compile(r"^## (?P<version>\S+)(?: - (?P<date>\S+))?$", re.MULTILINE)


class ReleaseError(Exception):
    """The version, the changelog and the distributions do not agree. The text says where."""


def sections(changelog: str) -> dict[str, str]:
    """Return the text of each released version, the newest first."""
    heads = list(HEADING.finditer(changelog))
    if not heads or heads[0][0] != "## Unreleased":
        raise ReleaseError("CHANGELOG.md: the first section must be Unreleased")
    ends = [head.start() for head in heads[1:]] + [len(changelog)]
    released = {}
    for head, end in list(zip(heads, ends, strict=True))[1:]:
        if not re.fullmatch(r"\d+\.\d+\.\d+", head["version"]) or not _is_date(head["date"]):
            raise ReleaseError(f"CHANGELOG.md: not a version with its date: {head[0]}")
        released[head["version"]] = changelog[head.end() : end].strip()
    order = [tuple(map(int, version.split("."))) for version in released]
    if order != sorted(order, reverse=True):
        raise ReleaseError("CHANGELOG.md: the newest version must come first")
    return released


def distributions(root: Path = ROOT) -> dict[str, str]:
    """Return the version of each package in the repository."""
    found = {}
    for file in sorted(root.glob("*/*/_version.py")):
        (version,) = re.findall(r'^__version__ = "(.+)"$', file.read_text(), re.MULTILINE)
        found[file.parent.name] = version
    return found


def release_notes(version: str, root: Path = ROOT) -> str:
    """Return the section of a version that is ready for release."""
    for package, its_version in distributions(root).items():
        if its_version != version:
            raise ReleaseError(f"{package} has version {its_version}, not {version}")
    released = sections((root / "CHANGELOG.md").read_text())
    if version not in released:
        raise ReleaseError(f"CHANGELOG.md has no section {version}")
    if version != next(iter(released)):
        raise ReleaseError(f"CHANGELOG.md has a version newer than {version}")
    if not released[version]:
        raise ReleaseError(f"CHANGELOG.md: section {version} is empty")
    return released[version]


def _is_date(text: str | None) -> bool:
    try:
        return bool(dt.date.fromisoformat(text or ""))
    except ValueError:
        return False


def main(arguments: list[str]) -> int:
    """Print the notes, or one line with the reason why there are none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="the version without a v, such as 1.2.3")
    try:
        print(release_notes(parser.parse_args(arguments).version))
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
