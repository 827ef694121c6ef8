"""A release needs one version in the distributions, the changelog and the tag."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import release_notes

ROOT = Path(release_notes.__file__).parents[1]
CHANGELOG = """\
# Changelog

## Unreleased

## 1.10.0 - 2026-12-01

### Added

- A thing.

## 1.9.0 - 2026-11-30

### Fixed

- Another thing.
"""


def repository(
    folder: Path,
    changelog: str = CHANGELOG,
    provider: str = "1.10.0",
    emulator: str = "1.10.0",
) -> Path:
    for package, version in {"provider/product": provider, "emulator/emulator": emulator}.items():
        (folder / package).mkdir(parents=True)
        (folder / package / "_version.py").write_text(f'"""V."""\n\n__version__ = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(changelog)
    return folder


def test_notes_are_the_section_of_the_version(tmp_path: Path) -> None:
    notes = release_notes.release_notes("1.10.0", repository(tmp_path))
    assert notes == "### Added\n\n- A thing."


@pytest.mark.parametrize(
    ("version", "changes", "reason"),
    [
        ("1.9.0", {}, "emulator has version 1.10.0, not 1.9.0"),
        ("1.10.0", {"provider": "1.9.0"}, "product has version 1.9.0, not 1.10.0"),
        ("2.0.0", {"provider": "2.0.0", "emulator": "2.0.0"}, "has no section 2.0.0"),
        ("1.9.0", {"provider": "1.9.0", "emulator": "1.9.0"}, "has a version newer than 1.9.0"),
        ("1.10.0", {"changelog": CHANGELOG.replace(" - 2026-12-01", "")}, "## 1.10.0"),
        ("1.10.0", {"changelog": CHANGELOG.replace("12-01", "13-01")}, "## 1.10.0 - 2026-13-01"),
        ("1.10.0", {"changelog": CHANGELOG.replace("1.9.0", "1.11.0")}, "newest version"),
        ("1.10.0", {"changelog": CHANGELOG.replace("## Unreleased\n", "")}, "must be Unreleased"),
        ("1.10.0", {"changelog": "## Unreleased\n\n## 1.10.0 - 2026-12-01\n"}, "is empty"),
    ],
)
def test_a_version_that_is_not_ready_has_no_notes(
    tmp_path: Path, version: str, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(release_notes.ReleaseError) as error:
        release_notes.release_notes(version, repository(tmp_path, **changes))
    assert reason in str(error.value)


def test_the_command_fails_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert release_notes.main(["9.9.9"]) == 1
    output, reason = capsys.readouterr()
    assert output == ""
    assert reason.endswith("not 9.9.9\n")
    assert reason.count("\n") == 1


def test_this_repository_can_be_released() -> None:
    """Its versions, its changelog and a tag of this commit agree."""
    (version,) = set(release_notes.distributions().values())
    released = release_notes.sections((ROOT / "CHANGELOG.md").read_text())
    if newest := next(iter(released), None):
        assert [int(n) for n in newest.split(".")] <= [int(n) for n in version.split(".")]
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD", "--list", "v*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert set(tags) <= {f"v{version}"}
    assert not tags or version in released
