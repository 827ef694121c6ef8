"""Checks of a declaration, in the program's process."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pulumi
import pytest

from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.frontends.program import declared
from pulumi_upstash_rotation.frontends.program.declared import (
    check_declared_once,
    check_sendable,
    declare,
)
from pulumi_upstash_rotation.rotation.inputs import required

KEY: Final = ("Kind", "an-id")
TEXTS: Final = {"label": "Thing 'an-id'", "harm": "Each would undo the other"}


class Thing:
    """A program or a resource: something that can be referred to weakly."""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Thing:
    program = Thing()
    monkeypatch.setattr(sdk, "running_program", lambda: program)
    return program


def check_once(resource: Any, name: str, what: Any = "an-id") -> Any:
    return check_declared_once("given", ("Kind", what), resource, name, **TEXTS)


def refused(value: object) -> str | None:
    return None if value == "good" else "must be good"


def test_only_what_pulumi_cannot_send_is_rejected() -> None:
    """The provider reports everything else, in one step."""
    checks = {"one": required(refused), "two": required(refused)}
    for value in ("good", "bad", None, [1, {"a": "b"}]):
        check_sendable(checks, {"one": value, "two": value}, "name")
    for value in (b"canary", {"canary"}, [float("inf")], {1: "canary"}, object()):
        with pytest.raises(pulumi.RunError, match="^name: two must be good$"):
            check_sendable(checks, {"one": "bad", "two": value}, "name")


def test_argument_that_a_part_of_the_resource_lacks_is_not_checked() -> None:
    check_sendable({"one": refused, "two": refused}, {"one": "good"}, "name")


def test_output_and_awaitable_pass() -> None:
    async def check() -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        for later in (pulumi.Output.from_input("x"), future):
            check_sendable({"one": required(refused)}, {"one": later}, "name")
            check_sendable({"one": refused}, {"one": [later, {"a": later}]}, "name")
        future.cancel()

    asyncio.run(check())


def test_what_was_given_is_returned_if_one_resource_declares_it(program: Thing) -> None:
    resource: Any = Thing()
    assert declare(KEY, resource, "one") is program
    assert check_once(resource, "one") == "given"
    assert check_once(resource, "one") == "given"


def test_second_declaration_is_one_line_with_both_names(program: Thing) -> None:
    resources: list[Any] = [Thing(), Thing()]
    for resource, name in zip(resources, ("one", "two"), strict=True):
        assert declare(KEY, resource, name) is program
    for resource, name in zip(resources, ("one", "two"), strict=True):
        with pytest.raises(pulumi.RunError) as raised:
            check_once(resource, name)
        assert str(raised.value) == (
            "Thing 'an-id' is declared by one and two. Each would undo the other. Keep one"
        )


def test_id_that_becomes_known_later_is_found_too(program: Thing) -> None:
    first, second = Thing(), Thing()
    assert check_once(first, "one") == "given"
    with pytest.raises(pulumi.RunError, match="declared by one and two"):
        check_once(second, "two")
    assert program


@pytest.mark.parametrize("what", [None, 7, ["an-id"]])
def test_id_of_another_type_is_left_to_the_provider(program: Thing, what: Any) -> None:
    resources = [Thing(), Thing()]
    assert [check_once(each, "name", what) for each in resources] == ["given"] * 2
    assert program


def test_without_a_running_program_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests with Pulumi's mocks share one root resource."""
    monkeypatch.setattr(declared.sdk, "running_program", lambda: None)
    resources: list[Any] = [Thing(), Thing()]
    for resource in resources:
        assert declare(KEY, resource, "name") is None
        assert check_once(resource, "name") == "given"
