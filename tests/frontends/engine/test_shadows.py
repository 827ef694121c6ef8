"""Files of a project that hide a library are named, and no others."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.frontends.engine import shadows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as the SDK starts a dynamic provider
    return tmp_path


def load_from(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(name)
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, name, module)


def test_project_without_such_a_file_hides_nothing(project: Path) -> None:
    for name in ("__main__.py", "redis.py", "test.py", "queue.py", "helpers.py", "requests.txt"):
        (project / name).touch()
    (project / "pydantic").mkdir()  # without an __init__.py, a folder hides no library
    assert shadows.hidden() is None


def test_file_that_stands_for_a_library_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "requests.py").touch()
    monkeypatch.delitem(sys.modules, "requests", raising=False)  # its import has failed
    expected = f"{project / 'requests.py'} hides the library requests. Rename it"
    assert shadows.hidden() == expected
    load_from(project / "requests.py", "requests", monkeypatch)
    assert shadows.hidden() == expected


def test_file_beside_a_library_that_is_loaded_from_elsewhere_hides_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "requests.py").touch()
    load_from(project.parent / "site-packages" / "requests.py", "requests", monkeypatch)
    assert shadows.hidden() is None


def test_file_that_stands_for_a_module_of_python_is_named_once_it_is_loaded(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "queue.py").touch()
    load_from(project / "queue.py", "queue", monkeypatch)
    assert shadows.hidden() == f"{project / 'queue.py'} hides the library queue. Rename it"


def test_packages_and_several_files_are_named_together(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = project / "pydantic"
    package.mkdir()
    (package / "__init__.py").touch()
    load_from(package / "__init__.py", "pydantic", monkeypatch)
    (project / "tenacity.py").touch()
    load_from(project / "tenacity.py", "tenacity", monkeypatch)
    assert shadows.hidden() == (
        f"{package}, {project / 'tenacity.py'} hide the libraries pydantic, tenacity. Rename them"
    )


def test_copy_of_a_library_that_can_be_imported_hides_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("requests", "queue"):
        (project / name).mkdir()
        (project / name / "__init__.py").touch()
        load_from(project / name / "__init__.py", name, monkeypatch)
    text = f"{project / 'queue'} hides the library queue. Rename it"  # no copy of Python's
    assert shadows.hidden(works=True) == text


def test_folder_that_cannot_be_read_hides_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(f"{shadows.__name__}.Path.iterdir", refuse)
    assert project.exists()
    assert shadows.hidden() is None


def test_file_in_a_folder_where_python_does_not_look_hides_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The native plugin's process does not."""
    (project / "cronsim.py").touch()
    monkeypatch.delitem(sys.modules, "cronsim", raising=False)  # a late import
    assert shadows.hidden(works=True) is not None
    others = [each for each in sys.path if each not in ("", str(project))]
    monkeypatch.setattr(sys, "path", others)
    assert shadows.hidden(works=True) is None
    monkeypatch.setattr(sys, "path", [*others, str(project)])
    assert shadows.hidden(works=True) is not None
