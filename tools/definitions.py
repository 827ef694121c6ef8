"""Arguments, outputs and their descriptions, read from the code without running it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "provider" / "pulumi_upstash_rotation"
PROGRAM: Final = PACKAGE / "frontends" / "program"


class Definition(NamedTuple):
    """An argument or output. Its text is empty if the code has none."""

    name: str
    annotation: ast.expr
    text: str


def public_class(name: str) -> ast.ClassDef:
    """Return a class that programs declare."""
    return class_in(name, *PROGRAM.glob("*.py"))


def class_in(name: str, *paths: Path) -> ast.ClassDef:
    """Return a class of one of these modules."""
    nodes = (node for path in paths for node in parsed(path).body)
    return next(node for node in nodes if isinstance(node, ast.ClassDef) and node.name == name)


def method(class_name: str, name: str) -> ast.FunctionDef:
    """Return a method of a public class."""
    return function_in(name, public_class(class_name))


def function_in(name: str, body: ast.ClassDef | ast.Module) -> ast.FunctionDef:
    """Return a function of a class or module."""
    nodes = (node for node in body.body if isinstance(node, ast.FunctionDef))
    return next(node for node in nodes if node.name == name)


def arguments(function: ast.FunctionDef) -> Iterator[Definition]:
    """Yield each argument that has to be named."""
    described = section(ast.get_docstring(function) or "", "Args")
    for argument in function.args.kwonlyargs:
        if argument.annotation:
            yield Definition(argument.arg, argument.annotation, described[argument.arg])


def fields(class_: ast.ClassDef) -> Iterator[Definition]:
    """Yield the annotated fields and the properties of a class."""
    for node, following in zip(class_.body, [*class_.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and _is_property(node) and node.returns:
            yield Definition(node.name, node.returns, ast.get_docstring(node) or "")
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield Definition(node.target.id, node.annotation, text)
                case _:
                    yield Definition(node.target.id, node.annotation, "")


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return re.split(r"(?<=[.])\s+(?=[A-Z`\d])", " ".join(text.split()))


def section(docstring: str, name: str) -> dict[str, str]:
    """Return a docstring's section of names and descriptions."""
    body = re.search(rf"^{name}:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    if not body:
        raise LookupError(f"a docstring has no section {name}")
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", body[1], re.MULTILINE)
    return {entry: " ".join(text.split()) for entry, text in entries}


def parsed(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text())


def assigned(path: Path, name: str) -> ast.expr | None:
    """Return what a module assigns to a name."""
    for node in parsed(path).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value: ast.expr | None = getattr(node, "value", None)
            return value
    return None
