"""The main job: a real `pulumi up` resets the password of a real redis-server."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
import redis
import upstash_redis

from .conftest import ROOT, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from upstash_emulator import EmulatedDatabase, Emulator

    from .conftest import StackFactory

PROGRAM = """
rotation = RedisPasswordRotation("cache", database_id={id!r}, triggers={triggers!r})
for name, value in (rotation.attributes | rotation.credentials).items():
    pulumi.export(name, value)
"""


def program(database: EmulatedDatabase, **triggers: object) -> str:
    return PROGRAM.format(id=database.id, triggers=triggers)


def connect(url: str, emulator: Emulator) -> redis.Redis:
    """Return a client with the certificate checked, as users have it through SSL_CERT_FILE."""
    return redis.Redis.from_url(url, ssl_ca_certs=str(emulator.ca_bundle), protocol=2)


def accepts(database: EmulatedDatabase, password: str, emulator: Emulator) -> bool:
    url = f"rediss://default:{password}@127.0.0.1:{database.port}"
    with connect(url, emulator) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


def test_a_password_rotates_when_declared_and_only_then(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    first = database.password
    assert accepts(database, first, upstash_emulator)

    stack = new_stack(program(database, release="2026-11"))
    stack.preview()
    assert database.resets == 0

    stack.up()
    second = stack.outputs()["password"]
    assert database.resets == 1
    assert second == database.password != first
    assert not accepts(database, first, upstash_emulator)
    assert accepts(database, second, upstash_emulator)

    assert "2 unchanged" in stack.up()
    assert stack.outputs()["password"] == second
    assert database.resets == 1

    write_program(stack.project, program(database, release="2026-12"))
    assert "~triggers" in stack.preview()
    assert database.resets == 1

    stack.up()
    third = stack.outputs()["password"]
    assert database.resets == 2
    assert third not in {first, second}
    assert not accepts(database, second, upstash_emulator)
    assert accepts(database, third, upstash_emulator)

    write_program(stack.project, program(database))
    assert "2 unchanged" in stack.up()
    stack.refresh()
    stack.destroy()
    assert database.resets == 2
    assert accepts(database, third, upstash_emulator)


def test_every_documented_attribute_is_an_output(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(program(database, text="x", number=1, list=[1, {"deep": None}]))
    before = int(time.time())
    stack.up()
    outputs = stack.outputs()
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
    assert before <= time.mktime(rotated_at) - time.timezone <= time.time()


def test_outputs_have_the_types_that_they_declare(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(
        program(database)
        + """
def kind(value):
    return type(value).__name__
pulumi.export("kinds", {n: v.apply(kind) for n, v in rotation.attributes.items()})
pulumi.export("addon", rotation.security_addons.tls_mutual_auth)
"""
    )
    stack.up()
    kinds = stack.outputs()["kinds"]
    assert kinds["port"] == "int"
    assert kinds["db_conn_idle_timeout"] == "int"
    assert kinds["db_request_limit"] == "str"
    assert kinds["tls"] == "bool"
    assert kinds["read_regions"] == "list"
    assert kinds["security_addons"] == "SecurityAddons"
    assert kinds["extra_attributes"] == "dict"
    assert stack.outputs()["addon"] is False


def test_the_official_clients_connect_with_the_outputs(
    upstash_emulator: Emulator, new_stack: StackFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))
    stack = new_stack(program(upstash_emulator.databases[0]))
    stack.up()
    outputs = stack.outputs()
    with connect(outputs["redis_url"], upstash_emulator) as client:
        assert client.set("greeting", "hello")
    with upstash_redis.Redis(outputs["rest_url"], outputs["rest_token"]) as rest:
        assert rest.get("greeting") == "hello"
    with upstash_redis.Redis(outputs["rest_url"], outputs["read_only_rest_token"]) as rest:
        assert rest.get("greeting") == "hello"


def test_no_secret_is_in_the_state_or_in_what_pulumi_prints(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    old = (database.password, database.rest_token, database.read_only_rest_token)
    stack = new_stack(
        program(database), environment={"UPSTASH_API_KEY": None, "UPSTASH_EMAIL": None}
    )
    stack.set_config("upstash:email", upstash_emulator.email)
    stack.set_config("upstash:apiKey", upstash_emulator.api_key, secret=True)
    printed = [
        stack.preview("--diff"),
        stack.up("--diff"),
        stack.on_stack("stack", "output"),
        stack.refresh("--diff"),
        stack.up("--json"),
        stack.on_stack("stack", "output", "--json"),
        stack.stored_text(),
        stack.destroy("--diff"),
        stack.stored_text(),
    ]
    new = (database.password, database.rest_token, database.read_only_rest_token)
    assert "ciphertext" in printed[6]
    for secret in (*old, *new, upstash_emulator.api_key):
        assert len(secret) > 16
        assert not [text for text in printed if secret in text]


@pytest.mark.parametrize(
    ("answer", "calls"),
    [("documented", ["get", "reset", "get"]), ("with_credentials", ["get", "reset"])],
)
def test_a_first_rotation_looks_before_and_one_without_a_password_is_read_back(
    upstash_emulator: Emulator, new_stack: StackFactory, answer: str, calls: list[str]
) -> None:
    upstash_emulator.answer = answer
    database = upstash_emulator.databases[0]
    stack = new_stack(program(database))
    stack.up()
    assert [call.operation for call in upstash_emulator.calls] == calls
    upstash_emulator.clear()
    write_program(stack.project, program(database, new=1))
    stack.up()
    assert [call.operation for call in upstash_emulator.calls] == calls[1:]
    assert stack.outputs()["password"] == database.password


def test_credentials_that_the_api_hides_are_none_with_one_warning(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    upstash_emulator.show_credentials_on_get = False
    database = upstash_emulator.databases[0]
    stack = new_stack(program(database))
    _, _, diagnostics = stack.up().partition("Diagnostics:")
    assert diagnostics.count("warning: the password was reset, but the API does not show it") == 1
    outputs = stack.outputs()
    assert outputs.get("password") is None
    assert outputs.get("redis_url") is None
    assert outputs["database_name"] == database.name
    assert database.resets == 1
    assert "2 unchanged" in stack.up()


def test_credential_protection_shows_the_password_in_the_resets_own_answer(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.add_database(credential_protection=True)
    stack = new_stack(program(database))
    stack.up()
    assert stack.outputs()["password"] == database.password
    assert [call.operation for call in upstash_emulator.calls] == ["get", "reset"]


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
    assert set(shown["credentials"][one.id].values()) == {"[secret]"}
    assert stack.outputs()["credentials"][two.id]["password"] == two.password
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


def test_the_database_itself_confirms_a_rotation(
    upstash_emulator: Emulator, new_stack: StackFactory
) -> None:
    database = upstash_emulator.databases[0]
    stack = new_stack(program(database, release="2026-11"))
    assert "warning" not in stack.up()
    outputs = stack.outputs()
    assert outputs["verified"] is True
    assert outputs["verification"] == "Redis accepts the new password and refuses the old one"
    database.take_offline()
    write_program(stack.project, program(database, release="2026-12"))
    expected = "not verified: Redis could not be reached; REST could not be reached"
    assert f"warning: {expected}" in stack.up()
    outputs = stack.outputs()
    assert (outputs["verified"], outputs["verification"]) == (False, expected)
    assert outputs["password"] == database.password
    unasked = program(database, release="2027-01").replace("triggers", "verify=False, triggers")
    write_program(stack.project, unasked)
    assert "warning" not in stack.up()
    assert stack.outputs()["verification"] == "not verified: verify is False"
    assert database.resets == 3
