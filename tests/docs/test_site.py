"""The pages of the site: their programs run, their links lead somewhere, the picture is current."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "examples").glob("*/README.md"))


@pytest.mark.engine
def test_the_emulator_guides_test_passes(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "how-to" / "emulator.md").read_text()
    (program,) = re.findall(r"<!-- test -->\n```python\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "test_guide.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_guide.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PULUMI_HOME": str(tmp_path / "pulumi"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_picture_shows_what_the_readme_shows() -> None:
    picture = (ROOT / "docs" / "rotation.svg").read_text()
    shown = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", picture)).split())
    (announced,) = set(re.findall(r"\[diff: ~triggers\]; (.*)", (ROOT / "README.md").read_text()))
    assert announced in shown
    assert "[secret]" in shown
    assert "rediss://" not in shown


def test_the_picture_loads_nothing() -> None:
    for picture in (ROOT / "docs").rglob("*.svg"):
        addresses = set(re.findall(r"https?://[^\s\"']+", picture.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
