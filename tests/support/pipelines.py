"""Jobs of CI systems: their shell commands, run here in the order and way of their runners."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml

from .shells import run_bash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SETUP: Final = ("pulumi login ",)
"""Starts of commands that prepare a job at the CI system, and that nothing here can answer."""


@dataclass(frozen=True)
class Finished:
    """A job that has ended.

    Attributes:
        passed: Whether the CI system shows it as passed.
        log: All that its commands have printed.
        report: The table that it has left for people.
    """

    passed: bool
    log: str
    report: str


class RunJob(Protocol):
    def __call__(
        self, project: Path, environ: Mapping[str, str], secrets: Mapping[str, str], incident: str
    ) -> Finished:
        """Run the job of the template.

        Args:
            project: The project's folder, as if it had just been checked out.
            environ: The runner's environment.
            secrets: What the CI system keeps secret, by name.
            incident: What a person has entered as `incident`. Empty in a scheduled run.
        """


# GitHub Actions


@dataclass
class _Steps:
    """The steps so far.

    Attributes:
        failed: Whether one has failed.
        begun: Ids of those that were not skipped.
    """

    failed: bool = False
    begun: set[str] = field(default_factory=set)


CONDITIONS: Final[dict[str | None, Callable[[_Steps], bool]]] = {
    None: lambda steps: not steps.failed,
    "${{ failure() }}": lambda steps: steps.failed,
    "${{ !cancelled() && steps.rotate.outcome != 'skipped' }}": lambda steps: (
        "rotate" in steps.begun
    ),
}
"""What `if` of a step means. A condition that is not here fails the test."""


def run_github_job(
    project: Path, environ: Mapping[str, str], secrets: Mapping[str, str], incident: str
) -> Finished:
    """Run each `run` step of the template's workflow that GitHub would run."""
    workflow = yaml.safe_load((project / ".github" / "workflows" / "rotate.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert workflow["defaults"]["run"]["shell"] == "bash"
    context = {"inputs.incident": incident, **{f"secrets.{key}": secrets[key] for key in secrets}}
    summary = project / "summary.md"
    summary.write_text("")
    runner = {
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "acme/rotation",
        "GITHUB_RUN_ID": "42",
    }
    steps, log = _Steps(), ""
    for step in job["steps"]:
        if "run" not in step or not CONDITIONS[step.get("if")](steps):
            continue
        declared = {**workflow["env"], **job.get("env", {}), **step.get("env", {})}
        steps.begun.add(step.get("id", ""))
        status, printed = _run(
            step["run"], project, {**environ, **runner, **_evaluated(declared, context)}
        )
        steps.failed |= status != 0
        log += printed
    return Finished(not steps.failed, log, summary.read_text())


def _evaluated(declared: Mapping[str, str], context: Mapping[str, str]) -> dict[str, str]:
    return {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda match: context[match[1]], value)
        for name, value in declared.items()
    }


# GitLab CI


def run_gitlab_job(
    project: Path, environ: Mapping[str, str], secrets: Mapping[str, str], incident: str
) -> Finished:
    """Run the scripts of the template's GitLab job: all of one script in one shell."""
    pipeline = yaml.safe_load((project / ".gitlab-ci.yml").read_text())
    job = pipeline["rotate"]
    declared = {name: _value(each) for name, each in pipeline["variables"].items()}
    assert "INCIDENT" in declared
    runner = {
        **environ,
        **declared,
        **secrets,
        "INCIDENT": incident,
        "CI_JOB_URL": "https://gitlab.example/acme/rotation/-/jobs/42",
    }
    commands = [each for each in job["before_script"] if not each.startswith(SETUP)]
    status, log = _run("\n".join([*commands, *job["script"]]), project, runner)
    outcome = {"CI_JOB_STATUS": "failed" if status else "success"}
    # GitLab ignores the status of this script.
    _, printed = _run("\n".join(job["after_script"]), project, {**runner, **outcome})
    (report,) = job["artifacts"]["paths"]
    return Finished(not status, log + printed, (project / report).read_text())


def _value(variable: Any) -> str:
    text: str = variable["value"] if isinstance(variable, dict) else variable
    return text


def _run(script: str, project: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a script as both CI systems do, and return its status and all that it has printed."""
    return run_bash(script, project, environ, "--noprofile", "--norc", "-eo", "pipefail")
