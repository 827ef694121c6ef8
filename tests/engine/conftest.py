"""Real Pulumi engine, real redis-servers: what every end-to-end test starts from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..support.front_ends import DYNAMIC, FrontEnd
from ..support.programs import ROOT
from ..support.stacks import Rotations, StackFactory, stack_factory

if TYPE_CHECKING:
    from upstash_emulator import Emulator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Without the real engine these tests fail; they are never skipped."""
    if not shutil.which("pulumi") or not shutil.which("pulumi-language-python"):
        pytest.fail("the Pulumi engine is not on PATH: `make test` puts it there", pytrace=False)


@pytest.fixture
def front_end(request: pytest.FixtureRequest) -> FrontEnd:
    """The front end that programs use: by default the dynamic one."""
    chosen: FrontEnd = getattr(request, "param", DYNAMIC)
    return chosen


@pytest.fixture
def new_stack(tmp_path: Path, upstash_emulator: Emulator, front_end: FrontEnd) -> StackFactory:
    """Make a stack of a program (its text, or the folder of an example) beside the emulator."""
    return stack_factory(tmp_path, upstash_emulator, front_end)


@pytest.fixture
def rotations(
    new_stack: StackFactory, upstash_emulator: Emulator, front_end: FrontEnd
) -> Rotations:
    """A stack whose program declares rotations side by side."""
    return Rotations(new_stack(), upstash_emulator, front_end=front_end)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both sdists, and the wheels that were built from them."""
    folder = tmp_path_factory.mktemp("dist")
    for project in (ROOT, ROOT / "emulator"):
        subprocess.run(
            [sys.executable, "-m", "build", "--outdir", str(folder), str(project)],
            check=True,
            capture_output=True,
        )
    return folder
