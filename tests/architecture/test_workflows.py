"""What a schema cannot see: pinned actions, few permissions, and the same targets as `.ci/run`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "pipeline" / ".github" / "workflows" / "rotate.yml"
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), TEMPLATE]
CI = ROOT / ".github" / "workflows" / "ci.yml"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
PINNED = re.compile(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(workflow.read_text())["jobs"]


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow).values() for step in job.get("steps", [])]


def targets(text: str) -> set[str]:
    """The targets of each `make` command in a script or workflow."""
    return set(re.findall(r"^(?:\s+- run: )?make (?:--silent )?([a-z-]+)", text, re.MULTILINE))


def test_every_action_is_pinned_by_the_commit_of_a_tag() -> None:
    used = [
        line
        for workflow in WORKFLOWS
        for line in re.findall(r"uses: (?!\./)(.+)", workflow.read_text())
    ]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []
    commits = {line.partition("@")[0]: set[str]() for line in used}
    for line in used:
        commits[line.partition("@")[0]].add(line)
    assert [pins for pins in commits.values() if len(pins) > 1] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_permission_and_a_job_only_its_own(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {}
    for name, job in jobs(workflow).items():
        allowed = {
            "publish": {"id-token": "write"},
            "announce": {"contents": "write"},
            "rotate": {"contents": "read", "id-token": "write"},
        }.get(name, {"contents": "read"})
        assert job.get("permissions", {}) in ({}, allowed), name
        assert "uses" in job or "timeout-minutes" in job, name


def test_a_checkout_keeps_no_credentials() -> None:
    checkouts = [
        step
        for workflow in WORKFLOWS
        for step in steps(workflow)
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_workflow_runs_the_commands_of_our_own_ci() -> None:
    own = targets((ROOT / ".ci" / "run").read_text())
    assert own
    assert targets(CI.read_text()) == own
    known = targets(re.sub("^", "make ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert own | targets(RELEASE.read_text()) <= known


def test_wheels_are_tested_on_every_python_that_the_classifiers_name() -> None:
    tested = set(jobs(CI)["unit"]["strategy"]["matrix"]["python"])
    text = (ROOT / "pyproject.toml").read_text()
    assert set(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)) <= tested
    assert {"3.10", "3.11", "3.12", "3.13", "3.14"} <= tested


def test_one_job_waits_for_all_others() -> None:
    assert set(jobs(CI)["gate"]["needs"]) == set(jobs(CI)) - {"gate"}
    assert jobs(CI)["gate"]["if"] == "always()"


def test_a_release_publishes_what_ci_built_and_tested() -> None:
    release = jobs(RELEASE)
    assert release["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert release["publish"]["needs"] == "ci"
    distributions = release["publish"]["strategy"]["matrix"]["distribution"]
    assert distributions == ["upstash-emulator", "pulumi-upstash-rotation"]
    uploaded = {
        step["with"]["name"]: step["with"]["path"]
        for step in jobs(CI)["build"]["steps"]
        if step.get("uses", "").startswith("actions/upload-artifact@")
    }
    assert uploaded == {name: f"dist/{name.replace('-', '_')}-*" for name in distributions}
    publish = release["publish"]["steps"][-1]
    assert publish["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert publish["with"] == {"attestations": True}
    assert release["publish"]["environment"]["name"] == "pypi-${{ matrix.distribution }}"


def test_commit_hook_runs_make_check() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (repository,) = config["repos"]
    (hook,) = repository["hooks"]
    assert (repository["repo"], hook["entry"], hook["language"]) == (
        "local",
        "make check",
        "system",
    )


def test_constraints_are_the_only_lock() -> None:
    locks = {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json"}
    skipped = {".venv", ".cache", ".git"}
    found = {
        path
        for path in ROOT.rglob("*lock*")
        if path.name in locks and not skipped & set(path.relative_to(ROOT).parts)
    }
    assert found == set()
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.match(r"[a-z0-9.-]+==\S+( ;.*)?$", pin) for pin in pins)


def test_branch_coverage_has_a_floor() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert "branch = true" in text
    (floor,) = re.findall(r"^fail_under = (\d+)", text, re.MULTILINE)
    assert int(floor) >= 95
    assert re.search(r"^coverage: .*\n\t.*--cov ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_release_steps_start_with_the_address() -> None:
    steps_of_a_person = (ROOT / "RELEASING.md").read_text()
    first = steps_of_a_person.index("address")
    assert first < steps_of_a_person.index("trusted publisher") < steps_of_a_person.index("git tag")
    for environment in ("pypi-upstash-emulator", "pypi-pulumi-upstash-rotation"):
        assert environment in steps_of_a_person
