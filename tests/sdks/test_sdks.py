"""Pulumi's own generators turn a schema into SDKs that each language's tools accept."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import sdks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(3600)  # the first run may build the generators

SCHEMA = {
    "name": "sample",
    "version": "1.2.3",
    "resources": {
        "sample:index:Thing": {
            "inputProperties": {"size": {"type": "integer"}},
            "requiredInputs": ["size"],
            "properties": {
                "size": {"type": "integer"},
                "token": {"type": "string", "secret": True},
            },
            "required": ["size", "token"],
        }
    },
    "language": {
        "go": {"importBasePath": "example.com/sample/sdk/go/sample", "respectSchemaVersion": True},
        "nodejs": {"packageName": "pulumi-sample", "respectSchemaVersion": True},
        "python": {
            "packageName": "pulumi_sample",
            "pyproject": {"enabled": True},
            "respectSchemaVersion": True,
        },
    },
}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    file.write_text(json.dumps(SCHEMA))
    return file


@pytest.fixture(scope="module")
def generated(schema: Path) -> Path:
    """A folder with an SDK for each language."""
    assert sdks.main([str(schema), str(schema.parent)]) == 0
    return schema.parent


def run(folder: Path, *command: str) -> str:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_each_language_gets_a_folder(generated: Path) -> None:
    assert {file.name for file in generated.iterdir()} - {"schema.json"} == {
        "nodejs",
        "go",
        "python",
    }


def test_only_the_named_languages_are_written_and_what_was_there_goes(
    schema: Path, tmp_path: Path
) -> None:
    (tmp_path / "go").mkdir()
    (tmp_path / "go/old.go").touch()
    assert sdks.main([str(schema), str(tmp_path), "go"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["go"]
    assert not (tmp_path / "go/old.go").exists()


def test_the_version_of_the_schema_is_the_version_of_each_sdk(generated: Path) -> None:
    package = json.loads((generated / "nodejs/package.json").read_text())
    assert package["version"] == "1.2.3"
    assert 'version = "1.2.3"' in (generated / "python/pyproject.toml").read_text()
    plugin = json.loads((generated / "go/sample/pulumi-plugin.json").read_text())
    assert plugin["version"] == "1.2.3"


@pytest.mark.parametrize(
    ("change", "language", "reason"),
    [
        ({}, "cobol", 'no generator for "cobol", only for nodejs, go and python'),
        ({"resources": {"thing": {}}}, "go", "is not a valid schema"),
        ({"resources": 1}, "go", "cannot unmarshal"),
    ],
)
def test_a_wrong_language_or_schema_ends_in_one_line(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    change: dict[str, object],
    language: str,
    reason: str,
) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA | change))
    assert sdks.main([str(file), str(tmp_path), language]) == 1
    assert reason in capfd.readouterr().err.splitlines()[-1]
    assert not (tmp_path / language).exists()


@pytest.mark.soak
def test_the_typescript_sdk_passes_tsc(generated: Path) -> None:
    folder = generated / "nodejs"
    run(folder, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
    run(folder, "npx", "tsc", "--noEmit")


@pytest.mark.soak
def test_the_go_sdk_builds(generated: Path) -> None:
    folder = generated / "go"
    (folder / "go.mod").write_text(
        "module example.com/sample/sdk/go\n\ngo 1.25.0\n\n"
        "require github.com/pulumi/pulumi/sdk/v3 v3.259.0\n"
    )
    run(folder, "go", "mod", "tidy")
    run(folder, "go", "build", "./...")


@pytest.mark.soak
def test_the_python_sdk_installs(generated: Path, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--quiet")
    run(tmp_path, *pip, "--target", str(tmp_path / "site"), str(generated / "python"))
    program = "import pulumi_sample; print(pulumi_sample.Thing.__name__)"
    run(tmp_path / "site", sys.executable, "-c", program)
