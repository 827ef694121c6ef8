"""One database, one rotation, in each program."""

from __future__ import annotations

import gc

import pytest

from pulumi_upstash_rotation.errors import DuplicateDeclarationError
from pulumi_upstash_rotation.resources.declarations import Declarations


class Thing:
    """A program or a resource: something that can be referred to weakly."""


TEXTS = ("Redis database 'db'", "Each rotation would revoke the other's password")


def test_database_that_two_resources_name_is_an_error_with_both_names() -> None:
    declarations, program, resources = Declarations(), Thing(), [Thing(), Thing()]
    for resource, name in zip(resources, ["second", "first"], strict=True):
        declarations.add(program, ("R", "db"), resource, name)
    with pytest.raises(DuplicateDeclarationError) as raised:
        declarations.check_once(program, ("R", "db"), *TEXTS)
    assert str(raised.value) == (
        "Redis database 'db' is declared by first and second. Each rotation would revoke the "
        "other's password. Keep one"
    )


def test_database_that_one_resource_names_twice_is_accepted() -> None:
    declarations, program, resource = Declarations(), Thing(), Thing()
    for _ in range(2):
        declarations.add(program, ("R", "db"), resource, "cache")
        declarations.check_once(program, ("R", "db"), *TEXTS)


def test_databases_of_different_ids_are_accepted() -> None:
    declarations, program, resources = Declarations(), Thing(), [Thing(), Thing()]
    for number, resource in enumerate(resources):
        declarations.add(program, ("R", f"db-{number}"), resource, "cache")
    for number in range(3):
        declarations.check_once(program, ("R", f"db-{number}"), *TEXTS)


def test_database_of_two_kinds_of_resource_is_accepted() -> None:
    declarations, program, resources = Declarations(), Thing(), [Thing(), Thing()]
    for kind, resource in zip(["R", "User"], resources, strict=True):
        declarations.add(program, (kind, "db"), resource, "cache")
    for kind in ("R", "User"):
        declarations.check_once(program, (kind, "db"), *TEXTS)


def test_database_in_two_programs_of_one_process_is_accepted() -> None:
    declarations, programs, resources = Declarations(), [Thing(), Thing()], [Thing(), Thing()]
    for program, resource in zip(programs, resources, strict=True):
        declarations.add(program, ("R", "db"), resource, "cache")
    for program in programs:
        declarations.check_once(program, ("R", "db"), *TEXTS)


def test_resource_that_is_gone_counts_no_more() -> None:
    declarations, program, resource = Declarations(), Thing(), Thing()
    declarations.add(program, ("R", "db"), Thing(), "gone")
    gc.collect()
    declarations.add(program, ("R", "db"), resource, "cache")
    declarations.check_once(program, ("R", "db"), *TEXTS)
