"""Which way imports point, and who may import what.

The contracts stand in pyproject.toml. `make check` runs them too.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "provider" / "pulumi_upstash_rotation"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a checkout against the packages in it."""
    code = (
        "import sys; sys.path[:0] = ['provider', 'emulator']\n"
        "from importlinter.cli import lint_imports\n"
        "sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True))"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_contracts_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


PLANTED: Final = (
    # module, import, the contract that it breaks
    ("rotation/decision.py", "import pulumi", "Product: only front ends know Pulumi"),
    ("rotation/schedule.py", "import time", "Product: the rotation is pure"),
    (
        "http/client.py",
        "from pulumi_upstash_rotation.upstash import settings",
        "Product: imports point one way",
    ),
    (
        "rotation/record.py",
        "if TYPE_CHECKING:\n    from pulumi_upstash_rotation.resources import handler",
        "Product: imports point one way",
    ),
    ("http/retries.py", "import redis", "Product: HTTP knows no vendor and no engine"),
    (
        "frontends/engine/log.py",
        "from pulumi_upstash_rotation.frontends.dynamic import sdk",
        "Product: front ends import only downwards",
    ),
    (
        "frontends/cli/text.py",
        "from pulumi_upstash_rotation.frontends.native import names",
        "Product: front ends import only downwards",
    ),
    ("frontends/cli/due.py", "import pulumi", "Product: the command line needs no SDK"),
    (
        "resources/databases.py",
        "import click",
        "Product: only the command line needs its libraries",
    ),
    (
        "resources/redis_password_rotation/state.py",
        "from . import operations",
        "Product: inside a resource, operations and state lie below the handler",
    ),
    (
        "../../emulator/upstash_emulator/errors.py",
        "from pulumi_upstash_rotation import errors",
        "Product and emulator share no code",
    ),
)


def test_contracts_find_planted_imports(tmp_path: Path) -> None:
    """Those for typing count as well."""
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("provider", "emulator"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line, _ in PLANTED:
        path = tmp_path / "provider" / PACKAGE.name / module
        path.write_text(f"{path.read_text()}\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for _, _, contract in PLANTED:
        assert f"{contract} BROKEN" in done.stdout


def imports_of(path: Path) -> Iterator[str]:
    """Return the full names of the modules that a module imports, and of the names in them."""
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


OUTSIDE_FRONT_ENDS: Final = [
    path for path in MODULES if path.relative_to(PACKAGE).parts[0] != "frontends"
]


@pytest.mark.parametrize("path", OUTSIDE_FRONT_ENDS, ids=name_of)
def test_module_outside_the_front_ends_knows_no_engine(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imports_of(path)}
    assert not roots & {"pulumi", "grpc", "google", "dill"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_clock_is_read_in_one_module(path: Path) -> None:
    """Every other module gets the present from its caller."""
    clocks = {"now", "utcnow", "today", "time", "time_ns"}
    calls = [
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in clocks
        if ast.unparse(node.func) not in {"context.now", "operation.now"}
    ]
    assert calls == (["now"] if name_of(path) == "frontends/engine/context.py" else [])


def test_top_of_the_package_has_at_most_nine_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 9


WITHOUT_TESTS_BESIDE: Final = {"__init__.py", "__main__.py", "_version.py", "provider.py"}
"""They hold names: see `test_exported_names` and `test_frozen_names`. One only calls another."""


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name not in WITHOUT_TESTS_BESIDE], ids=name_of
)
def test_module_has_its_tests_at_the_same_place(path: Path) -> None:
    module = path.relative_to(PACKAGE)
    assert (ROOT / "tests" / module.with_name(f"test_{module.name}")).is_file()


def test_no_test_imports_another_test() -> None:
    """What several of them need is in tests/support."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name in imports_of(path)
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
    ]
    assert found == []
