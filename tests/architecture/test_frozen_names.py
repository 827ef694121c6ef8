"""Names that the state of every stack holds. None of them may ever change."""

from __future__ import annotations

import base64
import pickletools
import subprocess
import sys
from typing import Final

import dill
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from pulumi_upstash_rotation import provider

MODULE: Final = "pulumi_upstash_rotation.provider"
TOKENS: Final = {
    "RedisPasswordRotationProvider": "pulumi-python:dynamic/upstash:RedisPasswordRotation",
    "RedisAclTokenProvider": "pulumi-python:dynamic/upstash:RedisAclToken",
    "RedisAclUserProvider": "pulumi-python:dynamic/upstash:RedisAclUser",
    "RedisAclRetirementProvider": "pulumi-python:dynamic/upstash:RedisAclRetirement",
}
"""The type that states have for the resource of each class."""
CLASSES: Final = tuple(TOKENS)


def recorded_pickle(protocol: int, name: str) -> bytes:
    """Return the pickle of a class. Protocol 4: Python 3.8 to 3.13. Protocol 5: Python 3.14."""
    module, path = MODULE.encode(), name.encode()
    parts = (b"\x8c", bytes([len(module)]), module, b"\x94\x8c", bytes([len(path)]), path)
    body = b"".join((*parts, b"\x94\x93\x94)\x81\x94."))
    return b"\x80" + bytes([protocol]) + b"\x95" + len(body).to_bytes(8, "little") + body


def test_recorded_pickle_of_the_first_class_is_what_states_hold() -> None:
    assert recorded_pickle(4, "RedisPasswordRotationProvider") == (
        b"\x80\x04\x95I\x00\x00\x00\x00\x00\x00\x00\x8c pulumi_upstash_rotation.provider\x94\x8c"
        b"\x1dRedisPasswordRotationProvider\x94\x93\x94)\x81\x94."
    )


@pytest.mark.parametrize("name", CLASSES)
def test_pickle_holds_the_path_of_the_class_and_nothing_else(name: str) -> None:
    pickle = base64.b64decode(serialize_provider(getattr(provider, name)()))
    arguments = [
        argument
        for opcode, argument, _ in pickletools.genops(pickle)
        if argument is not None and opcode.name not in {"PROTO", "FRAME"}
    ]
    assert arguments == [MODULE, name]
    assert pickle in {recorded_pickle(4, name), recorded_pickle(5, name)}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("protocol", [4, 5])
def test_recorded_pickle_loads_as_a_provider_without_attributes(protocol: int, name: str) -> None:
    loaded = dill.loads(recorded_pickle(protocol, name))  # as the SDK does
    assert type(loaded) is getattr(provider, name)
    assert vars(loaded) == {}


def test_provider_module_defines_nothing_else() -> None:
    """A class that is defined elsewhere would be pickled by that other path."""
    defined = {
        name
        for name, value in vars(provider).items()
        if getattr(value, "__module__", "") == provider.__name__
    }
    assert defined == {*CLASSES}
    for name in CLASSES:
        assert getattr(provider, name).__qualname__ == name


PROGRAM: Final = """
import pulumi
from pulumi_upstash_rotation import RedisAclUser, RedisPasswordRotation

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        if "__provider" in args.inputs and "upstash" in args.typ:
            print(args.typ, args.inputs["__provider"])
        return args.name, args.inputs

    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks())

@pulumi.runtime.test
def declare():
    rotation = RedisPasswordRotation("cache", database_id="an-id")
    user = RedisAclUser("app", database_id="an-id", username="app", rules=["+ping"])
    retirement = user.retire_previous(after=[rotation])
    return pulumi.Output.all(rotation.id, user.urn, retirement.id)

declare()
"""


def test_program_registers_the_type_tokens_and_the_pickles() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    registered = dict(line.split() for line in done.stdout.splitlines())
    assert registered.keys() == {*TOKENS.values()}
    for name, token in TOKENS.items():
        pickle = base64.b64decode(registered[token])
        assert pickle in {recorded_pickle(4, name), recorded_pickle(5, name)}
