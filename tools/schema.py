"""The schema of the native plugin, made of what defines the resources for Python programs.

Fields of the document: https://www.pulumi.com/docs/iac/extending-pulumi/schema/

It has neither `default` nor `defaultInfo`. An SDK would send a default as if the program had
declared it. An import, a takeover of a state or another language would then show changed inputs.
And it would copy an API key from the environment into the state.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from definitions import (
    PACKAGE,
    PROGRAM,
    ROOT,
    Definition,
    arguments,
    class_in,
    fields,
    function_in,
    method,
    parsed,
    public_class,
    section,
)

# None of these loads a library.
from pulumi_upstash_rotation.frontends.engine.names import camel
from pulumi_upstash_rotation.frontends.native.names import text_for_programs
from pulumi_upstash_rotation.resources.redis_acl_user import inputs as acl
from pulumi_upstash_rotation.resources.redis_acl_user import state as acl_state
from pulumi_upstash_rotation.resources.redis_password_rotation import inputs as rotation_inputs
from pulumi_upstash_rotation.resources.redis_password_rotation import state as rotation_state
from pulumi_upstash_rotation.upstash.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

NAME: Final = "upstash-rotation"
ADDRESS: Final = ("database_id", "username")
"""Arguments whose change makes a replacement. Each is also an output."""
SMALL_INTEGERS: Final = ("port",)
"""Integers of the API that have 32 bits. In C# and Java an `integer` of a schema has no more."""
TYPES: Final = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}

_API: Final = {each.name for each in fields(class_in("Database", PACKAGE / "upstash/database.py"))}
_MAY_BE_ABSENT: Final = _API - {"database_id"} | {"rest_url", "extra_attributes"}
"""Outputs of a rotation that the API may leave out, or a state that is too large."""
_NAMES: Final = {
    *("depends_on", "retain_on_delete", "deleted_with"),  # options of Pulumi
    *rotation_inputs.CHECKS,
    *acl.TOKEN_CHECKS,
    *acl.USER_CHECKS,
    *acl.RETIREMENT_CHECKS,
    *(each.name for each in fields(public_class("RedisPasswordRotation"))),
}
"""Names that descriptions hold."""


def text() -> str:
    """Return the document as text."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """Return the schema. It has no version: the plugin adds that of the package."""
    config = dict(_config())
    return {
        "name": NAME,
        "displayName": "Upstash Rotation",
        "description": _project("description"),
        "keywords": _project("keywords"),
        "license": _project("license"),
        "config": {"variables": config},
        "provider": {
            "description": _description(Settings.__doc__ or ""),
            "inputProperties": config,
        },
        "types": {_token(name): each for name, each in _types().items()},
        "resources": {_token(name): each for name, each in _resources().items()},
        "functions": {_token(name): each for name, each in _functions().items()},
        "language": {
            "nodejs": {"packageName": f"pulumi-{NAME}", "respectSchemaVersion": True},
            "python": {
                "packageName": f"{PACKAGE.name}_sdk",
                "pyproject": {"enabled": True},
                "respectSchemaVersion": True,
            },
            "go": {
                # The project has no public address yet.
                "importBasePath": f"example.com/pulumi-{NAME}/sdk/go/{NAME.replace('-', '')}",
                "respectSchemaVersion": True,
            },
            "csharp": {"namespaces": {NAME: "UpstashRotation"}, "respectSchemaVersion": True},
        },
    }


def _config() -> Iterator[tuple[str, dict[str, Any]]]:
    described = _attributes(Settings)
    for each in dataclasses.fields(Settings):
        default = "" if each.default is dataclasses.MISSING else f" `{each.default}` by default."
        variable = f" Environment variable: `UPSTASH_{each.name.upper()}`."
        definition = _definition(each, described[each.name] + default + variable)
        yield camel(each.name), _property(definition, secret=not each.repr)


def _types() -> dict[str, dict[str, Any]]:
    addons, summary = public_class("SecurityAddons"), public_class("DatabaseSummary")
    features = list(fields(addons))
    texts = section(ast.get_docstring(summary) or "", "Attributes")
    listed = [each._replace(text=texts[each.name]) for each in fields(summary)]
    return {
        addons.name: _described(addons)
        | _object(features, absent=[each.name for each in features]),
        summary.name: _described(summary) | _object(listed),
    }


def _resources() -> dict[str, dict[str, Any]]:
    """Return the resources. Those of an ACL user are the parts of the component."""
    secret = acl_state.SECRET_OUTPUTS
    return {
        "RedisPasswordRotation": _resource(
            "RedisPasswordRotation",
            _inputs(
                "RedisPasswordRotation.__init__",
                rotation_inputs.CHECKS,
                rotation_inputs.DeclaredInputs,
            ),
            rotation_state.SECRET_IN_STATE,
            _MAY_BE_ABSENT,
        ),
        "RedisAclToken": _resource(
            "_Token",
            _inputs("RedisAclUser.__init__", acl.TOKEN_CHECKS, acl.DeclaredToken),
            secret,
        ),
        "RedisAclUser": _resource(
            "_User",
            _inputs("RedisAclUser.__init__", acl.USER_CHECKS, acl.DeclaredUser),
            secret,
        ),
        "RedisAclTokenRetirement": _resource(
            "RedisAclRetirement",
            _inputs("RedisAclUser.retire_previous", acl.RETIREMENT_CHECKS, acl.DeclaredRetirement),
            secret,
        ),
    }


class _Input(NamedTuple):
    """An argument of a resource."""

    definition: Definition
    required: bool
    secret: bool


def _inputs(
    function: str, checks: Mapping[str, Callable[[Any], object]], kind: type
) -> dict[str, _Input]:
    """Return the arguments by name. A description for programs comes before one in the core."""
    given = {each.name: each.text for each in arguments(method(*function.split(".")))}
    described = {**_attributes(kind), **given}
    declared = {each.name: each for each in dataclasses.fields(kind)}
    return {
        name: _Input(
            _definition(declared[name], described[name]),
            required=check(None) is not None,
            # A preview shows which trigger has changed, unless the program makes it secret.
            secret=not declared[name].repr and name != "triggers",
        )
        for name, check in checks.items()
    }


def _resource(
    class_name: str,
    inputs: Mapping[str, _Input],
    secret: Collection[str],
    absent: Collection[str] = (),
) -> dict[str, Any]:
    class_ = public_class(class_name)
    alias = {each.arg: ast.literal_eval(each.value) for each in class_.keywords}
    return {
        **_described(class_),
        "inputProperties": {
            camel(name): _property(
                each.definition, secret=each.secret, willReplaceOnChanges=name in ADDRESS
            )
            for name, each in inputs.items()
        },
        "requiredInputs": [camel(name) for name, each in inputs.items() if each.required],
        **_object(_outputs(class_, inputs), secret, absent),
        # It takes over the state of the dynamic resource.
        "aliases": [{"type": f"pulumi-python:dynamic/{alias['module']}:{alias['name']}"}],
    }


def _outputs(class_: ast.ClassDef, inputs: Mapping[str, _Input]) -> Iterator[Definition]:
    """Yield the outputs: the address, those of the class, and the time of the next rotation."""
    user = {each.name: each for each in fields(public_class("RedisAclUser"))}
    own = {each.name: each for each in fields(class_) if _is_output(each)}
    if "rotated_at" in own:
        own = {**own, "next_rotation_at": user["next_rotation_at"]}
    address = {name: inputs[name].definition for name in ADDRESS if name in inputs}
    for name, each in {**address, **own}.items():
        texts = [source[name].text for source in (own, user) if name in source]
        if name in inputs:
            texts.append(inputs[name].definition.text.partition(" A chang")[0])
        yield each._replace(text=next(filter(None, texts)))


def _is_output(each: Definition) -> bool:
    type_ = ast.unparse(each.annotation)
    return type_.startswith("pulumi.Output[")


# --- functions ---


def _functions() -> dict[str, dict[str, Any]]:
    rotation, module = public_class("RedisPasswordRotation"), parsed(PROGRAM / "databases.py")
    read, listing = method(rotation.name, "get"), function_in("list_databases", module)
    names = _MAY_BE_ABSENT | {"redis_url"}
    database = [each for each in fields(rotation) if _is_output(each) and each.name in names]
    database_id = Definition(
        "database_id",
        ast.Name("str"),
        section(ast.get_docstring(read) or "", "Args")["database_id"],
    )
    databases = Definition(
        "databases", _annotation("Sequence[DatabaseSummary]"), "The databases, sorted by name."
    )
    return {
        "getDatabase": {
            **_described(read),
            "inputs": _object([database_id]),
            "outputs": _object(
                [database_id, *database], rotation_state.SECRET_OUTPUTS, _MAY_BE_ABSENT
            ),
        },
        "listDatabases": {
            **_described(listing),
            "inputs": _object(arguments(listing), absent=["name_prefix"]),
            "outputs": _object([databases]),
        },
    }


# --- properties ---


def _object(
    definitions: Iterable[Definition],
    secret: Collection[str] = (),
    absent: Collection[str] = (),
) -> dict[str, Any]:
    """Return an object type.

    Args:
        definitions: Its properties. Those that may be None are not required.
        secret: Those that are secret.
        absent: Those that are not required either.
    """
    properties, required = {}, []
    for each in definitions:
        name = camel(each.name)
        properties[name] = _property(each, secret=each.name in secret)
        if each.name not in absent and "None" not in ast.unparse(each.annotation):
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }


def _property(definition: Definition, **flags: bool) -> dict[str, Any]:
    name, annotation, text = definition
    type_ = _type(annotation)
    if type_ == {"type": "integer"} and name in _API and name not in SMALL_INTEGERS:
        type_ = {"type": "number"}
    return {**type_, "description": _description(text), **{k: v for k, v in flags.items() if v}}


def _type(annotation: ast.expr) -> dict[str, Any]:
    match annotation:
        case ast.BinOp(left=left):  # or None, or not known yet
            return _type(left)
        case ast.Subscript(value=ast.Attribute(attr="Output" | "Input"), slice=inner):
            return _type(inner)
        case ast.Subscript(value=ast.Name(id="Mapping")):
            return {"type": "object", "additionalProperties": {"$ref": "pulumi.json#/Any"}}
        case ast.Subscript(value=ast.Name(id="Sequence"), slice=inner):
            return {"type": "array", "items": _type(inner)}
    name = ast.unparse(annotation)
    return {"type": TYPES[name]} if name in TYPES else {"$ref": f"#/types/{_token(name)}"}


def _definition(field: dataclasses.Field[Any], text: str) -> Definition:
    return Definition(field.name, _annotation(str(field.type)), text)


def _annotation(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


# --- descriptions ---


def _attributes(kind: type) -> dict[str, str]:
    """Return the descriptions of a dataclass's fields, those of its bases included."""
    found: dict[str, str] = {}
    for class_ in reversed(kind.__mro__):
        docstring = inspect.cleandoc(vars(class_).get("__doc__") or "")
        if "Attributes:" in docstring:
            found |= section(docstring, "Attributes")
    return found


def _described(node: ast.ClassDef | ast.FunctionDef) -> dict[str, str]:
    return {"description": _description(ast.get_docstring(node) or "")}


def _description(docstring: str) -> str:
    """Return a docstring without its sections, in the words of every language."""
    text = re.split(r"\n\n(?:Args|Attributes|Raises):\n", inspect.cleandoc(docstring))[0]
    text = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    text = re.sub(r"\bNone (?=if|for|once|without)", "Absent ", text).replace(
        "is None", "is absent"
    )
    return text_for_programs(text, _NAMES)


def _project(name: str) -> Any:  # noqa: ANN401  a text or a list
    """Return a field of the project. Its TOML, on one line, is a Python literal, too."""
    found = re.search(rf"^{name} = (.+)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return ast.literal_eval(found[1]) if found else None


def _token(name: str) -> str:
    return f"{NAME}:index:{name}"
