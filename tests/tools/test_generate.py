"""What `make generate` reads out of code, and that a difference is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import generate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("name", "inputs"), [("RedisPasswordRotation", 9), ("RedisAclUser", 12)])
def test_every_input_has_a_meaning_and_an_effect(name: str, inputs: int) -> None:
    rows = generate.inputs(name).splitlines()[2:]
    assert len(rows) == inputs
    for row in rows:
        _, name, type_, _, meaning, effect, _ = (cell.strip() for cell in row.split("|"))
        assert name
        assert type_
        assert meaning
        assert effect


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        (
            "RedisPasswordRotation",
            "triggers password rest_token read_only_rest_token redis_url extra_attributes",
        ),
        ("RedisAclUser", "token redis_url previous_token"),
        ("RedisAclRetirement", ""),
    ],
)
def test_the_outputs_table_marks_the_secret_outputs(name: str, outputs: str) -> None:
    rows = [row.split(" | ") for row in generate.outputs(name).splitlines()[2:]]
    assert rows
    secret = [name.strip("| `") for name, _, mark, *_ in rows if mark == "yes"]
    assert secret == outputs.split()


def test_the_parameters_table_has_the_defaults() -> None:
    rows = generate.parameters("RedisAclUser.retire_previous").splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    assert [(name, type_, default) for _, name, type_, default, *_ in cells] == [
        ("`after`", "list of resources", ""),
        ("`grace_seconds`", "number", "2"),
        ("`opts`", "`pulumi.ResourceOptions`", ""),
    ]


def test_retry_table_has_a_row_for_each_outcome_and_a_column_for_each_effect() -> None:
    header, _, *rows = generate.retries().splitlines()
    assert header == ("| outcome of an attempt | a read | a repeatable write | a reset | why |")
    assert (
        "| status 429 | retried | retried | retried | the server did not process the request |"
        in rows
    )
    lost = next(row for row in rows if row.startswith("| connection lost"))
    assert "| retried | retried | no |" in lost
    assert len(rows) == len(set(rows)) == 8


def test_a_stale_document_fails_the_check_and_is_written_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "page.md"
    document.write_text("Before\n<!-- generated: make-targets -->\nold\n<!-- end -->\nAfter\n")
    monkeypatch.setattr(generate, "documents", lambda: iter([document]))
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    (tmp_path / "Makefile").write_text("demo: ## Rotate\n")
    assert generate.main(["--check"]) == 1
    assert "page.md is out of date" in capsys.readouterr().out
    assert "old" in document.read_text()
    assert generate.main([]) == 0
    assert document.read_text() == (
        "Before\n<!-- generated: make-targets -->\n| command | effect |\n| --- | --- |\n"
        "| `make demo` | Rotate |\n<!-- end -->\nAfter\n"
    )
    assert generate.main(["--check"]) == 0


def test_a_plot_of_other_data_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "documents", lambda: iter(()))
    monkeypatch.setattr(generate, "PLOTS", tmp_path)
    (tmp_path / "plot.svg").write_text("<svg><!-- data: 0000 --></svg>")
    assert generate.main(["--check"]) == 1
    assert "make plots" in capsys.readouterr().err
    (tmp_path / "plot.svg").write_text(f"<svg><!-- {generate.digest()} --></svg>")
    assert generate.main(["--check"]) == 0
