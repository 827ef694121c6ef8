"""Real Pulumi engine, real redis-servers: what every end-to-end test starts from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from pulumi_stack import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upstash_emulator import Emulator

ROOT = Path(__file__).parents[2]


class StackFactory(Protocol):
    def __call__(
        self,
        program: str | Path,
        environment: Mapping[str, str | None] | None = None,
    ) -> Stack: ...


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
def new_stack(tmp_path: Path, upstash_emulator: Emulator) -> StackFactory:
    """Make a stack of a program (its text, or the folder of an example) beside the emulator."""

    def make(program: str | Path, environment: Mapping[str, str | None] | None = None) -> Stack:
        number = len(list(tmp_path.iterdir()))
        project = tmp_path / f"project{number}"
        if isinstance(program, Path):
            shutil.copytree(program, project)
        else:
            project.mkdir()
            (project / "Pulumi.yaml").write_text("name: test\nruntime: python\n")
            write_program(project, program)
        return Stack.create(
            project,
            tmp_path / f"stack{number}",
            environment={**upstash_emulator.environment, **(environment or {})},
        )

    return make


def write_program(project: Path, text: str) -> None:
    """Write a program's __main__.py; the imports that all of them need come with it."""
    imports = "import pulumi\nfrom pulumi_upstash_rotation import RedisPasswordRotation\n"
    (project / "__main__.py").write_text(imports + text)
