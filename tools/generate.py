"""`make generate`: write what repeats code or data: parts of documents, and the plugin's schema.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`. With `--check` the tool writes
nothing. If a part differs, the exit status is 1.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import runpy
import sys
from typing import TYPE_CHECKING, Any, Final

from click.testing import CliRunner

import schema
from definitions import (
    PACKAGE,
    ROOT,
    arguments,
    assigned,
    class_in,
    fields,
    method,
    public_class,
    section,
    sentences,
)
from pulumi_upstash_rotation.frontends.cli.commands import cli
from pulumi_upstash_rotation.frontends.cli.main import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

RETRIES: Final = PACKAGE / "http" / "retries.py"
SETTINGS: Final = PACKAGE / "upstash" / "settings.py"
README: Final = ROOT / "README.md"
EXAMPLES: Final = ROOT / "examples"
SCHEMA: Final = PACKAGE / "frontends" / "native" / "schema.json"
PERFORMANCE: Final = ROOT / "docs" / "performance.json"
PLOTS: Final = ROOT / "docs" / "plots"

EFFECTS: Final = {"READ": "a read", "IDEMPOTENT": "a repeatable write", "NON_IDEMPOTENT": "a reset"}
"""The effects of a request, and the heading of each in the retry table."""
TYPES: Final = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "pulumi.Resource": "resource",
}
PART: Final = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(options: list[str]) -> int:
    """Write the documents, or compare them, and return the exit status."""
    check = options == ["--check"]
    stale = []
    for document in (*documents(), SCHEMA):
        text = document.read_text() if document.exists() else ""
        wanted = (
            schema.text()
            if document == SCHEMA
            else PART.sub(lambda part: part[1] + generated(part[2]) + part[3], text)
        )
        if wanted != text:
            stale.append(document)
            if not check:
                document.write_text(wanted)
    for document in stale:
        print(f"{document.relative_to(ROOT)} {'is out of date' if check else 'written'}")
    if check and stale:
        print("Run `make generate`.", file=sys.stderr)
    old_plots = [plot for plot in PLOTS.glob("*.svg") if digest() not in plot.read_text()]
    if check and old_plots:
        print(
            "The plots do not match docs/performance.json. Run `make plots`.",
            file=sys.stderr,
        )
    return 1 if check and (stale or old_plots) else 0


def documents() -> Iterator[Path]:
    """Yield every document that may have a generated part."""
    yield from ROOT.glob("*.md")
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield from sorted(EXAMPLES.glob("*/README.md"))


def digest() -> str:
    """Return the digest of the data. Each plot holds the digest of its data."""
    return f"data: {hashlib.sha256(PERFORMANCE.read_bytes()).hexdigest()[:16]}"


def generated(name: str) -> str:
    """Return the text of a part, a line end included."""
    kind, _, argument = name.partition(" ")
    return PARTS[kind](*([argument] if argument else [])).strip() + "\n"


# --- the public classes ---


def inputs(class_name: str) -> str:
    """Return the table of the inputs. The last column comes from the sentence "A change ..."."""
    rows = []
    for name, annotation, text in arguments(method(class_name, "__init__")):
        meaning, _, effect = text.partition(" A chang")
        if not effect:
            raise ValueError(f'the docstring of {name} has no sentence that starts with "A change"')
        type_ = plain_type(annotation, input_=True)
        rows.append((f"`{name}`", type_, *_default_and_meaning(meaning), f"A chang{effect}"))
    return table(("input", "type", "default", "meaning", "when it changes"), rows)


def parameters(name: str) -> str:
    """Return the table of the parameters of CLASS.METHOD."""
    class_name, _, method_name = name.partition(".")
    rows = (
        (
            f"`{each.name}`",
            plain_type(each.annotation, input_=True),
            *_default_and_meaning(each.text),
        )
        for each in arguments(method(class_name, method_name))
    )
    return table(("argument", "type", "default", "meaning"), rows)


def outputs(class_name: str) -> str:
    """Return the table of the outputs."""
    rows = []
    for name, annotation, text in fields(public_class(class_name)):
        if "Output" in (type_ := ast.unparse(annotation)) and not type_.startswith("dict"):
            if not text:
                raise ValueError(f"{class_name}: {name} has no docstring")
            secret = "yes" if "Secret" in text else ""
            rows.append((f"`{name}`", plain_type(annotation), secret, sentences(text)[0]))
    return table(("output", "type", "secret", "meaning"), rows)


def _default_and_meaning(text: str) -> tuple[str, str]:
    default = re.search(r"(\S+) by default\.", text)
    return default[1] if default else "", re.sub(r"\s*\S+ by default\.", "", text)


def plain_type(annotation: ast.expr, *, input_: bool = False) -> str:
    """Return a type in words. For an input it leaves out None, because inputs are optional."""
    match annotation:
        case ast.BinOp(left=left):
            rest = "" if input_ else " or None"
            return plain_type(left, input_=input_) + rest
        case ast.Subscript(value=ast.Attribute(attr="Output" | "Input"), slice=inner):
            return plain_type(inner, input_=input_)
        case ast.Subscript(value=ast.Name(id="Mapping")):
            return "map"
        case ast.Subscript(value=ast.Name(id="Sequence"), slice=inner):
            return f"list of {plain_type(inner)}s"
    name = ast.unparse(annotation)
    return TYPES.get(name, f"`{name}`")


# --- retries and settings ---


def retries() -> str:
    """Return the table of failed attempts and their retries."""
    module = runpy.run_path(str(RETRIES), run_name="retries")  # it imports none of our modules
    text: str = module["table"]()
    for effect, heading in EFFECTS.items():
        text = text.replace(f" {effect} ", f" {heading} ")
    return text


def settings() -> str:
    """Return the table of the keys of the stack's config and their variables."""
    class_ = class_in("Settings", SETTINGS)
    described = section(ast.get_docstring(class_) or "", "Attributes")
    defaults = {
        node.target.id: _default(node.value)
        for node in class_.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    rows = []
    for key in ast.literal_eval(assigned(SETTINGS, "CONFIG_KEYS") or ast.List([])):
        name = re.sub(r"([A-Z])", r"_\1", key.partition(":")[2]).lower()
        variable = f"UPSTASH_{name.upper()}"
        if variable not in SETTINGS.read_text():
            raise LookupError(f"{SETTINGS.name} does not read {variable}")
        rows.append((f"`{key}`", f"`{variable}`", defaults[name], described[name]))
    return table(("stack config", "environment", "default", "meaning"), rows)


def _default(value: ast.expr | None) -> str:
    """Return a field's default as text; empty if a user has to set it."""
    if isinstance(value, ast.Name):
        value = assigned(SETTINGS, value.id)
    return f"`{value.value!s}`" if isinstance(value, ast.Constant) else ""


# --- the Makefile, the examples and the README ---


def make_targets() -> str:
    """Return the table of the Makefile's targets."""
    found = re.findall(r"^([a-z-]+):[^#\n]*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = ((f"`make {name}`", text.replace("$$", "$")) for name, text in found)
    return table(("command", "effect"), rows)


def command_help(name: str) -> str:
    """Return the help of a command of `upstash-rotation`."""
    shown = CliRunner().invoke(cli, [name, "--help"], prog_name=NAME, terminal_width=88)
    return f"```text\n{shown.output}```"


def example(name: str) -> str:
    """Return the program of an example, without its docstring."""
    text = (EXAMPLES / name / "__main__.py").read_text().partition('"""\n\n')[2]
    return f"```python\n{text.strip()}\n```"


def readme(name: str) -> str:
    """Return a marked part of the README."""
    part = re.search(
        rf"<!-- part: {name} -->\n(.*?)<!-- end part -->", README.read_text(), re.DOTALL
    )
    if not part:
        raise LookupError(f"the README has no part {name}")
    return part[1]


# --- measurements ---


def performance(part: str) -> str:
    """Return a table of the measurements, or their conditions."""
    data = json.loads(PERFORMANCE.read_text())
    if part == "conditions":
        rounds = f"is the {data['statistic']} of {data['rounds']} interleaved rounds"
        if data["rounds"] == 1:
            rounds = "was measured once"
        return (
            f"{data['machine']}, Python {data['python']}, Pulumi {data['pulumi']}. "
            f"Each figure {rounds}."
        )
    if part == "goals":
        rows = (
            (each["goal"], f"{each['at_most']}", f"**{each['measured']:.2f}**", _optional(each))
            for each in data["goals"]
        )
        return table(("goal", "at most", "measured", "limit"), rows)
    if part == "plugin":
        goals = (
            (each["goal"], f"{each['at_most']}", f"**{each['measured']:.2f}**")
            for each in data["plugin"]
        )
        return table(("goal", "at most", "measured"), goals)
    return _users(data["users"]) if part == "users" else _summary(data["measurements"])


def _optional(goal: dict[str, Any]) -> str:
    return "" if goal["limit"] is None else f"{goal['limit']:.2f}"


COLUMNS: Final[dict[str, dict[str, object]]] = {
    "1 database, verified": {"databases": 1, "latency_ms": 0, "parallel": None, "verify": True},
    "64 databases, verified": {"databases": 64, "latency_ms": 0, "parallel": None, "verify": True},
    "64 databases, API of 300 ms": {
        "databases": 64,
        "latency_ms": 300,
        "parallel": None,
        "verify": False,
    },
    "the same with `--parallel 64`": {
        "databases": 64,
        "latency_ms": 300,
        "parallel": 64,
        "verify": False,
    },
}
"""The cases of the short table."""


def _summary(measurements: list[dict[str, Any]]) -> str:
    """Return the seconds of each command, and the ratio to the naive provider."""
    rows = []
    for step in dict.fromkeys(each["step"] for each in measurements):
        cells = []
        for case in COLUMNS.values():
            seconds = {
                each["program"]: each["wall_seconds"]
                for each in measurements
                if each["step"] == step and case.items() <= each.items()
            }
            ratio = seconds["ours"] / seconds["naive"]
            cells.append(f"{seconds['ours']:.1f} s ({ratio:.2f})" if seconds else "")
        rows.append((step, *cells))
    return table(("command", *COLUMNS), rows)


def _users(rows: list[dict[str, Any]]) -> str:
    """Return what a rotation of an ACL user costs, beside a reset."""
    reset, user = rows
    facts = [
        ("requests of a rotation, besides verification", "requests", "g"),
        ("resources in the state", "resources", "d"),
        ("bytes in the state", "bytes", ",d"),
    ]
    steps = [name for name in reset if "`" in name]
    databases = reset["databases"]
    return table(
        ("cost", "`RedisPasswordRotation`", "`RedisAclUser` with retirement", "ratio"),
        [
            *(
                (what, f"{reset[key]:{form}}", f"{user[key]:{form}}", "")
                for what, key, form in facts
            ),
            *(
                (
                    f"{databases} at once: {step}",
                    f"{reset[step]:.1f} s",
                    f"{user[step]:.1f} s",
                    f"{user[step] / reset[step]:.2f}",
                )
                for step in steps
            ),
        ],
    )


# --- text ---


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(heads), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


PARTS: Final[dict[str, Callable[..., str]]] = {
    "inputs": inputs,
    "parameters": parameters,
    "outputs": outputs,
    "retries": retries,
    "settings": settings,
    "make-targets": make_targets,
    "example": example,
    "help": command_help,
    "readme": readme,
    "performance": performance,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
