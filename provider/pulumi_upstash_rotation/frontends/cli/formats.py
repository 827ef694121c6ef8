"""Reports as text: a table for people, Markdown, JSON, SVG and HTML.

Names in a state are foreign text. Each format shows them so that nothing in them takes effect.
"""

from __future__ import annotations

import html
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pulumi_upstash_rotation.values import format_time

from .text import printable, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from .credentials import Credential
    from .due import Due
    from .fleet import FleetDatabase

SECRET: Final = "(secret)"  # noqa: S105  what stands for one
NO_CREDENTIALS: Final = "No credentials."
NO_DATABASES: Final = "No databases."
NOTHING_DUE: Final = "Nothing is due."
_TITLE: Final = "Rotated credentials"


@dataclass(frozen=True)
class Report:
    """What a report shows.

    Attributes:
        credentials: The credentials.
        now: The time of the report, in UTC.
        width: Width of the terminal that shows it, in columns. None for as wide as its rows.
    """

    credentials: Sequence[Credential]
    now: datetime
    width: int | None = None

    @property
    def cells(self) -> list[list[str]]:
        """The cells of each row."""
        return [[show(each, self.now) for show in _COLUMNS.values()] for each in self.credentials]


# --- the cells ---


def qualified_name(credential: Credential) -> str:
    """Return the name of a credential among those of all stacks, such as `shop/dev cache`."""
    return f"{credential.qualified_stack} {credential.name}"


def _database(credential: Credential) -> str:
    id_ = _or_secret(credential, "database_id", credential.database_id)
    name = _or_secret(credential, "database_name", credential.database_name)
    return f"{name} ({id_.strip('()')})" if name else id_


def _kind(credential: Credential) -> str:
    user = _or_secret(credential, "username", credential.username)
    return f"{credential.kind.value} of {user}" if user else credential.kind.value


def _age(credential: Credential, now: datetime) -> str:
    age, least = credential.age(now), credential.least_age(now)
    if age is None and least is not None:
        return f"over {_days(least)}"
    return _or_secret(credential, "rotated_at", None if age is None else _days(age))


def _days(age: timedelta) -> str:
    return f"{age.days} day" if age.days == 1 else f"{age.days} days"


def _cause(credential: Credential) -> str:
    reason = credential.record.reason
    return _or_secret(credential, "cause", str(reason) if reason else None)


def _next_rotation(credential: Credential) -> str:
    following = credential.next_rotation
    text = following and f"{format_time(following[0])} ({following[1].value})"
    return _or_secret(credential, "next_rotation_at", text)


def _verified(credential: Credential) -> str:
    text = {True: "yes", False: "no", None: None}[credential.verified]
    return _or_secret(credential, "verified", text)


def _pending(credential: Credential) -> str:
    return _or_secret(credential, "pending", credential.pending)


def _or_secret(credential: Credential, name: str, text: str | None) -> str:
    return text or (SECRET if name in credential.secret else "")


_COLUMNS: Final[Mapping[str, Callable[[Credential, datetime], str]]] = {
    "stack": lambda each, _: each.qualified_stack,
    "name": lambda each, _: each.name,
    "database": lambda each, _: _database(each),
    "kind": lambda each, _: _kind(each),
    "age": _age,
    "cause": lambda each, _: _cause(each),
    "next rotation": lambda each, _: _next_rotation(each),
    "verified": lambda each, _: _verified(each),
    "pending": lambda each, _: _pending(each),
}


# --- the formats ---


def table(report: Report) -> str:
    """Return a table for a terminal."""
    if not report.credentials:
        return f"{NO_CREDENTIALS}\n"
    return _as_text(_table(list(_COLUMNS), report.cells), report.width)


def markdown(report: Report) -> str:
    """Return a table of GitHub's Markdown, with names as code."""
    if not report.credentials:
        return f"{NO_CREDENTIALS}\n"
    lines = [list(_COLUMNS), ["---"] * len(_COLUMNS)]
    lines += [[_code(cell) for cell in row] for row in report.cells]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def as_json(report: Report) -> str:
    """Return JSON with every value."""
    rows = [values_of(each, report.now) for each in report.credentials]
    return _json({"generated_at": format_time(report.now), "credentials": rows})


def svg(report: Report) -> str:
    """Return a picture of the table. It loads nothing."""
    lines = _table(list(_COLUMNS), report.cells)
    console = Console(file=io.StringIO(), width=_width(lines), record=True)
    console.print(lines if report.credentials else NO_CREDENTIALS)
    code_format = svg_format(_TITLE, background="#292929")
    return console.export_svg(title=_TITLE, code_format=code_format)


def svg_format(title: str, *, background: str) -> str:
    """Return a format for pictures of a terminal, in which no font comes from the network.

    Args:
        title: What the picture shows.
        background: Its color, such as `#292929`.
    """
    return _SVG.replace("TITLE", title).replace("BACKGROUND", background)


def as_html(report: Report) -> str:
    """Return a page with the table. It loads nothing and runs nothing."""

    def row(cells: Sequence[str], tag: str) -> str:
        shown = (f"<{tag}>{html.escape(printable(cell))}</{tag}>" for cell in cells)
        return f"<tr>{''.join(shown)}</tr>\n"

    return _HTML.format(
        title=_TITLE,
        time=format_time(report.now),
        head=row(list(_COLUMNS), "th"),
        rows="".join(row(cells, "td") for cells in report.cells or [[NO_CREDENTIALS]]),
    )


FORMATS: Final[Mapping[str, Callable[[Report], str]]] = {
    "table": table,
    "markdown": markdown,
    "json": as_json,
    "svg": svg,
    "html": as_html,
}
"""The formats of a report, by name."""


def due_as_text(due: Sequence[Due]) -> str:
    """Return one line for each credential that is due, with the reasons."""
    lines = (f"{qualified_name(each)}: {', '.join(reasons)}" for each, reasons in due)
    return "".join(f"{printable(line)}\n" for line in lines) or f"{NOTHING_DUE}\n"


def due_as_json(due: Sequence[Due], now: datetime) -> str:
    """Return the same as JSON, with every value of the credentials."""
    rows = [{**values_of(each, now), "reasons": list(reasons)} for each, reasons in due]
    return _json({"generated_at": format_time(now), "due": rows})


def fleet_as_table(databases: Sequence[FleetDatabase], width: int | None) -> str:
    """Return a table for a terminal."""
    rows = [
        [
            each.name,
            each.id,
            each.state or "",
            str(each.shard or ""),
            ", ".join(each.stacks),
        ]
        for each in databases
    ]
    heads = ["name", "id", "state", "shard", "stack"]
    return _as_text(_table(heads, rows), width) if rows else f"{NO_DATABASES}\n"


def fleet_as_json(databases: Sequence[FleetDatabase]) -> str:
    """Return the same as JSON. A value that is not known is null."""
    rows = [
        {
            "database_name": each.name,
            "database_id": each.id,
            "state": each.state,
            "shard": each.shard and str(each.shard),
            "stacks": list(each.stacks),
        }
        for each in databases
    ]
    return _json({"databases": rows})


def values_of(credential: Credential, now: datetime) -> dict[str, Any]:
    """Return all values of a credential. One that is not known is None.

    `secret` has the names of those that are not known because they are secret.
    """
    record, following, age = credential.record, credential.next_rotation, credential.age(now)
    return {
        "project": credential.project,
        "stack": credential.stack,
        "name": credential.name,
        "urn": credential.urn,
        "kind": credential.kind.value,
        "database_id": credential.database_id,
        "database_name": credential.database_name,
        "username": credential.username,
        "rotated_at": record.rotated_at and format_time(record.rotated_at),
        "adopted_at": record.adopted_at and format_time(record.adopted_at),
        "age_days": None if age is None else round(age.total_seconds() / 86400, 3),
        "rotation_count": record.count,
        "cause": record.reason and str(record.reason),
        "next_rotation_at": following and format_time(following[0]),
        "next_cause": following and following[1].value,
        "verified": credential.verified,
        "pending": credential.pending,
        "secret": sorted(credential.secret),
    }


def _json(value: object) -> str:
    # The only character that JSON leaves as it is and that is not printable
    return json.dumps(value, indent=2).replace("\x7f", "\\u007f") + "\n"


def _code(text: str) -> str:
    """Return a cell of Markdown in which no character has a meaning."""
    return f"`{without('`|', printable(text))}`" if text else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    lines = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        lines.add_column(head, overflow="fold")
    for cells in rows:
        lines.add_row(*(Text(printable(cell)) for cell in cells))
    return lines


def _as_text(lines: Table, width: int | None) -> str:
    """Return a table for a terminal of a width, or as wide as its rows."""
    console = Console(file=io.StringIO(), width=width or _width(lines), color_system=None)
    with console.capture() as captured:
        console.print(lines)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _width(lines: Table) -> int:
    endless = Console(file=io.StringIO(), width=1 << 20)
    return max(len(_TITLE), Measurement.get(endless, endless.options, lines).maximum)


# Rich's own formats load a font from the network. This one uses a font of the reader's machine.
_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>{lines}</defs>
<rect width="100%" height="100%" rx="10" fill="BACKGROUND"/>
<g transform="translate({terminal_x}, 18)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
_HTML: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #999; padding: 0.3rem 0.6rem; text-align: left; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{time}</p>
<table>
{head}{rows}</table>
</body>
</html>
"""
