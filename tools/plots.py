"""`make plots`: draw the plots of docs/performance.md from docs/performance.json."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import altair as alt

from generate import COLUMNS, PERFORMANCE, PLOTS, digest

COLOURS: Final = {
    "no resources": "#8b949e",
    "naive provider": "#d29922",
    "this provider": "#2f81f7",
}
PROGRAMS: Final = {"none": "no resources", "naive": "naive provider", "ours": "this provider"}
"""The programs by their names in the data. The fourth one only serves the goals."""


def main() -> None:
    """Write every plot."""
    data = json.loads(PERFORMANCE.read_text())["measurements"]
    rows = [
        {**each, "program": PROGRAMS[each["program"]], "step": each["step"].replace("`", "")}
        for each in data
        if each["program"] in PROGRAMS
    ]
    PLOTS.mkdir(exist_ok=True)
    for name, plot in (
        ("commands", commands(rows)),
        ("growth", growth(rows)),
        ("footprint", footprint(rows)),
    ):
        path = PLOTS / f"{name}.svg"
        plot.save(path)
        # The data's digest lets `make check` find a plot that is older than the data.
        path.write_text(
            re.sub(r"(<svg [^>]*>)", rf"\1<!-- {digest()} -->", path.read_text(), count=1) + "\n"
        )


def commands(rows: list[dict[str, Any]]) -> alt.Chart:
    """Return the seconds of each command with 64 databases and a slow API."""
    case = COLUMNS["64 databases, API of 300 ms"]
    shown = [each for each in rows if case.items() <= each.items()]
    bars = (
        base(shown, "64 databases, API latency of 300 ms")
        .mark_bar()
        .encode(
            x=alt.X("wall_seconds:Q", title="seconds"),
            y=alt.Y("step:N", sort=None, title=None),
            yOffset=alt.YOffset("program:N", sort=list(COLOURS)),
            color=colour(),
        )
    )
    return finished(bars.properties(width=520, height=alt.Step(14)))


def growth(rows: list[dict[str, Any]]) -> alt.Chart:
    """Return the seconds of each command by the number of databases, at no latency."""
    shown = [each for each in fleet(rows) if "preview" not in each["step"]]
    steps = dict.fromkeys(each["step"] for each in shown)
    lines = base(shown, "Seconds by number of databases, API without latency")
    chart = lines.mark_line(point=True).encode(
        x=databases(),
        y=alt.Y(
            "wall_seconds:Q",
            title="seconds",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(values=[0.5, 1, 2, 5, 10, 20, 50]),
        ),
        color=colour(),
        facet=alt.Facet("step:N", sort=list(steps), title=None, columns=2),
    )
    return finished(chart.properties(width=250, height=150))


def footprint(rows: list[dict[str, Any]]) -> alt.Chart:
    """Return memory and state by the number of databases."""
    names = {"megabytes": "peak memory, MB", "kilobytes": "state, KB"}
    shown = [
        {**each, "kind": title, "amount": each[name]}
        for name, title in names.items()
        for each in fleet(rows)
        if each["step"] == "up that rotates all" and each[name]
    ]
    chart = (
        base(shown, "Memory and state after a rotation of all databases")
        .mark_line(point=True)
        .encode(
            x=databases(),
            y=alt.Y("amount:Q", title=None),
            color=colour(),
            facet=alt.Facet("kind:N", sort=None, title=None, columns=2),
        )
    )
    return finished(chart.properties(width=250, height=150).resolve_scale(y="independent"))


def fleet(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the measurements of all fleet sizes under the same conditions."""
    case = {"latency_ms": 0, "parallel": None, "verify": False}
    return [each for each in rows if case.items() <= each.items()]


def base(rows: list[dict[str, Any]], title: str) -> alt.Chart:
    """Return a chart of some measurements."""
    return alt.Chart(alt.Data(values=rows), title=title)


def databases() -> alt.X:
    """Return the axis of fleet sizes."""
    scale = alt.Scale(type="log", base=4)
    return alt.X(
        "databases:Q", title="databases", scale=scale, axis=alt.Axis(values=[1, 16, 64, 256])
    )


def colour() -> alt.Color:
    """Return the colour of each program."""
    scale = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    return alt.Color("program:N", title=None, scale=scale, legend=alt.Legend(orient="bottom"))


def finished(chart: alt.Chart) -> alt.Chart:
    """Return a chart on a white card, legible on a dark page too."""
    return (
        chart.configure(background="#ffffff", padding=20, font="Helvetica, Arial, sans-serif")
        .configure_axis(titleFontWeight="normal", labelFontSize=11, titleFontSize=12)
        .configure_legend(columnPadding=24, labelFontSize=12)
        .configure_title(anchor="start", offset=12)
        .configure_view(stroke=None)
    )


if __name__ == "__main__":
    main()
