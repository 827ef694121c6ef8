"""The GitHub action: its steps run in a shell, as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
import yaml

from ..support.programs import ROOT
from .support import alive, gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "emulator"
ACTION = yaml.safe_load((FOLDER / "action.yml").read_text())
INSTALL, START = ACTION["runs"]["steps"]
DEFAULTS = {name: each["default"] for name, each in ACTION["inputs"].items()}


class Runner:
    """A runner of actions, with a folder for its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed = ""

    def run(self, step: dict[str, Any], **inputs: str) -> int:
        """Run a step and return its exit status."""
        given = {f"${{{{ inputs.{name} }}}}": value for name, value in (DEFAULTS | inputs).items()}
        files = {"GITHUB_ENV": "env", "GITHUB_OUTPUT": "output", "RUNNER_TEMP": ""}
        log = self.folder / "log"
        with log.open("w") as output:  # not a pipe: the emulator would keep that open
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                env={
                    **os.environ,
                    **{name: given[value] for name, value in step.get("env", {}).items()},
                    **{name: str(self.folder / file) for name, file in files.items()},
                    "GITHUB_ACTION_PATH": str(FOLDER),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        self.printed = log.read_text()
        return done.returncode

    def values(self, file: str) -> dict[str, str]:
        """Return the values that the steps wrote into a file."""
        return dict(line.split("=", 1) for line in (self.folder / file).read_text().splitlines())

    def emulators(self) -> set[int]:
        """Return the processes that the steps left running."""
        processes = psutil.process_iter(["cmdline"])
        mark = str(self.folder)
        found = {each.pid for each in processes if mark in " ".join(each.info["cmdline"] or ())}
        return alive(found)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner after all steps, with an emulator of three databases."""
    runner = Runner(tmp_path_factory.mktemp("runner"))
    try:
        assert runner.run(INSTALL) == 0, runner.printed
        assert runner.run(START, databases="3", port="0") == 0, runner.printed
        yield runner
    finally:
        started = runner.emulators()
        for pid in started:
            psutil.Process(pid).terminate()
        assert gone(started)


def test_started_emulator_serves_the_later_steps(runner: Runner) -> None:
    env, output = runner.values("env"), runner.values("output")
    assert set(env) == {"UPSTASH_EMAIL", "UPSTASH_API_KEY", "UPSTASH_API_URL", "SSL_CERT_FILE"}
    listed = requests.get(
        f"{env['UPSTASH_API_URL']}/v2/redis/databases",
        auth=(env["UPSTASH_EMAIL"], env["UPSTASH_API_KEY"]),
        timeout=10,
    ).json()
    assert len(listed) == 3
    assert json.loads(output["database-ids"]) == [each["database_id"] for each in listed]
    assert output["url"] == env["UPSTASH_API_URL"]


def test_api_key_is_masked_before_anything_can_print_it(runner: Runner) -> None:
    key = runner.values("env")["UPSTASH_API_KEY"]
    assert runner.printed.count(key) == 1
    assert runner.printed.startswith(f"::add-mask::{key}\n")


def test_port_in_use_fails_the_step_with_the_emulator_s_reason(runner: Runner) -> None:
    port = runner.values("output")["url"].rpartition(":")[2]
    before = (runner.values("env"), runner.emulators())
    assert runner.run(START, port=port) == 1
    assert re.fullmatch(rf"upstash_emulator: .*\b{port}\b.*\n", runner.printed)
    assert (runner.values("env"), runner.emulators()) == before


def test_every_output_comes_from_a_step_and_no_step_runs_an_action_that_can_change() -> None:
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.{START['id']}.outputs.{name} }}}}"
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # an input would become part of the script
        assert re.search(r"@[0-9a-f]{40}$", step.get("uses", f"@{'0' * 40}"))
