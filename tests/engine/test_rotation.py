"""The main job: a real `pulumi up` resets the password of a real redis-server."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import upstash_redis

from upstash_emulator import EmulatedDatabase, Emulator, Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do, connect, opens
from ..support.messages import CONFIRMED, NOT_RETURNED, NOT_TRIED, UNREACHABLE
from ..support.programs import ROOT, exported, write_program
from ..support.stacks import CREDENTIALS, diagnostics_of, stack_factory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..support.stacks import Rotations, StackFactory


def test_a_password_rotates_when_it_is_declared_and_only_then(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    first = database.password
    assert opens(database, first, upstash_emulator)

    def program(**triggers: str) -> str:
        return exported("cache", database_id=database.id, triggers=triggers)

    stack = new_stack(program(release="2026-11"))
    stack.preview()
    assert database.resets == 0

    stack.up()
    second = stack.outputs()["cache"]["password"]
    assert database.resets == 1
    assert second == database.password != first
    assert not opens(database, first, upstash_emulator)
    assert opens(database, second, upstash_emulator)

    assert "2 unchanged" in stack.up()
    assert stack.outputs()["cache"]["password"] == second
    assert database.resets == 1

    write_program(stack.project, program(release="2026-12"))
    assert "~triggers" in stack.preview()
    assert database.resets == 1

    stack.up()
    third = stack.outputs()["cache"]["password"]
    assert database.resets == 2
    assert third not in {first, second}
    assert not opens(database, second, upstash_emulator)
    assert opens(database, third, upstash_emulator)

    write_program(stack.project, program())
    assert "2 unchanged" in stack.up()
    stack.refresh()
    stack.destroy()
    assert database.resets == 2
    assert opens(database, third, upstash_emulator)


# What one rotation leaves in the outputs


@dataclass
class Rotated:
    """A database that was rotated, and what the stack shows of it."""

    emulator: Emulator
    database: EmulatedDatabase
    cache: dict[str, Any]
    outputs: dict[str, Any]
    began_at: int


KINDS = """
def kind(value):
    return type(value).__name__
pulumi.export("kinds", {name: value.apply(kind) for name, value in cache.attributes.items()})
pulumi.export("addon", cache.security_addons.tls_mutual_auth)
"""


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotated]:
    with Emulator() as emulator:
        (database,) = emulator.databases
        triggers = {"text": "x", "number": 1, "list": [1, {"deep": None}]}
        text = exported("cache", database_id=database.id, triggers=triggers) + KINDS
        stack = stack_factory(tmp_path_factory.mktemp("rotated"), emulator)(text)
        began_at = int(time.time())
        stack.up()
        outputs = stack.outputs()
        yield Rotated(emulator, database, outputs["cache"], outputs, began_at)


def test_an_attribute_that_is_documented_is_an_output(rotated: Rotated) -> None:
    database, outputs = rotated.database, rotated.cache
    assert outputs["database_id"] == database.id
    assert outputs["database_name"] == database.name
    assert outputs["port"] == database.port
    assert outputs["db_request_limit"] == "8024278031528736858"
    assert outputs["db_conn_idle_timeout"] == 21600000000000
    assert outputs["db_acl_enabled"] is False
    assert outputs["prometheus_enabled"] is False
    assert outputs["tls"] is True
    assert outputs["primary_members"] == ["us-east-1"]
    assert outputs["security_addons"] == {
        "encryption_at_rest": False,
        "ip_whitelisting": False,
        "private_link": False,
        "tls_mutual_auth": False,
        "vpc_peering": False,
    }
    assert outputs["rest_url"] == f"https://{database.endpoint}"
    rotated_at = time.strptime(outputs["rotated_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert rotated.began_at <= time.mktime(rotated_at) - time.timezone <= time.time()


def test_an_output_has_the_type_that_it_declares(rotated: Rotated) -> None:
    kinds = rotated.outputs["kinds"]
    assert kinds["port"] == "int"
    assert kinds["db_conn_idle_timeout"] == "int"
    assert kinds["db_request_limit"] == "str"
    assert kinds["tls"] == "bool"
    assert kinds["read_regions"] == "list"
    assert kinds["security_addons"] == "SecurityAddons"
    assert rotated.outputs["addon"] is False


def test_the_official_clients_connect_with_the_outputs(
    rotated: Rotated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(rotated.emulator.ca_bundle))
    outputs = rotated.cache
    with connect(outputs["redis_url"], rotated.emulator) as client:
        assert client.set("greeting", "hello")
    for token in ("rest_token", "read_only_rest_token"):
        with upstash_redis.Redis(outputs["rest_url"], outputs[token]) as rest:
            assert rest.get("greeting") == "hello"


# What the API shows, and what the database says


def test_a_rotation_makes_only_the_calls_that_it_needs_for_what_the_api_shows(
    rotations: Rotations,
) -> None:
    def calls(*names: str) -> dict[str, list[str]]:
        made = {name: rotations.calls(name) for name in names}
        rotations.emulator.clear()
        return made

    # The documented response of a reset shows no credentials; that of a protected database does.
    rotations.declare("documented", triggers={"a": 1})
    rotations.declare("protected").credential_protection = True
    rotations.up()
    assert calls("documented", "protected") == {
        "documented": ["get", "reset", "get"],
        "protected": ["get", "reset"],
    }
    assert_live(rotations, "documented", "protected")
    rotations.declare("documented", triggers={"a": 2})
    rotations.up()
    assert calls("documented") == {"documented": ["get", "reset", "get"]}

    rotations.emulator.reset_response = "with_credentials"
    rotations.declare("documented", triggers={"a": 3})
    rotations.declare("with_credentials")
    rotations.up()
    assert calls("documented", "with_credentials") == {
        "documented": ["get", "reset"],
        "with_credentials": ["get", "reset"],
    }
    assert_live(rotations, "documented", "with_credentials")


def test_a_rotation_is_verified_unless_the_database_cannot_be_reached(
    rotations: Rotations,
) -> None:
    for name in ("online", "offline", "unasked"):
        rotations.declare(name)
    # An account that is not shown credentials, by resets or by reads.
    rotations.declare("hidden")
    rotations.fault("hidden", Fault.without(*CREDENTIALS), "get", None)
    first = rotations.up()
    names = ("online", "offline", "unasked")
    assert {rotations.out(name)["verification"] for name in names} == {CONFIRMED}
    assert {rotations.out(name)["verified"] for name in names} == {True}
    for name in names:
        assert "warning" not in "\n".join(diagnostics_of(first, name))
    hidden = "\n".join(diagnostics_of(first, "hidden"))
    assert hidden.count(NOT_RETURNED) == 1
    outputs = rotations.out("hidden")
    assert outputs.get("password") is None
    assert outputs.get("redis_url") is None
    assert outputs["database_name"] == rotations.database("hidden").name

    rotations.database("offline").take_offline()
    for name in ("online", "offline"):
        rotations.declare(name, triggers={"release": "2026-12"})
    rotations.declare("unasked", triggers={"release": "2026-12"}, verify=False)
    text = rotations.up()
    offline = rotations.database("offline")
    label = f"Redis database {offline.name!r} ({offline.id})"
    assert f"warning: {label}: {UNREACHABLE}" in diagnostics_of(text, "offline")
    for name in ("online", "unasked"):
        assert "warning" not in "\n".join(diagnostics_of(text, name))
    found = {
        name: (rotations.out(name)["verified"], rotations.out(name)["verification"])
        for name in names
    }
    assert found == {
        "online": (True, CONFIRMED),
        "offline": (False, UNREACHABLE),
        "unasked": (False, NOT_TRIED),
    }
    assert rotations.out("offline")["password"] == rotations.database("offline").password
    assert rotations.resets() == dict.fromkeys(names, 2) | {"hidden": 1}
    assert_nothing_left_to_do(rotations)


# Programs as they stand in the repository


def test_the_ready_made_program_rotates_what_the_config_names(
    upstash_emulator: Emulator, new_stack: StackFactory, tmp_path: Path
) -> None:
    one, two = upstash_emulator.databases[:2]
    ready_made = tmp_path / "ready-made"
    ready_made.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (ready_made / name).write_text((ROOT / name).read_text())
    stack = new_stack(ready_made)
    stack.set_config("databaseIds[0]", one.id, path=True)
    stack.set_config("databaseIds[1]", two.id, path=True)
    stack.set_config("triggers.release", "2026-11", path=True)
    stack.up()
    assert (one.resets, two.resets) == (1, 1)
    shown = json.loads(stack.on_stack("stack", "output", "--json"))
    assert shown["databases"][one.id]["database_name"] == one.name
    assert "[secret]" not in str(shown["databases"])
    assert set(shown) == {"databases"}
    stack.set_config("exportCredentials", "true")
    stack.up()
    shown = json.loads(stack.on_stack("stack", "output", "--json"))
    assert {shown[f"{name}_{one.id}"] for name in ("password", "redis_url")} == {"[secret]"}
    assert stack.outputs()[f"password_{two.id}"] == two.password
    stack.set_config("triggers.release", "2026-12", path=True)
    stack.up()
    assert (one.resets, two.resets) == (2, 2)


def test_the_readmes_program_runs_as_it_stands(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    match = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert match
    stack = new_stack(match[1])
    stack.up()
    database = upstash_emulator.databases[0]
    assert stack.outputs() == {
        "endpoint": database.endpoint,
        "redis_url": f"rediss://default:{database.password}@127.0.0.1:{database.port}",
    }
