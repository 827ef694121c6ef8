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
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider

RECORDED: Final = {
    # Python 3.8 to 3.13
    "protocol 4": (
        b"\x80\x04\x95I\x00\x00\x00\x00\x00\x00\x00\x8c pulumi_upstash_rotation.provider\x94\x8c"
        b"\x1dRedisPasswordRotationProvider\x94\x93\x94)\x81\x94."
    ),
    # Python 3.14
    "protocol 5": (
        b"\x80\x05\x95I\x00\x00\x00\x00\x00\x00\x00\x8c pulumi_upstash_rotation.provider\x94\x8c"
        b"\x1dRedisPasswordRotationProvider\x94\x93\x94)\x81\x94."
    ),
}


def test_pickle_holds_the_path_of_the_class_and_nothing_else() -> None:
    pickle = base64.b64decode(serialize_provider(RedisPasswordRotationProvider()))
    arguments = [
        argument
        for opcode, argument, _ in pickletools.genops(pickle)
        if argument is not None and opcode.name not in {"PROTO", "FRAME"}
    ]
    assert arguments == ["pulumi_upstash_rotation.provider", "RedisPasswordRotationProvider"]
    assert pickle in RECORDED.values()


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED)
def test_recorded_pickle_loads_as_a_provider_without_attributes(recorded: bytes) -> None:
    loaded = dill.loads(recorded)  # as the SDK does
    assert type(loaded) is RedisPasswordRotationProvider
    assert vars(loaded) == {}


def test_provider_module_defines_nothing_else() -> None:
    """A class that is defined elsewhere would be pickled by that other path."""
    defined = {
        name
        for name, value in vars(provider).items()
        if getattr(value, "__module__", "") == provider.__name__
    }
    assert defined == {"RedisPasswordRotationProvider"}
    assert RedisPasswordRotationProvider.__qualname__ == "RedisPasswordRotationProvider"


PROGRAM: Final = """
import pulumi
from pulumi_upstash_rotation import RedisPasswordRotation

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        print(args.typ, args.inputs["__provider"])
        return args.name, args.inputs

    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks())

@pulumi.runtime.test
def declare():
    return RedisPasswordRotation("cache", database_id="an-id").id

declare()
"""


def test_program_registers_the_type_token_and_the_pickle() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    token, pickle = done.stdout.split()
    assert token == "pulumi-python:dynamic/upstash:RedisPasswordRotation"
    assert base64.b64decode(pickle) in RECORDED.values()
