"""Files of a project that hide a library.

The process of a dynamic provider runs in the project's folder, and Python looks there first. A file
`requests.py` of the project then stands for the library `requests`. For the native plugin Python
looks there only if PYTHONPATH says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

NEEDED: Final = frozenset(
    {
        "annotated_types",
        "certifi",
        "charset_normalizer",
        "cronsim",
        "idna",
        "pydantic",
        "pydantic_core",
        "requests",
        "tenacity",
        "typing_extensions",
        "typing_inspection",
        "urllib3",
    }
)
"""Top-level names of the libraries without which no request is possible."""


def hidden(*, works: bool = False) -> str | None:
    """Return a text with the project's files that hide a library, or None.

    Args:
        works: Whether all libraries have been imported. A package of the project may then be a
            copy of the library.
    """
    try:
        project = Path.cwd()
        if not any(Path(each).resolve() == project for each in sys.path):
            return None
        found = sorted(path for path in project.iterdir() if _hides(path, works=works))
    except OSError:
        return None
    if not found:
        return None
    verb = "hides the library" if len(found) == 1 else "hide the libraries"
    libraries = ", ".join(path.stem for path in found)
    rename = "Rename it" if len(found) == 1 else "Rename them"
    return f"{', '.join(map(str, found))} {verb} {libraries}. {rename}"


def _hides(path: Path, *, works: bool) -> bool:
    """Return whether Python has imported a path for a library, or would import it for one."""
    if path.suffix == ".py":
        name = path.stem
    elif (path / "__init__.py").is_file():
        name = path.name
    else:
        return False
    if name not in NEEDED and name not in sys.stdlib_module_names:
        return False
    loaded = sys.modules.get(name)
    if loaded is None:
        return name in NEEDED  # the projects of many users have a file such as test.py
    is_copy = works and name in NEEDED and path.suffix != ".py"
    return not is_copy and str(getattr(loaded, "__file__", None) or "").startswith(str(path))
