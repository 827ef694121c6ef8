"""The schema of the native plugin names what each resource takes and returns."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import pytest

from pulumi_upstash_rotation import DatabaseSummary, RedisPasswordRotation
from pulumi_upstash_rotation.frontends.engine.names import camel, snake
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.redis_acl_user import inputs as acl
from pulumi_upstash_rotation.resources.redis_password_rotation import inputs as rotation
from pulumi_upstash_rotation.resources.redis_password_rotation.state import (
    SECRET_OUTPUTS,
    Snapshot,
    to_outputs,
)
from pulumi_upstash_rotation.rotation.record import RotationRecord
from pulumi_upstash_rotation.upstash.database import Database, parse_database
from pulumi_upstash_rotation.upstash.settings import Settings

from .front_ends import HandlerItself
from .resources import RESOURCES, ResourceCase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE: Final = "pulumi_upstash_rotation.frontends.native"
SCHEMA: Final = json.loads((resources.files(PACKAGE) / "schema.json").read_text())
TOKEN: Final = "upstash-rotation:index:"
NAMES: Final = {"RedisAclRetirement": "RedisAclTokenRetirement"}
"""Resources that the schema calls otherwise."""
CHECKS: Final = {
    "RedisPasswordRotation": rotation.CHECKS,
    "RedisAclToken": acl.TOKEN_CHECKS,
    "RedisAclUser": acl.USER_CHECKS,
    "RedisAclRetirement": acl.RETIREMENT_CHECKS,
}
INTERNAL: Final = {
    "RedisPasswordRotation": {
        *("pending_rotation", "pending_triggers", "pending_applied", "pending_after_late_read"),
        *("earlier_fingerprints", "displaced_fingerprints", "engine_inputs_stale"),
        *("rotate_on_delete", "imported", "schema_version"),
    },
    "RedisAclToken": {
        *("admin_token", "triggers", "adopted", "token_removed_outside"),
        *("database_name", "customer_id", "schema_version"),
    },
    "RedisAclUser": {
        *("admin_token", "rules", "shown_rules"),
        *("database_name", "customer_id", "schema_version"),
    },
    "RedisAclRetirement": {"credential_fingerprint", "schema_version"},
}
"""Outputs for the provider alone."""

each_resource: Final = pytest.mark.parametrize(
    "case", RESOURCES, ids=[case.name for case in RESOURCES]
)


def schema_of(case: ResourceCase) -> Mapping[str, Any]:
    return SCHEMA["resources"][TOKEN + NAMES.get(case.name, case.name)]


def named(properties: Mapping[str, Any], flag: str | None = None) -> set[str]:
    """Return the core's names of the properties, of all or of those with a flag."""
    return {snake(name) for name, each in properties.items() if not flag or each.get(flag)}


@each_resource
def test_its_inputs_are_the_arguments(case: ResourceCase) -> None:
    checks, schema = CHECKS[case.name], schema_of(case)
    assert named(schema["inputProperties"]) == checks.keys()
    required = {camel(name) for name, check in checks.items() if check(None)}
    assert {*schema["requiredInputs"]} == required


@each_resource
def test_its_outputs_are_those_of_the_handler(case: ResourceCase) -> None:
    schema, internal = schema_of(case), INTERNAL[case.name]
    created = HandlerItself(case.name, case.working()).create(case.arguments).outputs or {}
    updated = (
        HandlerItself(case.name, case.again()).update(case.id, created, case.due).outputs or {}
    )
    for outputs in (created, updated):
        assert outputs.keys() - internal <= named(schema["properties"])
        assert {*map(snake, schema["required"])} <= outputs.keys()
    essential = {*handler_of(case.name).essential}
    assert essential - internal <= named(schema["properties"])
    assert internal.isdisjoint(named(schema["properties"]))


@each_resource
def test_its_secret_outputs_are_those_that_the_state_encrypts(case: ResourceCase) -> None:
    secret = {*handler_of(case.name).secret_in_state} - INTERNAL[case.name]
    assert named(schema_of(case)["properties"], "secret") == secret


@each_resource
def test_its_secret_inputs_are_credentials(case: ResourceCase) -> None:
    credentials = {"admin_token", "existing_token", "token", "previous_tokens", "redis_url"}
    inputs = schema_of(case)["inputProperties"]
    assert named(inputs, "secret") == credentials & CHECKS[case.name].keys()


@each_resource
def test_it_names_the_inputs_that_replace_it(case: ResourceCase) -> None:
    _, reasons = case.replacing
    assert named(schema_of(case)["inputProperties"], "willReplaceOnChanges") == {*reasons}


@each_resource
def test_it_takes_over_the_state_of_the_dynamic_resource(case: ResourceCase) -> None:
    type_ = f"pulumi-python:dynamic/upstash:{case.name}"
    assert schema_of(case)["aliases"] == [{"type": type_}]


def test_only_outputs_that_are_always_there_are_required() -> None:
    database = parse_database({"database_id": "an-id"})
    outputs = to_outputs(Snapshot(database, RotationRecord()))
    always = outputs.keys() - INTERNAL["RedisPasswordRotation"] - {"extra_attributes"}
    schema = schema_of(RESOURCES[0])
    assert {*map(snake, schema["required"])} == always


def test_a_program_of_any_language_has_the_outputs_of_a_python_program() -> None:
    own = {*RedisPasswordRotation.__annotations__, "next_rotation_at"}
    assert named(schema_of(RESOURCES[0])["properties"]) == own


def test_an_integer_has_32_bits() -> None:
    """The API's integers have more. A program in C# or Java could not read them."""
    properties = SCHEMA["resources"][TOKEN + "RedisPasswordRotation"]["properties"]
    integers = {snake(name) for name, each in properties.items() if each.get("type") == "integer"}
    assert integers & Database.model_fields.keys() == {"port"}


def test_the_provider_takes_the_settings() -> None:
    variables = SCHEMA["config"]["variables"]
    assert SCHEMA["provider"]["inputProperties"] == variables
    assert named(variables) == {each.name for each in dataclasses.fields(Settings)}
    assert named(variables, "secret") == {"api_key"}


def test_the_functions_return_databases() -> None:
    database = SCHEMA["functions"][TOKEN + "getDatabase"]["outputs"]
    urls = {"redis_url", "rest_url", "extra_attributes"}
    assert named(database["properties"]) == Database.model_fields.keys() | urls
    assert named(database["properties"], "secret") == {*SECRET_OUTPUTS}
    assert database["required"] == ["databaseId"]
    summary = SCHEMA["types"][TOKEN + "DatabaseSummary"]
    fields = dataclasses.fields(DatabaseSummary)
    assert named(summary["properties"]) == {each.name for each in fields}
    listed = SCHEMA["functions"][TOKEN + "listDatabases"]["outputs"]["properties"]["databases"]
    assert listed["items"] == {"$ref": f"#/types/{TOKEN}DatabaseSummary"}


def descriptions(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the description of everything that has one by Pulumi's metaschema."""
    for key, each in node.items():
        if key in {"properties", "inputProperties", "variables", "resources", "functions", "types"}:
            yield from (item.get("description", "") for item in each.values())
        if isinstance(each, dict):
            yield from descriptions(each)


def test_everything_is_described_in_the_words_of_every_language() -> None:
    texts = list(descriptions(SCHEMA))
    assert len(texts) > 200
    for text in texts:
        assert text.endswith(".")
        assert not re.search(r"\b(None|True|False|[a-z]+_[a-z_]+)\b", text)


def test_no_sdk_adds_a_value_that_the_program_has_not_given() -> None:
    assert '"default' not in json.dumps(SCHEMA)
