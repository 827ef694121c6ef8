"""How a call fails: with one line for users and, where needed, a state for the engine to keep.

The engine takes both from the details of a gRPC status. SDKs before 3.260 come without the protobuf
type of such a status, so it is encoded here.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import PartialFailureError, RotationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOG: Final = logging.getLogger(__name__)
_REPORT: Final = "please report it, with what UPSTASH_ROTATION_DEBUG=1 shows"
_GRPC_UNKNOWN: Final = 2
_MESSAGE_FIELD: Final = 0x12
_DETAILS_FIELD: Final = 0x1A
_SEVEN_BITS: Final = 0x7F


@dataclass(frozen=True)
class Failure:
    """What the engine must learn of an exception.

    Attributes:
        message: One line for users.
        partial: Id and outputs that the state must keep. None where it keeps what it has.
    """

    message: str
    partial: tuple[str, Mapping[str, Any]] | None = field(default=None, repr=False)


def failure_of(error: BaseException, method: str) -> Failure:
    """Return what the engine must learn of an exception that a provider method raised."""
    if isinstance(error, PartialFailureError):
        return Failure(str(error), (error.id, error.outputs))
    if isinstance(error, RotationError):
        return Failure(str(error))
    # The text of an unexpected error may hold a secret, so only its type is shown.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _LOG.debug("unexpected %s at\n%s", type(error).__name__, frames)
    return Failure(f"unexpected {type(error).__name__} in {method}: {_REPORT}")


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


def init_failed(reason: str, id_: str, outputs: Mapping[str, object]) -> bytes:
    """Return the detail of a status by which the engine keeps a resource in spite of a failure.

    Args:
        reason: What users see.
        id_: Id of the resource.
        outputs: Its outputs, as the SDK serializes them.
    """
    from google.protobuf.any_pb2 import Any as AnyMessage  # the host has loaded it; programs not
    from pulumi.runtime import rpc
    from pulumi.runtime.proto import provider_pb2

    properties = asyncio.run(rpc.serialize_properties({**outputs}, {}))
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=id_, properties=properties, reasons=[reason])
    )
    encoded: bytes = detail.SerializeToString()
    return encoded
