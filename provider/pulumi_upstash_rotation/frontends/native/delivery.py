"""What a call returns: the largest part of its outputs that Pulumi can store, or its failure."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.frontends.engine.failures import encoded_status, init_failed
from pulumi_upstash_rotation.frontends.engine.names import camel
from pulumi_upstash_rotation.frontends.engine.outputs import deliver, flat_only
from pulumi_upstash_rotation.resources.secured import MAY_HAVE_CHANGED
from pulumi_upstash_rotation.rotation.next_rotation import next_rotation_at
from pulumi_upstash_rotation.values import UNKNOWN, Unknown, has_unknown

from . import wire
from .names import to_camel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import grpc
    from google.protobuf.struct_pb2 import Struct

    from pulumi_upstash_rotation.resources.seam import Handler, Reporter

_TIME: Final = ("rotation_days", "rotation_schedule")
_STATUS_DETAILS: Final = "grpc-status-details-bin"


def next_rotation(outputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the output `next_rotation_at`: a text, `UNKNOWN`, or None."""
    reasons = {name: arguments.get(name) for name in _TIME}
    if all(value is None for value in reasons.values()):
        return None
    counts_from = outputs.get("rotated_at") or outputs.get("adopted_at")
    if isinstance(counts_from, Unknown) or has_unknown(reasons):
        return UNKNOWN
    return next_rotation_at(counts_from, reasons)


def to_properties(
    outputs: Mapping[str, Any], arguments: Mapping[str, Any], handler: Handler
) -> Struct:
    """Return outputs as Pulumi stores them, with the next rotation.

    Raises:
        Exception: A value cannot be sent.
    """
    shown = {name: value for name, value in outputs.items() if name != "next_rotation_at"}
    following = next_rotation(outputs, arguments)
    if following is not None:
        shown["next_rotation_at"] = following
    return wire.struct(to_camel(shown), {*map(camel, handler.secret_in_state)})


def delivered(
    outputs: Mapping[str, Any],
    arguments: Mapping[str, Any],
    handler: Handler,
    row: Reporter,
) -> Struct:
    """Return outputs that Pulumi can store for sure. The call has done its work, so it must end."""

    def send(kept: Mapping[str, Any]) -> Struct:
        made = to_properties(kept, arguments, handler)
        made.SerializeToString()  # as gRPC will do it
        return made

    with contextlib.suppress(BaseException):
        if (sent := deliver(outputs, handler.essential, send, row.warning)) is not None:
            return sent
    try:
        return _flat(outputs, handler)
    except BaseException as error:  # noqa: BLE001  whatever it is, it must be one line
        what = f"outputs cannot be sent to Pulumi ({type(error).__name__})"
        raise RotationError(f"{what}; {MAY_HAVE_CHANGED}") from None


def _flat(outputs: Mapping[str, Any], handler: Handler) -> Struct:
    """Return the credentials in the fewest steps."""
    kept = flat_only(outputs, handler.essential).outputs
    return wire.struct(to_camel(kept), {*map(camel, handler.secret_in_state)})


def keep_partially(  # noqa: PLR0913  a failed call and its resource
    context: grpc.ServicerContext,
    message: str,
    partial: tuple[str, Mapping[str, Any]],
    arguments: Callable[[], Mapping[str, Any]],
    *,
    handler: Handler,
    row: Reporter,
) -> None:
    """Make the engine keep the outputs of a failed call, as many as can be sent."""
    id_, outputs = partial

    def keep(properties: Struct) -> bool:
        detail = init_failed(message, id_, properties)
        context.set_trailing_metadata(((_STATUS_DETAILS, encoded_status(message, [detail])),))
        return True

    def send(kept: Mapping[str, Any]) -> bool:
        return keep(to_properties(kept, arguments(), handler))

    if not deliver(outputs, handler.essential, send, row.warning):
        keep(_flat(outputs, handler))
