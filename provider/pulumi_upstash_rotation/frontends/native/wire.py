"""Properties as Pulumi sends them, to plain values and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from pulumi_upstash_rotation.frontends.engine.outputs import SIGNATURE_KEY, UNKNOWN_SENTINELS
from pulumi_upstash_rotation.values import UNKNOWN, Unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  the signature of a secret
_UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Source of both: sdk/go/common/resource/plugin/rpc.go of pulumi/pulumi."""


class Special:
    """A value that is no JSON, such as an asset."""

    def __repr__(self) -> str:
        """Return the word for messages."""
        return "a value that is not JSON"


def plain(properties: Struct) -> dict[str, Any]:
    """Return properties as plain values: secrets in clear, `UNKNOWN` for what is not known."""
    return {name: _plain(value) for name, value in properties.fields.items()}


def _plain(value: Value) -> Any:  # noqa: ANN401, PLR0911  any value, of one of six kinds
    match value.WhichOneof("kind"):
        case "string_value":
            text = value.string_value
            return UNKNOWN if text in UNKNOWN_SENTINELS else text
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case "struct_value":
            fields = value.struct_value.fields
            if SIGNATURE_KEY not in fields:
                return {name: _plain(item) for name, item in fields.items()}
            if fields[SIGNATURE_KEY].string_value == _SECRET:
                return _plain(fields["value"])
            return Special()
    return None


def struct(properties: Mapping[str, Any], secret: Collection[str] = ()) -> Struct:
    """Return plain values as properties.

    Args:
        properties: The values. `UNKNOWN` marks what is not known yet.
        secret: Names of the properties to mark as secrets.

    Raises:
        TypeError: A value is no plain one.
        Exception: protobuf rejects a value.
    """
    made = Struct()
    for name, value in properties.items():
        _fill(made.fields[name], value)
        if name in secret:
            make_secret(made.fields[name])
    return made


def make_secret(value: Value) -> None:
    """Mark a value as secret, unless it is one, is null or is not known yet."""
    if _plain(value) is None or isinstance(_plain(value), Unknown):
        return
    fields = value.struct_value.fields if value.HasField("struct_value") else {}
    if fields and fields.get(SIGNATURE_KEY) == Value(string_value=_SECRET):
        return
    clear = Value()
    clear.CopyFrom(value)
    value.Clear()
    value.struct_value.fields[SIGNATURE_KEY].string_value = _SECRET
    value.struct_value.fields["value"].CopyFrom(clear)


def _fill(target: Value, value: object) -> None:
    match value:
        case None:
            target.null_value = NULL_VALUE
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = value
        case str():
            target.string_value = value
        case Unknown():
            target.string_value = _UNKNOWN_STRING
        case dict():
            fields = target.struct_value.fields
            target.struct_value.SetInParent()
            for name, item in value.items():
                _fill(fields[name], item)
        case list() | tuple():
            target.list_value.SetInParent()
            for item in value:
                _fill(target.list_value.values.add(), item)
        case _:
            raise TypeError(type(value).__name__)
