"""Outputs that Pulumi can store, made of outputs that may hold anything.

A value that Pulumi cannot store is found out by the SDK or the engine, after the provider method
has returned. The whole call then fails, and a new password is lost. So a front end sends only what
these functions return. They know no SDK, and they never raise.
"""

from __future__ import annotations

import contextlib
import logging
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pulumi_upstash_rotation.errors import InvalidInputError
from pulumi_upstash_rotation.values import MAX_DEPTH, MAX_EXACT_INTEGER, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_LOG: Final = logging.getLogger(__name__)
_Sent = TypeVar("_Sent")

UNKNOWN_SENTINELS: Final = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""Strings that the engine takes for a value that is not known yet. Then it rejects the outputs.

Source: sdk/go/common/resource/plugin/rpc.go of pulumi/pulumi, `unmarshalUnknownPropertyValue`.
"""

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
"""Key of a map that the engine reads as a secret, an asset or another special value.

Source: `UnmarshalPropertyValue` in the same file. It rejects an unexpected signature.
"""

MAX_BYTES: Final = 1 << 20
"""Maximum size of all outputs of a resource, in bytes as Pulumi sends them.

A partial failure sends its outputs as metadata of a gRPC call. Metadata of 7 MB breaks the
connection, and with it all calls in flight.
"""

MAX_ARGUMENT_BYTES: Final = MAX_BYTES // 4
"""Maximum size of all arguments of a resource, in the same unit.

The outputs of a pending rotation hold the triggers twice.
"""

_OVERHEAD_BYTES: Final = 24
"""Maximum size of a value beside its text: the tags, the lengths and the number of protobuf."""

_UNSTORABLE: Final = (
    f"must be at most {MAX_ARGUMENT_BYTES >> 10} KiB as Pulumi sends it ({_OVERHEAD_BYTES} bytes "
    f"for each value beside its text), nested at most {MAX_DEPTH} levels deep, and without texts "
    "that Pulumi reserves"
)
_FIRST_TO_GO: Final = ("extra_attributes",)
"""Outputs without documented attributes."""


class Delivery(NamedTuple):
    """Outputs that Pulumi can store.

    Attributes:
        outputs: The outputs.
        left_out: Names of the outputs that are left out, whole or in part, in order.
    """

    outputs: dict[str, Any]
    left_out: list[str]


def deliverable(
    outputs: Mapping[str, Any],
    essential: Collection[str],
    limit: int = MAX_BYTES,
    *,
    passing: type | tuple[type, ...] = (),
) -> Delivery:
    """Return the outputs without the parts that Pulumi cannot store.

    If the outputs are too large, those without documented attributes are left out first. Others
    that are not essential follow, the largest first, and then the essential ones.

    Args:
        outputs: The outputs.
        essential: Names of the outputs without which a credential would be lost.
        limit: Maximum size in bytes.
        passing: Types whose values count as stored. The result has None for each.
    """
    kept: dict[str, tuple[Any, int]] = {}
    left_out: set[str] = set()
    for name, value in outputs.items():
        walk = _Walk(limit, passing)
        try:
            stored = walk.part(value, 1) if walk.is_key(name) else _LEFT_OUT
        except _TooLargeError:
            stored = _LEFT_OUT
        if stored is _LEFT_OUT or not walk.complete:
            left_out.add(_shown(name))
        if stored is not _LEFT_OUT:
            kept[name] = (stored, limit - walk.room)

    def rank(name: str) -> tuple[int, int]:
        last = len(_FIRST_TO_GO)
        order = _FIRST_TO_GO.index(name) if name in _FIRST_TO_GO else last + (name in essential)
        return order, -kept[name][1]

    size = sum(each for _, each in kept.values())
    for name in sorted(kept, key=rank):
        if size <= limit:
            break
        size -= kept.pop(name)[1]
        left_out.add(name)
    return Delivery({name: stored for name, (stored, _) in kept.items()}, sorted(left_out))


def essential_only(outputs: Mapping[str, Any], essential: Collection[str]) -> Delivery:
    """Return only the essential outputs, without the parts that Pulumi cannot store."""
    chosen = {name: outputs[name] for name in essential if name in outputs}
    kept = deliverable(chosen, essential).outputs
    return Delivery(kept, sorted(_shown(name) for name in outputs if name not in kept))


def flat_only(outputs: Mapping[str, Any], essential: Collection[str]) -> Delivery:
    """Return only the essential outputs that are a text, a number or a flag, in a few simple steps.

    It is the last resort, if even `essential_only()` fails.
    """
    kept = {}
    for name in essential:
        value = outputs.get(name)
        if (
            isinstance(value, str | int)
            and _is_scalar(value)
            and len(str(value)) <= MAX_ARGUMENT_BYTES
        ):
            kept[name] = value
    return Delivery(kept, sorted(_shown(name) for name in outputs if name not in kept))


def deliver(
    outputs: Mapping[str, Any],
    essential: Collection[str],
    send: Callable[[dict[str, Any]], _Sent],
    warn: Callable[[str], object],
) -> _Sent | None:
    """Send the largest part of the outputs that can be sent. None if none can. It never raises.

    Args:
        outputs: The outputs.
        essential: Names of the outputs without which a credential would be lost.
        send: Sends outputs, or raises anything.
        warn: Shows users what was left out.
    """
    for reduced in (deliverable, essential_only, flat_only):
        try:
            kept, left_out = reduced(outputs, essential)
            sent = send(kept)
        except BaseException as error:  # noqa: BLE001  the call has done its work
            _LOG.debug("%s: %s", reduced.__name__, type(error).__name__)
            continue
        if left_out:
            with contextlib.suppress(Exception):
                warn(report_of(left_out))
        return sent
    return None


def unstorable(arguments: Mapping[str, Any], essential: Collection[str]) -> list[InvalidInputError]:
    """Return a problem for each argument that is an essential output and cannot be stored.

    Without it in the state, the next run would find a change and reset the password again. Values
    that are not known yet pass.
    """
    chosen = {name: value for name, value in arguments.items() if name in essential}
    names = deliverable(chosen, essential, MAX_ARGUMENT_BYTES, passing=Unknown).left_out
    return [InvalidInputError(name, _UNSTORABLE) for name in names]


def report_of(left_out: Collection[str]) -> str:
    """Return the line for users about outputs that were left out. It shows no value."""
    return f"Pulumi cannot store these outputs, so they are left out or cut: {', '.join(left_out)}"


class _TooLargeError(Exception):
    """A value alone is larger than the limit."""


class _TooDeepError(Exception):
    """A value is nested too deeply. The whole entry of its output is left out."""


_ENTRY: Final = 2
"""Depth of an entry of an output."""
_LEFT_OUT: Final = object()


class _Walk:
    """A copy of one output without the parts that Pulumi cannot store.

    Attributes:
        room: Bytes that are left.
        complete: Whether nothing has been left out so far.
    """

    def __init__(self, limit: int, passing: type | tuple[type, ...]) -> None:
        self.room = limit
        self._passing = passing
        self.complete = True

    def part(self, value: Any, depth: int) -> Any:  # noqa: ANN401  any value in, a plain one out
        """Return a part of the output, or `_LEFT_OUT`."""
        try:
            return self._part(value, depth)
        except _TooDeepError:
            if depth > _ENTRY:
                raise
            return _LEFT_OUT

    def _part(self, value: Any, depth: int) -> Any:  # noqa: ANN401  same
        self._take(_OVERHEAD_BYTES)
        if isinstance(value, self._passing):
            return None
        if isinstance(value, str):
            self._take(len(value))  # before it is encoded, which takes memory
        if _is_scalar(value):
            if isinstance(value, str):
                self._take(len(value.encode()) - len(value))
            return value
        if depth > MAX_DEPTH and isinstance(value, dict | list | tuple):
            raise _TooDeepError
        if isinstance(value, dict) and SIGNATURE_KEY not in value:
            items = [
                (key, self.part(item, depth + 1))
                for key, item in value.items()
                if self._keep(self.is_key(key))
            ]
            return {key: item for key, item in items if self._keep(item is not _LEFT_OUT)}
        if isinstance(value, list | tuple):
            parts = [self.part(item, depth + 1) for item in value]
            return [part for part in parts if self._keep(part is not _LEFT_OUT)]
        return _LEFT_OUT

    def is_key(self, key: object) -> bool:
        """Return whether Pulumi can store a key of a map."""
        if not isinstance(key, str):
            return False
        self._take(len(key))
        if key == SIGNATURE_KEY or not _is_scalar(key):
            return False
        self._take(len(key.encode()) - len(key))
        return True

    def _keep(self, condition: bool) -> bool:
        self.complete = self.complete and condition
        return condition

    def _take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise _TooLargeError


def _is_scalar(value: object) -> bool:
    """Return whether a value is no map and no list, and Pulumi can store it without loss."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER
    if isinstance(value, float):
        return math.isfinite(value)
    if not isinstance(value, str) or value in UNKNOWN_SENTINELS:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _shown(name: object) -> str:
    """Return the name of an output for a message, which may come from a state that was edited."""
    text = name if isinstance(name, str) else "?"
    return text if text.isidentifier() and text.isascii() else "?"
