"""What is loaded when: programs start fast, and nothing is loaded between a reset and its end.

An import after a reset may fail: for lack of descriptors, or because a file in the user's project
has the name of a library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ..support.servers import raw_server

if TYPE_CHECKING:
    import socket

    from upstash_emulator import Emulator

HEAVY = ("requests", "urllib3", "pydantic", "redis", "tenacity", "cronsim", "click", "rich")

BASELINE = "import pulumi.dynamic"

IMPORTED = "import pulumi_upstash_rotation"

DECLARED = """
import asyncio
import pulumi
from pulumi_upstash_rotation import RedisAclUser, RedisPasswordRotation

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
    user = RedisAclUser(
        "app", database_id="an-id", username="app", rules=["+ping"], rotation_days=30
    )
    retirement = user.retire_previous(after=[rotation])
    return pulumi.Output.all(
        rotation.id, rotation.next_rotation_at, retirement.id, user.next_rotation_at
    )

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

ACL_USER = f"""{PROVIDER}
from pulumi_upstash_rotation import provider as classes

address = {{"database_id": "an-id", "username": "app"}}
tokens = {{"token": "one", "previous_tokens": [], "credential_fingerprint": "1"}}
login = {{"rules": ["+ping"], "redis_url": "rediss://app:one@host", "rest_url": "https://host"}}
for kind, state, due in (
    ("Token", {{"triggers": {{"release": "1"}}, **tokens}}, {{"triggers": {{"release": "2"}}}}),
    ("User", {{**tokens, **login}}, {{"rules": ["+get"]}}),
    ("Retirement", tokens, {{"credential_fingerprint": "2"}}),
):
    served = getattr(classes, f"RedisAcl{{kind}}Provider")()
    served.configure(pulumi.dynamic.ConfigureRequest(pulumi.dynamic.Config({{}}, "p")))
    same = {{**address, **state}}
    if kind == "Token":
        same = {{**address, "triggers": state["triggers"]}}
    assert not served.check({{}}, same).failures
    assert served.diff("app", {{**address, **state}}, same).changes is False
    assert served.diff("app", {{**address, **state}}, {{**same, **due}}).changes is None
    served.update("app", {{**address, **state}}, same)
    if kind == "Retirement":
        served.delete("app", {{**address, **state}})
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
        pytest.param(ACL_USER, id="check, diff and more of an ACL user"),
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


REPORTED = """
import sys
from click.testing import CliRunner
from pulumi_upstash_rotation.frontends.cli.commands import cli
from tests.support.exported import ROTATED, acl_user, exported, resource

state = exported(resource(ROTATED, {"rotation_days": 30}), *acl_user())
for command in (["report", "-"], ["due", "-"]):
    assert CliRunner().invoke(cli, command, input=state).exit_code == 0
assert "pulumi" not in sys.modules
"""


def test_command_line_loads_its_own_libraries_and_no_sdk() -> None:
    assert loaded_by(REPORTED) == {"click", "rich"}


FIRST_PART = """
import builtins
asked = []
load = builtins.__import__

def spied(name, *arguments, **options):
    if name.partition(".")[0] == "requests":
        asked.append(name)
    return load(name, *arguments, **options)

builtins.__import__ = spied
import pulumi_upstash_rotation.upstash.MODULE
assert asked[0] == "requests", asked[0]
"""


@pytest.mark.parametrize("module", ["developer_api", "probe", "redis_rest"])
def test_two_threads_load_requests_in_the_same_order(module: str) -> None:
    # One thread loads the probe while another one loads the API. If one of them began with a part
    # of requests, Python would break the deadlock, and an import would find a half-loaded module.
    assert "requests" in loaded_by(FIRST_PART.replace("MODULE", module))


RESET = """
import http.client, json, sys
from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.upstash.account import open_account
from pulumi_upstash_rotation.upstash.credentials import Credentials
from pulumi_upstash_rotation.upstash.settings import Settings

email, key, url, database_id = sys.argv[1:]
account = open_account(lambda: Settings(email, key, url), lambda line: None)
wait = account.prepare_to_verify()
api = account.api
wait()
at_the_request = None
send = http.client.HTTPConnection.endheaders

def sent(*args, **options):
    global at_the_request
    at_the_request = at_the_request or set(sys.modules)
    return send(*args, **options)

http.client.HTTPConnection.endheaders = sent
verifications = []
try:
    database = api.reset_password(database_id).database
    for changes in ({}, {"port": 1}, {"endpoint": "no-such-host.invalid"}):
        changed = database.model_copy(update=changes)
        found = account.verify(changed, Credentials("x", "y"), timeout_seconds=5)
        verifications.append(found.verified)
except RotationError as error:
    verifications.append(type(error).__name__)
print(json.dumps([verifications, sorted(set(sys.modules) - at_the_request)]))
"""


def loaded_after_a_reset(*arguments: str, **environment: str) -> tuple[list[object], list[str]]:
    """Return how a reset ended, and which modules were loaded after its request was sent."""
    done = subprocess.run(
        [sys.executable, "-c", RESET, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ended, loaded = json.loads(done.stdout.splitlines()[-1])
    return ended, loaded


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_reset_and_its_verification_load_nothing_after_the_request(
    upstash_emulator: Emulator, host: str
) -> None:
    upstash_emulator.reset_response = "with_credentials"
    ended, loaded = loaded_after_a_reset(
        upstash_emulator.email,
        upstash_emulator.api_key,
        upstash_emulator.url.replace("127.0.0.1", host),
        upstash_emulator.databases[0].id,
        SSL_CERT_FILE=str(upstash_emulator.ca_bundle),
    )
    assert ended == [True, True, False]
    assert loaded == []


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; expires=Wed, 21 Oct 2035 07:28:00 GMT\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nno colon\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset="x\xb3"\r\n\r\n<html>\xff',
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 303 See Other\r\nLocation: http://xn--\xfc/\r\n\r\n",
        b"HTTP/1.1 503 No\r\nRetry-After: Wed, 21 Oct 2035 07:28:00 GMT\r\n\r\n",
        b"nonsense",
        b"",
    ],
)
def test_odd_response_to_a_reset_loads_nothing(response: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(64 << 10)
        connection.sendall(response)

    with raw_server(serve) as port:
        _, loaded = loaded_after_a_reset("a@b.c", "key", f"http://127.0.0.1:{port}", "an-id")
    assert loaded == []
