"""The policy pack, on the real engine: with an update, with a stack and with a file."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from upstash_emulator import Fault

from ..support.front_ends import DYNAMIC, NATIVE
from ..support.programs import ROOT
from ..support.stacks import CREDENTIALS, Rotations, failure_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(timezone.utc)
SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "v1:a",
}
NOT_DECLARED = "rotation-in-time"


@pytest.fixture(scope="session")
def pack() -> Path:
    """The pack with an environment, made as docs/how-to/policy.md describes, once a checkout."""
    folder = ROOT / ".cache" / "policy"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers
        for path in (ROOT / "policy").glob("*"):
            if path.is_file():
                shutil.copy(path, folder)
        ready = folder / "venv" / ".ready"
        if not ready.exists():
            subprocess.run([sys.executable, "-m", "venv", str(ready.parent)], check=True)
            command = [str(ready.parent / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            requirements = str(folder / "requirements.txt")
            subprocess.run([*command, "-r", requirements], check=True)
            ready.touch()
    return folder / "run"


def violations(*arguments: str, cwd: Path, environment: dict[str, str]) -> tuple[int, set[Any]]:
    """Return the exit status of `pulumi policy analyze`, and name and policy of each violation."""
    done = subprocess.run(
        ["pulumi", "policy", "analyze", "--json", "--non-interactive", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert any("summaryEvent" in each for each in events), done.stderr
    found = [each["policyEvent"] for each in events if "policyEvent" in each]
    return done.returncode, {
        (each["resourceUrn"].rpartition("::")[2], each["policyName"], each["enforcementLevel"])
        for each in found
    }


def days_ago(days: float) -> str:
    return (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored(
    name: str, type_: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::test::{type_}::{name}"
    return {
        "urn": urn,
        "custom": True,
        "id": name,
        "type": type_,
        "inputs": inputs,
        "outputs": outputs,
    }


def test_each_rule_in_a_file_alone(pack: Path, tmp_path: Path) -> None:
    fine: dict[str, Any] = {
        "database_id": "x",
        "rotated_at": days_ago(1),
        "verified": True,
        "password": SECRET,
    }
    token, user = (f"pulumi-python:dynamic/upstash:RedisAcl{kind}" for kind in ("Token", "User"))
    schedule = {"rotation_schedule": "0 3 1 * *"}
    resources = [
        stored("fine", DYNAMIC.type, {"rotation_days": 30}, fine),
        stored("just-in-time", DYNAMIC.type, schedule, {**fine, "rotated_at": days_ago(89.9)}),
        stored("too-old", DYNAMIC.type, schedule, {**fine, "rotated_at": days_ago(91)}),
        stored("adopted", DYNAMIC.type, schedule, {"database_id": "x", "adopted_at": days_ago(91)}),
        stored(
            "ageless",
            DYNAMIC.type,
            schedule,
            {"database_id": "x", "rotated_at": "soon", "verified": True},
        ),
        stored("pending", DYNAMIC.type, schedule, {**fine, "pending_rotation": "trigger: release"}),
        stored(
            "unverified", DYNAMIC.type, {}, {**fine, "verified": False, "verification": "no reply"}
        ),
        stored(
            "token", token, {}, {"database_id": "x", "rotated_at": days_ago(91), "token": SECRET}
        ),
        stored(
            "user", user, {}, {"database_id": "x", "verified": False, "verification": "no reply"}
        ),
        stored(
            "native",
            NATIVE.type,
            {"rotationDays": 30},
            {"databaseId": "x", "rotatedAt": days_ago(1), "verified": True},
        ),
        stored(
            "native-old",
            NATIVE.type,
            {"rotationDays": 30},
            {
                "databaseId": "x",
                "rotatedAt": days_ago(91),
                "pendingRotation": "create",
                "verified": False,
            },
        ),
        stored("foreign", "other:index:RedisPasswordRotation", {}, {"rotated_at": days_ago(900)}),
        {
            "urn": "urn:pulumi:dev::test::upstash-rotation:index:RedisAclUser::component",
            "custom": False,
            "type": "upstash-rotation:index:RedisAclUser",
        },
    ]
    (tmp_path / "state.json").write_text(
        json.dumps(
            {
                "version": 3,
                "deployment": {
                    "manifest": {"time": NOW.isoformat(), "magic": "", "version": ""},
                    "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:x"}},
                    "resources": resources,
                },
            }
        )
    )
    environment = {
        **os.environ,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/nowhere",
    }
    arguments = ("--file", "state.json", "--policy-pack", str(pack))
    status, found = violations(*arguments, cwd=tmp_path, environment=environment)
    age, pending, verified = "credential-age", "no-pending-rotation", "credential-verified"
    mandatory = {
        ("too-old", age),
        ("adopted", age),
        ("ageless", age),
        ("token", age),
        ("native-old", age),
        ("pending", pending),
        ("native-old", pending),
    }
    advisory = {
        ("adopted", verified),
        ("unverified", verified),
        ("user", verified),
        ("native-old", verified),
        ("unverified", NOT_DECLARED),
        ("token", NOT_DECLARED),
    }
    assert found == {(*each, "mandatory") for each in mandatory} | {
        (*each, "advisory") for each in advisory
    }
    assert status == 1

    levels = {
        "credential-age": {"maxAgeDays": 92},
        "no-pending-rotation": {"enforcementLevel": "disabled"},
    }
    (tmp_path / "config.json").write_text(json.dumps(levels))
    status, found = violations(
        *arguments, "--policy-pack-config", "config.json", cwd=tmp_path, environment=environment
    )
    assert {(name, policy) for name, policy, level in found if level == "mandatory"} == {
        ("ageless", age)
    }
    assert status == 1


def test_update_and_stack(pack: Path, rotations: Rotations) -> None:
    rotations.declare("fine", rotation_days=30)
    rotations.declare("manual", triggers={"release": "1"}, verify=False)
    rotations.declare("lost", triggers={"release": "1"})
    shown = rotations.up("--policy-pack", str(pack))
    assert "[advisory]  credential-verified" in shown
    assert "The credential is not verified: verify is False." in shown
    assert "[mandatory]" not in shown

    rotations.pass_a_year("fine", "manual")
    rotations.write()
    # The age makes "fine" due in this update. Nothing makes "manual" due.
    text = failure_of(rotations.stack, "up", "--policy-pack", str(pack))
    assert rotations.resets() == {"fine": 2, "manual": 1, "lost": 1}
    assert "The credential was last rotated 365 days ago. At most 90 days are allowed." in text

    rotations.declare("lost", triggers={"release": "2"})
    rotations.fault("lost", Fault.closed(applied=True), "reset", times=None)
    rotations.fault("lost", Fault.without(*CREDENTIALS), "get", times=None)
    text += rotations.failing_up("--policy-pack", str(pack))
    for each in rotations.databases.values():
        assert each.password not in text
    status, found = violations(
        "--stack",
        "dev",
        "--policy-pack",
        str(pack),
        cwd=rotations.stack.project,
        environment=rotations.stack.environ,
    )
    assert status == 1
    assert {(name, policy) for name, policy, level in found if level == "mandatory"} == {
        ("manual", "credential-age"),
        ("lost", "no-pending-rotation"),
    }


def test_pack_without_its_environment_says_where_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with spaces"
    shutil.copytree(ROOT / "policy", folder, ignore=shutil.ignore_patterns("venv"))
    done = subprocess.run(
        [str(folder / "run"), "address"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{folder}/venv is missing. See docs/how-to/policy.md\n"
