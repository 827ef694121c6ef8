"""Failures of a call: one line for users and, if needed, a state that the engine must keep.

The engine reads both from a gRPC status. SDKs before 3.260 lack the protobuf type of that status,
so this module encodes it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    PartialFailureError,
    RequestNotSentError,
    RotationError,
)
from pulumi_upstash_rotation.values import utf8

from . import descriptors, shadows
from .outputs import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from google.protobuf.struct_pb2 import Struct

    Serialize: TypeAlias = Callable[[Mapping[str, object]], Struct]

_LOG: Final = logging.getLogger(__name__)
_REPORT: Final = "please report it with the output of UPSTASH_ROTATION_DEBUG=1"
_FOR_THE_OTHERS: Final = "`pulumi up --continue-on-error` updates any other resources"
_OF_ALL: Final = (AuthenticationError, ConfigurationError, InvalidInputError, RequestNotSentError)
"""Errors that concern the account or the program. The other resources would fail too."""
_MAX_MESSAGE: Final = 4_000
"""Maximum length of a message, in characters. gRPC sends it as metadata."""
_MARGIN_BYTES: Final = 1 << 16
"""Maximum size of the id, the message and the marks of secrets, beside the outputs."""
_GRPC_UNKNOWN: Final = 2
_MESSAGE_FIELD: Final = 0x12
_DETAILS_FIELD: Final = 0x1A
_SEVEN_BITS: Final = 0x7F


@dataclass(frozen=True)
class Failure:
    """A failed call, as the engine must see it.

    Attributes:
        message: One line for users.
        partial: Id and outputs that the state must keep. None if the state stays as it is.
    """

    message: str
    partial: tuple[str, Mapping[str, Any]] | None = field(default=None, repr=False)


def failure_of(error: BaseException, method: str) -> Failure:
    """Return the failure for an exception that a provider method raised.

    The engine starts no update after an error, so other passwords may be reset while their
    consumers still hold the old ones. Whether the program declares other resources is not known
    yet, because the engine calls the provider while the program runs.
    """
    if isinstance(error, RotationError):
        line = _line(error)
        if method in ("diff", "create", "update") and not isinstance(error, _OF_ALL):
            line = f"{line}. {_FOR_THE_OTHERS}"
        kept = (error.id, error.outputs) if isinstance(error, PartialFailureError) else None
        return Failure(line, kept)
    # The text of an unexpected error may hold a secret, so users see only its type.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _LOG.debug("unexpected %s at\n%s", type(error).__name__, frames)
    # The guard around create and update has taken care of any error after a reset.
    effect = "the password may have changed" if method == "delete" else "nothing has changed"
    what = shadows.hidden() or _REPORT
    return Failure(f"unexpected {type(error).__name__} in {method}: {what}; {effect}")


def _line(error: RotationError) -> str:
    text = utf8(str(error))
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]} ..."


def encoded_status(message: str, details: Sequence[bytes] = ()) -> bytes:
    """Return a google.rpc.Status in protobuf's encoding."""
    fields = [(_MESSAGE_FIELD, message.encode()), *((_DETAILS_FIELD, each) for each in details)]
    code = bytes((0x08, _GRPC_UNKNOWN))
    return code + b"".join(bytes((tag,)) + _varint(len(data)) + data for tag, data in fields)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > _SEVEN_BITS:
        encoded.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def serialized(outputs: Mapping[str, object]) -> Struct:
    """Return outputs as the SDK will serialize them.

    The SDK opens an event loop for this, and so descriptors. Plain values need none.

    Raises:
        TypeError: A value would need an event loop.
        Exception: The SDK cannot serialize a value. The text may show it.
    """
    from pulumi.runtime import rpc

    coroutine = rpc.serialize_properties({**outputs}, {})
    try:
        coroutine.send(None)
    except StopIteration as done:
        properties: Struct = done.value
        return properties
    finally:
        coroutine.close()
    raise TypeError("an output is not plain")


def init_failed(reason: str, id_: str, properties: Struct) -> bytes:
    """Return the status detail that makes the engine keep a resource although its call failed.

    Args:
        reason: What users see.
        id_: Id of the resource.
        properties: Its outputs.

    Raises:
        ValueError: The outputs are too large to be sent as metadata.
    """
    # Slow to import. In a provider's process the SDK has already imported them.
    from google.protobuf.any_pb2 import Any as AnyMessage
    from pulumi.runtime.proto import provider_pb2

    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=id_, properties=properties, reasons=[reason])
    )
    encoded: bytes = detail.SerializeToString()
    if len(encoded) > MAX_BYTES + _MARGIN_BYTES:
        raise ValueError("the outputs are too large")
    return encoded


@contextlib.contextmanager
def prepared(serialize: Serialize) -> Iterator[None]:
    """Check what the end of a call needs before the call can change something, and hold it.

    Args:
        serialize: Returns outputs as the front end sends them.

    Raises:
        ConfigurationError: It is not available.
    """
    try:
        rehearse(serialize)
    except Exception as error:  # noqa: BLE001  whatever it is, nothing has changed yet
        what = shadows.hidden() or f"outputs cannot be sent to Pulumi ({type(error).__name__})"
        raise ConfigurationError(f"{what}; nothing has changed") from None
    with descriptors.reserved():
        yield


@functools.cache
def rehearse(serialize: Serialize) -> None:
    """Do once all that the end of a call needs, so that what cannot work fails before a request.

    Raises:
        Exception: It does not work.
    """
    outputs = {"text": "", "list": [{"number": 1}], "flag": True}
    encoded_status("", [init_failed("", "", serialize(outputs))])
