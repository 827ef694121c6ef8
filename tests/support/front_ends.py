"""The two front ends, as tests on the real engine tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pulumi_upstash_rotation.frontends.native.names import for_programs, to_camel, to_snake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class FrontEnd:
    """What differs between the front ends.

    Attributes:
        name: For the ids of tests.
        type: The type of a rotation.
        config: The namespace of the config.
        process: What the command line of a provider's process holds.
        module: Text of the module from which a project takes the class. None for the package.
    """

    name: str
    type: str
    config: str
    process: str
    module: str | None = None

    def __str__(self) -> str:
        return self.name

    def text(self, message: str) -> str:
        """Return a message of the core as this front end shows it."""
        return for_programs(message) if self is NATIVE else message

    def edit(self, outputs: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
        """Change outputs of a state under the names of the core."""
        named = core_names(outputs)
        change(named)
        outputs.clear()
        outputs.update(to_camel(named) if self is NATIVE else named)


def core_names(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs of a state under the names of the core, whichever front end wrote them."""
    return to_snake(outputs)


DYNAMIC: Final = FrontEnd(
    "dynamic",
    "pulumi-python:dynamic/upstash:RedisPasswordRotation",
    "upstash",
    "pulumi.dynamic",
)
NATIVE: Final = FrontEnd(
    "native",
    "upstash-rotation:index:RedisPasswordRotation",
    "upstash-rotation",
    "pulumi-resource-upstash-rotation",
    Path(__file__).with_name("native_rotation.py").read_text(),
)
BOTH: Final = (DYNAMIC, NATIVE)


def through(*front_ends: FrontEnd, soak: FrontEnd | None = None) -> pytest.MarkDecorator:
    """Return the mark of a test that runs through front ends, and through `soak` as a slow one."""
    also = [pytest.param(soak, marks=pytest.mark.soak)] if soak else []
    return pytest.mark.parametrize("front_end", [*front_ends, *also], indirect=True, ids=str)
