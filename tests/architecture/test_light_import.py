"""What is loaded when: programs and previews start fast because they load little."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("requests", "urllib3", "pydantic", "redis", "tenacity", "cronsim")

BASELINE = "import pulumi.dynamic"

IMPORTED = "import pulumi_upstash_rotation"

DECLARED = """
import asyncio
import pulumi
from pulumi_upstash_rotation import RedisPasswordRotation

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs

    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks())

@pulumi.runtime.test
def declare():
    rotation = RedisPasswordRotation(
        "cache", database_id="an-id", triggers={"release": "1"}, rotation_days=30
    )
    return pulumi.Output.all(rotation.id, rotation.next_rotation_at)

declare()
"""

PROVIDER = """
import os
import pulumi.dynamic
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider

os.environ.update(UPSTASH_EMAIL="a@b.c", UPSTASH_API_KEY="key")
provider = RedisPasswordRotationProvider()
provider.configure(pulumi.dynamic.ConfigureRequest(pulumi.dynamic.Config({}, "p")))
state = {
    "database_id": "an-id",
    "triggers": {"release": "1"},
    "rotated_at": "2026-11-23T04:05:06Z",
    "rotation_count": 1,
    "password": "a password",
    "rotate_on_delete": False,
    "schema_version": 1,
}
"""

CHECKED = f"""{PROVIDER}
for triggers in ({{"release": "1"}}, {{"release": "2"}}, "bad"):
    news = {{"database_id": "an-id", "triggers": triggers, "rotation_days": 3000}}
    if not provider.check(state, news).failures:
        provider.diff("an-id", state, news)
provider.diff("an-id", {{**state, "pending_rotation": "age"}}, news | {{"triggers": {{}}}})
"""

DELETED = f"""{PROVIDER}
provider.delete("an-id", state)
"""

UPDATED = f"""{PROVIDER}
news = {{"database_id": "an-id", "triggers": {{"release": "1"}}, "verify": False}}
provider.update("an-id", state, news)
"""

FAILED = f"""{PROVIDER}
del os.environ["UPSTASH_API_KEY"]
try:
    provider.read("an-id", state)
except Exception as error:
    assert "UPSTASH_API_KEY is missing" in str(error), error
"""


def loaded_by(code: str) -> set[str]:
    """Return the heavy libraries that a fresh interpreter has loaded after it ran some code."""
    shown = f"\nimport json, sys\nprint(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    command = [sys.executable, "-c", code + shown]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def by_pulumi() -> set[str]:
    """What Pulumi's SDK loads itself."""
    return loaded_by(BASELINE)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(IMPORTED, id="import"),
        pytest.param(DECLARED, id="declaration"),
        pytest.param(CHECKED, id="check and diff"),
        pytest.param(DELETED, id="delete without a reset"),
        pytest.param(UPDATED, id="update that is not due"),
    ],
)
def test_interpreter_that_makes_no_call_loads_no_heavy_library(
    code: str, by_pulumi: set[str]
) -> None:
    assert loaded_by(code) <= by_pulumi


def test_interpreter_that_makes_a_call_loads_what_it_needs() -> None:
    """It shows that the other tests look at the right names."""
    assert {"requests", "urllib3", "pydantic"} <= loaded_by(FAILED)
