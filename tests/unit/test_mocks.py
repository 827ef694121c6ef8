"""The resource in users' own unit tests: with Pulumi's mocks, without an engine."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import pulumi
import pytest
from pulumi.runtime.settings import SETTINGS
from pulumi_upstash_rotation import RedisPasswordRotation

ID = "55b0e85a-6a0f-4ad3-a1f8-d08d3d3a4a3c"


class Upstash(pulumi.runtime.Mocks):
    def new_resource(self, args):
        outputs = {"password": "from the mock", "port": 6379.0}
        return args.inputs["database_id"], {**args.inputs, **outputs}

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Upstash())


@pulumi.runtime.test
def test_outputs_come_from_the_mock():
    rotation = RedisPasswordRotation("cache", database_id=ID, triggers={"release": "1"})

    def look(values):
        assert values == [ID, ID, "from the mock", 6379, {"release": "1"}, None]
        assert isinstance(values[3], int)

    names = ("id", "database_id", "password", "port", "triggers", "endpoint")
    return pulumi.Output.all(*(getattr(rotation, name) for name in names)).apply(look)


@pytest.mark.parametrize("number", [1, 2])
@pulumi.runtime.test
def test_the_same_database_again_and_again(number):
    return RedisPasswordRotation("cache", database_id=ID).id


@pytest.mark.skipif(not hasattr(pulumi.Output, "_untrack"), reason="an older SDK")
@pulumi.runtime.test
def test_pulumi_waits_for_a_few_outputs_of_each_resource_only():
    assert len(RedisPasswordRotation.__annotations__) > 50
    before = len(SETTINGS.outputs)
    for number in range(10):
        RedisPasswordRotation(f"cache-{number}", database_id=f"{ID}-{number}")
    assert len(SETTINGS.outputs) - before < 10 * 20
"""


def test_users_tests_with_mocks(tmp_path: Path) -> None:
    (tmp_path / "test_infrastructure.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
