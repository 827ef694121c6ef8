"""Reports in every format."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.frontends.cli import formats
from pulumi_upstash_rotation.frontends.cli.credentials import Credential, Kind
from pulumi_upstash_rotation.frontends.cli.due import Due
from pulumi_upstash_rotation.frontends.cli.formats import FORMATS, Report
from pulumi_upstash_rotation.rotation.inputs import KnownRotation
from pulumi_upstash_rotation.rotation.record import Cause, Reason, RotationRecord

from ...support.clock import START
from ...support.exported import DATABASE_ID

CACHE: Final = Credential(
    "shop",
    "dev",
    "cache",
    "urn:pulumi:dev::shop::type::cache",
    Kind.PASSWORD,
    database_id=DATABASE_ID,
    database_name="cache-1",
    record=RotationRecord(START - timedelta(days=10), 2, Reason(Cause.TRIGGER, "release")),
    limits=KnownRotation(rotation_days=30),
    verified=True,
)
USER: Final = replace(
    CACHE,
    name="app",
    kind=Kind.ACL_TOKEN,
    username="app",
    record=RotationRecord(adopted_at=START - timedelta(days=1), reason=Reason(Cause.ADOPTED)),
    limits=KnownRotation(),
    verified=None,
    pending="interrupted update",
)
HOSTILE: Final = (
    "[red]\x1b]8;;http://a\x07<img src=//a onerror=b>|`*_\u202e&amp;\x9b\r\n| --- |[a](b)"
)
EVIL: Final = replace(
    CACHE,
    project=HOSTILE,
    stack=HOSTILE,
    name=HOSTILE,
    database_id=HOSTILE,
    database_name=HOSTILE,
    username=HOSTILE,
    record=RotationRecord(reason=Reason(Cause.OTHER, HOSTILE)),
    pending=HOSTILE,
)


def shown(format_: str, *credentials: Credential, width: int | None = None) -> str:
    return FORMATS[format_](Report(credentials, START, width))


def test_table_has_a_line_for_each_credential() -> None:
    head, cache, user = shown("table", CACHE, USER).splitlines()
    assert re.split("  +", head) == [
        "stack",
        "name",
        "database",
        "kind",
        "age",
        "cause",
        "next rotation",
        "verified",
        "pending",
    ]
    assert re.split("  +", cache) == [
        "shop/dev",
        "cache",
        f"cache-1 ({DATABASE_ID})",
        "password",
        "10 days",
        "trigger: release",
        "2026-12-13T04:05:06Z (age)",
        "yes",
    ]
    assert re.split("  +", user)[1:] == [
        "app",
        f"cache-1 ({DATABASE_ID})",
        "ACL token of app",
        "over 1 day",
        "adopted",
        "interrupted update",
    ]
    assert user.index("adopted") == head.index("cause")


def test_table_fits_a_terminal_and_loses_nothing() -> None:
    text = shown("table", CACHE, width=100)
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) > 2
    letters = re.sub(r"\s", "", "".join(sorted(text)))
    assert letters == re.sub(r"\s", "", "".join(sorted(shown("table", CACHE))))


def test_markdown_is_a_table_with_names_as_code() -> None:
    assert shown("markdown", CACHE).splitlines() == [
        "| stack | name | database | kind | age | cause | next rotation | verified | pending |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| `shop/dev` | `cache` | `cache-1 ({DATABASE_ID})` | `password` | `10 days` "
        "| `trigger: release` | `2026-12-13T04:05:06Z (age)` | `yes` |  |",
    ]


def test_json_has_every_value() -> None:
    assert json.loads(shown("json", CACHE, USER)) == {
        "generated_at": "2026-11-23T04:05:06Z",
        "credentials": [
            {
                "project": "shop",
                "stack": "dev",
                "name": "cache",
                "urn": "urn:pulumi:dev::shop::type::cache",
                "kind": "password",
                "database_id": DATABASE_ID,
                "database_name": "cache-1",
                "username": None,
                "rotated_at": "2026-11-13T04:05:06Z",
                "adopted_at": None,
                "age_days": 10.0,
                "rotation_count": 2,
                "cause": "trigger: release",
                "next_rotation_at": "2026-12-13T04:05:06Z",
                "next_cause": "age",
                "verified": True,
                "pending": None,
                "secret": [],
            },
            {
                "project": "shop",
                "stack": "dev",
                "name": "app",
                "urn": "urn:pulumi:dev::shop::type::cache",
                "kind": "ACL token",
                "database_id": DATABASE_ID,
                "database_name": "cache-1",
                "username": "app",
                "rotated_at": None,
                "adopted_at": "2026-11-22T04:05:06Z",
                "age_days": None,
                "rotation_count": 0,
                "cause": "adopted",
                "next_rotation_at": None,
                "next_cause": None,
                "verified": None,
                "pending": "interrupted update",
                "secret": [],
            },
        ],
    }


def test_picture_is_well_formed_and_loads_nothing() -> None:
    text = shown("svg", CACHE, USER)
    ET.fromstring(text)
    assert "cache-1" in text
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|href|<script", text)


def test_page_is_well_formed_and_loads_nothing() -> None:
    text = shown("html", CACHE, USER)
    assert f"<td>cache-1 ({DATABASE_ID})</td>" in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|@import|href|src=|<script", text)


@pytest.mark.parametrize("format_", FORMATS)
def test_report_without_credentials_says_so(format_: str) -> None:
    text = shown(format_).replace("&#160;", " ")
    assert "No credentials." in text or json.loads(text)["credentials"] == []


@pytest.mark.parametrize(
    ("credential", "cell"),
    [
        (replace(CACHE, database_name=None), DATABASE_ID),
        (replace(CACHE, database_id=None, secret=frozenset({"database_id"})), "cache-1 (secret)"),
        (replace(CACHE, record=RotationRecord(), secret=frozenset({"rotated_at"})), "(secret)"),
        (replace(CACHE, record=RotationRecord(), secret=frozenset({"cause"})), "(secret)"),
        (replace(CACHE, verified=False), "no"),
        (replace(CACHE, verified=None, secret=frozenset({"verified"})), "(secret)"),
        (replace(CACHE, secret=frozenset({"pending"})), "(secret)"),
        (
            replace(CACHE, limits=KnownRotation(), secret=frozenset({"next_rotation_at"})),
            "(secret)",
        ),
        (replace(CACHE, record=RotationRecord(START)), "0 days"),
    ],
)
def test_cell_of_a_value(credential: Credential, cell: str) -> None:
    assert cell in Report([credential], START).cells[0]


# Names in a state are foreign text.


class Page(HTMLParser):
    """The tags of a page, and its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def tags(text: str) -> list[str]:
    page = Page()
    page.feed(text)
    return page.tags


@given(st.text() | st.just(HOSTILE))
def test_name_takes_no_effect_in_any_format(name: str) -> None:
    evil, plain = (
        replace(
            EVIL,
            **dict.fromkeys(("project", "stack", "name", "database_name", "pending"), each),
        )
        for each in (f"x{name}", "x")
    )
    for format_ in ("table", "markdown", "json", "svg", "html"):
        text = shown(format_, evil)
        assert all(line.isprintable() for line in text.split("\n"))
    assert shown("table", evil).count("\n") == 2
    markdown = shown("markdown", evil).split("\n")
    assert len(markdown) == 4
    assert markdown[2].count("|") == markdown[0].count("|")
    assert markdown[2].count("`") == 2 * len([cell for cell in cells(evil) if cell])
    assert tags(shown("html", evil)) == tags(shown("html", plain))
    assert {each.tag for each in ET.fromstring(shown("svg", evil)).iter()} == {
        each.tag for each in ET.fromstring(shown("svg", plain)).iter()
    }
    assert json.loads(shown("json", evil))["credentials"][0]["name"] == f"x{name}"


def cells(credential: Credential) -> list[str]:
    return Report([credential], START).cells[0]


def test_hostile_name_is_shown_as_it_is_written() -> None:
    assert "[red]\\u001b]8;;http://a\\u0007<img" in shown("table", EVIL)
    assert "&lt;img src=//a onerror=b&gt;" in shown("html", EVIL)
    assert "\\u007c\\u0060*_\\u202e&amp;" in shown("markdown", EVIL)


# What is due


def test_due_is_a_line_with_the_reasons() -> None:
    due = [Due(CACHE, ("pending (age)", "schedule")), Due(EVIL, ("age",))]
    first, second = formats.due_as_text(due).splitlines()
    assert first == "shop/dev cache: pending (age), schedule"
    assert second.startswith("[red]\\u001b")
    assert formats.due_as_text([]) == "Nothing is due.\n"


def test_due_as_json_has_every_value_and_the_reasons() -> None:
    found: dict[str, Any] = json.loads(formats.due_as_json([Due(CACHE, ("age",))], START))
    (report,) = json.loads(shown("json", CACHE))["credentials"]
    assert found == {
        "generated_at": "2026-11-23T04:05:06Z",
        "due": [{**report, "reasons": ["age"]}],
    }
