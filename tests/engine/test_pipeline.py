"""The template for pipelines: what GitHub Actions and GitLab CI would run, on the real engine."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pulumi_stack import Stack

from ..support.pipelines import Finished, RunJob, run_github_job, run_gitlab_job
from ..support.programs import ROOT
from ..support.servers import LocalServer, Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upstash_emulator import EmulatedDatabase, Emulator

    from ..support.stacks import StackFactory

EXAMPLES = ROOT / "examples"
TEMPLATE = EXAMPLES / "pipeline"
HOOK = "T0/B0/the-secret-of-the-webhook"


@dataclass
class Pipeline:
    """A copy of the template with a stack, in a repository of a CI system.

    Attributes:
        run_job: How the CI system runs the job.
        webhook: Where alerts go.
        shown: All that anybody could read so far: logs, reports and alerts.
        credentials: All credentials that have ever been live.
    """

    run_job: RunJob
    stack: Stack
    emulator: Emulator
    webhook: LocalServer
    shown: str = ""
    credentials: set[str] = field(default_factory=set)

    def run(self, incident: str = "") -> Finished:
        """Run the job as the CI system does."""
        environ = self.stack.environ
        secrets = {name: environ.pop(name) for name in ("UPSTASH_EMAIL", "UPSTASH_API_KEY")}
        secrets["ALERT_URL"] = f"{self.webhook.url}/hooks/{HOOK}"
        before = len(self.webhook.received)
        self._remember()
        finished = self.run_job(self.stack.project, environ, secrets, incident)
        self._remember()
        alerts = self.alerts()[before:]
        self.shown += "\n".join([finished.log, finished.report, *alerts])
        assert len(alerts) == (not finished.passed), finished.log
        return finished

    def resets(self) -> list[int]:
        return [each.resets for each in self.emulator.databases]

    def stale(self) -> list[EmulatedDatabase]:
        """Return the databases whose consumer does not have the live password."""
        files = {each: self.stack.project / f"{each.id}.env" for each in self.emulator.databases}
        return [
            each for each, file in files.items() if f":{each.password}@" not in file.read_text()
        ]

    def alerts(self) -> list[str]:
        """Return the texts of the alerts so far."""
        return [json.loads(each.body)["text"] for each in self.webhook.received]

    def assert_discreet(self) -> None:
        """Nothing that anybody could read so far shows a secret."""
        secrets = {*self.credentials, self.emulator.api_key, HOOK}
        assert len(secrets) == 2 * 3 * len(self.emulator.databases) + 2  # each rotated once
        assert [each for each in secrets if each in self.shown] == []

    def _remember(self) -> None:
        for each in self.emulator.databases:
            self.credentials |= {each.password, each.rest_token, each.read_only_rest_token}


@pytest.fixture
def webhook() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture
def pipeline(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    new_stack: StackFactory,
    upstash_emulator: Emulator,
    webhook: LocalServer,
) -> Pipeline:
    project, environment = tmp_path / "rotation", upstash_emulator.environment
    options = ["--dir", str(project), "--name", "mine", "--yes", "--generate-only"]
    new_stack().pulumi("new", str(TEMPLATE), *options)
    stack = Stack.create(project, tmp_path / "stack", name="prod", environment=environment)
    stack.set_config("databases", "*")
    return Pipeline(request.param, stack, upstash_emulator, webhook)


@pytest.mark.upstash_databases(3)
@pytest.mark.parametrize("pipeline", [run_github_job], indirect=True, ids=["GitHub"])
def test_a_workflow_rotates_once_for_an_incident_and_otherwise_only_what_is_due(
    pipeline: Pipeline,
) -> None:
    # The first run adopts: it cuts off no client.
    first = pipeline.run()
    assert first.passed, first.log
    assert pipeline.resets() == [0, 0, 0]
    assert pipeline.stale() == []

    # One bad database does not stop the others. Somebody has to look, so there is an alert.
    bad = pipeline.emulator.databases[1]
    bad.suspend()
    failed = pipeline.run("INC-42")
    assert not failed.passed
    assert f"({bad.id}) is suspended and cannot be reset" in failed.log
    assert pipeline.alerts()[-1].endswith("https://github.example/acme/rotation/actions/runs/42")
    assert pipeline.resets() == [1, 0, 1]
    assert pipeline.stale() == []

    # The same incident again rotates what is left. Without the incident nothing rotates.
    bad.resume()
    repeated = pipeline.run("INC-42")
    assert repeated.passed, repeated.log
    assert pipeline.resets() == [1, 1, 1]
    assert pipeline.stale() == []
    last = pipeline.run()
    assert last.passed, last.log
    assert "Nothing is due." in last.log
    assert pipeline.resets() == [1, 1, 1]

    outputs = pipeline.stack.outputs()
    for each in pipeline.emulator.databases:
        assert f":{each.password}@" in outputs[f"redis_url_{each.id}"]
    assert {type(value) for value in outputs.values()} == {str}  # flat: CI systems can mask them

    assert first.report.count("adopted") == 3
    assert last.report.count("trigger: incident_of_run") == 3
    assert all(each.id in last.report for each in pipeline.emulator.databases)
    pipeline.assert_discreet()


@pytest.mark.soak
@pytest.mark.parametrize("pipeline", [run_gitlab_job], indirect=True, ids=["GitLab"])
def test_a_gitlab_job_rotates_new_databases_for_an_incident_and_nothing_if_the_preview_fails(
    pipeline: Pipeline,
) -> None:
    # A program that is broken after its first rotations would leave their consumers behind.
    program = pipeline.stack.project / "__main__.py"
    whole = program.read_text()
    program.write_text(f"{whole}\nraise pulumi.RunError('a broken program')\n")
    assert not pipeline.run("INC-42").passed
    assert pipeline.alerts()[-1].endswith("https://gitlab.example/acme/rotation/-/jobs/42")
    assert pipeline.resets() == [0, 0]

    program.write_text(whole)
    done = pipeline.run("INC-42")
    assert done.passed, done.log
    assert pipeline.resets() == [1, 1]
    assert pipeline.stale() == []
    last = pipeline.run()
    assert "Nothing is due." in last.log
    assert pipeline.resets() == [1, 1]
    assert all(each.id in last.report for each in pipeline.emulator.databases)
    pipeline.assert_discreet()


@pytest.mark.soak
@pytest.mark.parametrize("pipeline", [run_gitlab_job], indirect=True, ids=["GitLab"])
def test_a_committed_incident_rotates_once_whatever_incidents_single_runs_have(
    pipeline: Pipeline,
) -> None:
    pipeline.stack.set_config("incident", "INC-41")
    resets = []
    for incident in ("", "", "INC-42", "", "INC-42"):
        assert pipeline.run(incident).passed
        resets.append(pipeline.emulator.databases[0].resets)
    pipeline.stack.on_stack("config", "rm", "incident")
    assert pipeline.run().passed
    assert [*resets, pipeline.emulator.databases[0].resets] == [1, 1, 2, 2, 2, 2]


def test_a_webhook_that_answers_with_an_error_fails_and_stays_secret(
    webhook: LocalServer, tmp_path: Path
) -> None:
    webhook.response = Response(404, HOOK.encode())
    secret = f"{webhook.url}/hooks/{HOOK}"
    for url, status in ((secret, 22), ("", 0)):
        done = subprocess.run(
            ["sh", str(TEMPLATE / "alert.sh"), "https://ci.example/42"],
            cwd=tmp_path,
            env={**os.environ, "ALERT_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status
        assert done.stderr
        assert HOOK not in done.stdout + done.stderr
    assert len(webhook.received) == 1
