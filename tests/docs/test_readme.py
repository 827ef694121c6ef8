"""The README's console blocks, typed in by a machine: what it shows is what happens."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation import RedisPasswordRotation

from ..support.consoles import assert_shows, block

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MARK = "=== next command ==="


@pytest.fixture
def emulator() -> Iterator[str]:
    """Run the README's emulator command on a free port; return what it prints."""
    *_, (command, _) = block(README, "emulator")
    assert command == "python -m upstash_emulator"
    process = subprocess.Popen(
        [sys.executable, "-m", "upstash_emulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        yield "".join(lines)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout, so that nothing is written to the real one."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", folder / "examples")
    for name in (
        ".venv",
        "Makefile",
        "constraints.txt",
        "emulator",
        "provider",
        "pyproject.toml",
        "tools",
    ):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.engine
def test_the_quick_start_does_what_the_readme_shows(
    emulator: str, checkout: Path, tmp_path: Path
) -> None:
    assert_shows(block(README, "emulator")[-1][1], emulator)
    steps = block(README, "quickstart")
    pasted = [line for line in emulator.splitlines() if line.startswith("export ")]
    script = "\n".join(
        [*pasted, *(f"echo '{MARK}'\n{command} 2>&1 || exit 1" for command, _ in steps)]
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=checkout,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PULUMI_HOME": str(tmp_path / "pulumi"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    printed = done.stdout.split(f"{MARK}\n")[1:]
    for (command, shown), text in zip(steps, printed, strict=False):
        assert_shows(shown, text)
        assert command
    assert done.returncode == 0, printed[-1]
    assert len(printed) == len(steps)


def test_the_readme_names_every_public_input() -> None:
    signature = inspect.signature(RedisPasswordRotation.__init__)
    inputs = [each.name for each in signature.parameters.values() if each.kind == each.KEYWORD_ONLY]
    assert len(inputs) == 9
    table = (ROOT / "docs" / "reference" / "inputs.md").read_text()
    for name in inputs:
        assert f"`{name}" in README
        assert f"| `{name}` |" in table


def test_every_link_into_the_project_leads_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), ROOT / "emulator" / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_make_command_of_the_readme_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        wanted = set(re.findall(r"\bmake (?:-s )?([a-z-]+)", (ROOT / document).read_text()))
        assert wanted <= targets
        assert wanted
