"""Sphinx configuration of the documentation site. `make docs` builds the site."""

from __future__ import annotations

import os
import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SHOWN = {
    "design": ROOT / "DESIGN.md",
    "security": ROOT / "SECURITY.md",
    "reference/emulator": ROOT / "emulator" / "README.md",
}
"""Pages that show a document of the repository."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")

project = "pulumi-upstash-rotation"
release = version_of(project)
html_title = project
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
default_role = "code"  # for text between single backticks in docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
# Pulumi's and Python's own names have no page here.
nitpick_ignore_regex = [("py:.*", r"(pulumi|collections|typing|Output|T)\b.*")]


descriptions: dict[str, list[str]] = {}


def keep_description(
    _app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Keep an attribute's description. napoleon would take words before a colon for types."""
    if what in {"attribute", "property"}:
        descriptions[name] = list(lines)


def restore_description(
    _app: Sphinx, _what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Restore an attribute's description after napoleon has changed it."""
    lines[:] = descriptions.pop(name, lines)


def read_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Set the text of a page, and turn links of the repository into links of the site.

    A file outside the site has no address yet, so its link becomes plain text.
    """
    page = DOCS / f"{name}.md"
    original = SHOWN.get(name, page)
    app.env.note_dependency(str(original))
    shown = {path: DOCS / f"{other}.md" for other, path in SHOWN.items()}

    def link(found: re.Match[str]) -> str:
        image, text, path, anchor = found.groups(default="")
        target = (original.parent / path).resolve()
        target = shown.get(target, target)
        if image or target.is_relative_to(DOCS):
            return f"{image}[{text}]({os.path.relpath(target, page.parent)}{anchor})"
        return text if target.exists() else found[0]

    source[0] = LINK.sub(link, original.read_text())


def check_offline(app: Sphinx, error: Exception | None) -> None:
    """Check that no page loads anything from the network.

    Raises:
        ExtensionError: A page loads something.
    """
    for page in [] if error else Path(app.outdir).rglob("*.html"):
        found = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\bhttps?://[^>]*>", page.read_text())
        if found:
            raise ExtensionError(f"{page.name} loads {found[0]}")


def setup(app: Sphinx) -> None:
    """Register the functions of this file."""
    app.connect("autodoc-process-docstring", keep_description, priority=400)
    app.connect("autodoc-process-docstring", restore_description, priority=600)
    app.connect("source-read", read_page)
    app.connect("build-finished", check_offline)
