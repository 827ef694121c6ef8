"""The safeguards of the product, each with a way to remove it and a plan that then fails."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from pulumi_upstash_rotation.errors import ResponseStatusError, UnreadableResponseError
from pulumi_upstash_rotation.http import client, wire
from pulumi_upstash_rotation.resources import databases, secured
from pulumi_upstash_rotation.resources.redis_password_rotation import (
    changes,
    handler,
    operations,
    state,
)
from pulumi_upstash_rotation.resources.seam import Run
from pulumi_upstash_rotation.rotation.reconciliation import Reconciliation
from pulumi_upstash_rotation.upstash import credentials, database, developer_api, response

from . import engine
from .plan import Fault, Foreign, Plan, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@dataclass(frozen=True)
class Safeguard:
    """One safeguard.

    Attributes:
        name: What it does, in a few words.
        remove: Removes it while the context lasts.
        plan: A sequence that then fails, if random ones rarely do.
    """

    name: str
    remove: Callable[[], AbstractContextManager[object]]
    plan: Plan | None = None


def _replace(target: object, name: str, by: object) -> Callable[[], AbstractContextManager[object]]:
    return lambda: patch.object(target, name, by)


def _all(*removals: Callable[[], AbstractContextManager[object]]) -> Any:
    """Return a removal of several parts of one safeguard."""

    @contextmanager
    def removed() -> Iterator[None]:
        with ExitStack() as stack:
            for removal in removals:
                stack.enter_context(removal())
            yield

    return removed


def _nothing(*_: object, **__: object) -> None:
    pass


def _never(*_: object, **__: object) -> bool:
    return False


def _unguarded(_reporter: object, call: Callable[[secured.Kept], Any]) -> Any:
    return call(secured.Kept())


def _never_earlier(*_: object) -> tuple[str, ...]:
    return ()


@contextmanager
def _without_fingerprints() -> Iterator[None]:
    with (
        patch.object(changes, "remember", _never_earlier),
        patch.object(operations, "remember", _never_earlier),
    ):
        yield


def _any_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _believes_the_state(
    real: Callable[..., tuple[Reconciliation, state.Snapshot]],
) -> Callable[..., tuple[Reconciliation, state.Snapshot]]:
    def compare(found: database.Database, before: state.State, **options: Any) -> Any:
        if before.pending:
            return real(found, before, **options)
        return Reconciliation.SAME, state.Snapshot(
            found.with_credentials(before.credentials),
            before.record,
            earlier=before.earlier,
            rotate_on_delete=before.rotate_on_delete,
        )

    return compare


@contextmanager
def _no_read_before_an_update() -> Iterator[None]:
    with patch.object(changes.operations, "compare", _believes_the_state(operations.compare)):
        yield


def _any_account(operation: Any, before: state.State) -> None:
    databases = operation.account.api.list_databases()
    if any(each.database_id == before.database_id for each in databases):
        raise ResponseStatusError("it is there", status=404)


def _by_the_api(operation: Any, _outputs: Any, before: state.State) -> None:
    databases.confirm_deletion(operation, before)


def _revoke_without_comparison(operation: Any, _outputs: Any, before: state.State) -> None:
    operation.account.api.reset_password(before.database_id)


def _strict(
    body: bytes, database_id: str, *, complete: bool = True, **_options: bool
) -> response.Reading:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not complete or not isinstance(value, dict) or value.get("database_id") != database_id:
        raise UnreadableResponseError("strict")
    return response.Reading(database.parse_database(value))


class _Deaf(set[tuple[str, str]]):
    def add(self, _element: tuple[str, str]) -> None:
        """Forget it."""


def _run_without(name: str) -> Callable[[], AbstractContextManager[object]]:
    return lambda: patch.object(engine, "Run", lambda: Run(**{name: _Deaf()}))


def _moment_of_the_start(command: engine.Command) -> Any:
    return engine.moment(command.began)


def _adopted_is_rotated(*args: Any, **options: Any) -> Any:
    record = state.RotationRecord(*args, **options)
    return replace(record, rotated_at=record.rotated_at or record.adopted_at)


def _diff_without(**absent: Any) -> Callable[[], AbstractContextManager[object]]:
    """Let only the diff believe that something is absent from the state."""
    real = handler.RedisPasswordRotationHandler.diff

    def diff(self: Any, outputs: Any, arguments: Any, context: Any) -> Any:
        parse = handler.parse_state
        with patch.object(handler, "parse_state", lambda each: replace(parse(each), **absent)):
            return real(self, outputs, arguments, context)

    return _replace(handler.RedisPasswordRotationHandler, "diff", diff)


def _unapplied(outputs: Any, pending: Any) -> Any:
    return _WITH_PENDING(outputs, replace(pending, applied=False))


def _earlier_is_the_stored_one(
    real: Callable[..., tuple[Reconciliation, state.Snapshot]],
) -> Callable[..., tuple[Reconciliation, state.Snapshot]]:
    def compare(*args: Any, **options: Any) -> Any:
        found, snapshot = real(*args, **options)
        return (Reconciliation.SAME if found is Reconciliation.EARLIER else found), snapshot

    return compare


def _indeterminate(*_: object) -> Reconciliation:
    return Reconciliation.INDETERMINATE


def _rotate_with(**fixed: bool) -> Callable[..., Any]:
    real = changes._rotate
    return lambda *args, **options: real(*args, **{**options, **fixed})


def _recovering_nothing(*args: Any, **_options: bool) -> Any:
    return _RESET(*args)


def _not_more(earlier: Any, *_: str) -> tuple[str, ...]:
    return tuple(earlier)


@contextmanager
def _always_certain() -> Iterator[None]:
    certain = property(lambda _kept: True, _nothing)
    with patch.object(secured.Kept, "certain", certain, create=True):
        yield


def _counts_from_anything(record: state.RotationRecord) -> Any:
    return record.rotated_at or record.adopted_at or engine.START


def _due_by_trigger_only(inputs: Any, record: Any, **options: Any) -> Any:
    return _DECIDE(replace(inputs, rotation_days=None, rotation_schedule=None), record, **options)


def _same_is_done(
    real: Callable[..., tuple[Reconciliation, state.Snapshot]],
) -> Callable[..., tuple[Reconciliation, state.Snapshot]]:
    """Let any password that a read returns prove the pending rotation."""

    def compare(found: database.Database, before: state.State, **options: Any) -> Any:
        if before.pending and found.credentials.password:
            before = replace(before, pending=replace(before.pending, applied=True))
            before = replace(before, credentials=credentials.Credentials(), earlier=())
        return real(found, before, **options)

    return compare


_REVERTED: Final = Plan(
    arguments=(("verify", False),),
    steps=(
        Step("up"),
        Step("up", ("new release",)),
        Step(
            "up",
            ("new release",),
            resets=(Fault("closed", applied=True, times=3),),
            reads=(Fault("stale", by=0), Fault("closed", times=99)),
        ),
        Step("up", ("old release",), reads=(Fault("stale", by=4),)),
    ),
)
"""A pending rotation that has happened, a reverted program, and a late read."""

_NEVER_ROTATED: Final = Plan(
    steps=(
        Step("up", resets=(Fault("closed", times=3),)),
        Step("up", ("no trigger",)),
    ),
)
"""A first rotation that has not happened, and a program without triggers."""

_FIRST: Final = Step("up", data_plane="late")
_SECOND: Final = Step(
    "up",
    resets=(Fault("closed"), Fault("status", 401)),
    reads=(Fault("stale", by=1), Fault("closed", times=99)),
)
_APPLIED: Final = Plan(steps=(_FIRST, _SECOND, Step("up")))
"""A rotation that has happened, a late read, and a further reset that has not happened."""

_NOT_MINE: Final = Plan(
    arguments=(("rotate_on_delete", True),),
    steps=(
        Step("up"),
        Step(
            "destroy",
            events=("a user resets in the console",),
            reads=(Fault("stale", by=1),),
        ),
    ),
)
"""A deletion whose late read returns the stored password, although a user has made another."""

_INTERRUPTED: Final = Plan(
    arguments=(("verify", False),),
    steps=(
        Step("up"),
        Step(
            "up",
            ("new release",),
            resets=(Fault("shape", shape="not JSON", applied=True),),
            reads=(Fault("stale", by=0), Fault("stale", by=1)),
            foreign=Foreign("sleep"),
        ),
        Step("up", ("old release",), reads=(Fault("stale", by=1),)),
    ),
)
"""A reset with a success status, an exception from nowhere, and a late read."""

_NOT_VERIFIED: Final = Plan(
    arguments=(("verify", False), ("rotate_on_delete", True)),
    steps=(
        Step("up", events=("a user resets in the console",)),
        Step("destroy", reads=(Fault("stale", by=2),)),
    ),
)
"""A deletion whose late read returns a password that its resource has never known."""

_LATE_TWICE: Final = Plan(
    arguments=(("verify", False),),
    steps=(
        Step("up"),
        Step("up", ("rename",)),
        Step(
            "up",
            ("new release",),
            resets=(Fault("closed"),),
            reads=(Fault("stale", by=1), Fault("stale", by=2)),
        ),
    ),
)
"""A read of an earlier password, a reset that has not happened, and a later read."""

_BETWEEN: Final = Plan(
    arguments=(("verify", False),),
    steps=(
        Step("up"),
        Step("up", ("rename",)),
        Step(
            "up",
            ("new release",),
            resets=(Fault("closed"),),
            reads=(Fault("stale", by=1), Fault("stale", by=2), Fault("stale", by=3)),
        ),
    ),
)
"""A late read between two resets, and the same one after them."""

_REJECTED_TWICE: Final = Plan(
    reset_shows=True,
    steps=(
        Step(
            "up",
            events=("a user resets in the console",),
            resets=(Fault("status", 504), Fault("status", 400)),
        ),
        Step("refresh", reads=(Fault("stale", by=1),)),
        Step("up", reads=(Fault("stale", by=1),)),
    ),
)
"""A pending rotation that has not happened, and two reads that a login refutes."""

_REPLACED: Final = Plan(
    arguments=(("rotate_on_delete", True),),
    steps=(
        Step("up"),
        Step("up", ("new release",)),
        Step(
            "up --replace",
            ("verify off",),
            resets=(Fault("closed"),),
            reads=(Fault("stale", by=1), Fault("stale", by=2)),
        ),
    ),
)
"""A replacement whose reset has not happened, although a late read looks as if it had."""

_REVERTED_WISH: Final = Plan(
    arguments=(("rotation_days", 30.0), ("rotate_on_delete", False)),
    steps=(
        Step("up"),
        Step(
            "up",
            ("rotate_on_delete on",),
            ("forty days pass",),
            resets=(Fault("closed", applied=True, times=3),),
            reads=(Fault("stale", by=0), Fault("closed", times=99)),
        ),
        Step("refresh", ("rotate_on_delete off",)),
        Step("up"),
    ),
)
"""A failed update that a refresh resolves, and a program that is the one before again."""

_LATE_UNKNOWN: Final = Plan(
    steps=(
        Step("up", ("verify off",)),
        Step("up", ("rename",), resets=(Fault("closed"), Fault("status", 401))),
        Step("up", reads=(Fault("stale", by=1),)),
    ),
)
"""A pending rotation, and a late read of a password that its resource has never known."""

_RECOVERED: Final = Plan(
    steps=(
        _FIRST,
        Step(
            "up",
            resets=(Fault("closed", applied=True),),
            reads=(Fault("shape", shape="without credentials"),),
        ),
    ),
)
"""A rotation that has happened, and a lost reset that should only recover it."""

_ADOPTED_LATE: Final = Plan(
    arguments=(("rotate_on_create", False),),
    steps=(
        Step(
            "up",
            events=("a user resets in the console",),
            reads=(Fault("stale", by=1),),
        ),
        Step("up", ("new release",), resets=(Fault("closed", times=3),)),
        Step("up", ("verify off",), reads=(Fault("stale", by=1),)),
    ),
)
"""An adoption after a late read, which a login refutes, and later the same late read."""

_DENIED: Final = Plan(
    steps=(
        Step("up"),
        Step("refresh", reads=(Fault("status", 404),), lists=(Fault("shape", shape="empty"),)),
    ),
)
"""An API that denies a database twice, while it accepts logins."""

_SIBLINGS: Final = Plan(
    arguments=(("rotate_on_delete", True),),
    steps=(
        Step("up"),
        Step("up --target", ("rename, and adopt",)),
        Step("up", ("move to the other database",), data_plane="late"),
    ),
)
"""Two resources with one password, whose deletions reset it while the database is late."""

_RESET: Final = operations.reset
_WITH_PENDING: Final = changes.with_pending
_DECIDE: Final = changes.decide

SAFEGUARDS: Final = (
    Safeguard("a guard around create and update", _replace(handler, "secured", _unguarded)),
    Safeguard("the pending rotation is kept", _replace(secured.Kept, "pending", _nothing)),
    Safeguard("new credentials are kept at once", _replace(secured.Kept, "complete", _nothing)),
    Safeguard("a read before each update", _no_read_before_an_update),
    Safeguard("fingerprints of earlier passwords", _without_fingerprints),
    Safeguard(
        "a read-back must be new", _replace(operations, "_is_new", lambda _before, _live: True)
    ),
    Safeguard(
        "a masked value is no password",
        _all(
            *(
                _replace(each, "is_credential", _any_text)
                for each in (credentials, database, response)
            )
        ),
    ),
    Safeguard("a 404 is confirmed", _replace(databases, "confirm_deletion", _nothing)),
    Safeguard(
        "a 404 is from the same account", _replace(databases, "confirm_deletion", _any_account)
    ),
    Safeguard(
        "a 404 is JSON, and confirmed",
        _all(
            _replace(developer_api, "_is_json", lambda _body: True),
            _replace(databases, "confirm_deletion", _nothing),
        ),
    ),
    Safeguard(
        "... and no login refutes it",
        _replace(operations, "confirm_deletion", _by_the_api),
        _DENIED,
    ),
    Safeguard("a deletion sees what is declared", _run_without("declared")),
    Safeguard("... and what it has reset", _run_without("rotated"), _SIBLINGS),
    Safeguard("a deletion sees what failed", _run_without("failed")),
    Safeguard(
        "a deletion compares first", _replace(operations, "revoke", _revoke_without_comparison)
    ),
    Safeguard("a read after a lost response", _replace(operations, "_read_or_none", _nothing)),
    Safeguard("credentials in odd responses", _replace(developer_api, "read_database", _strict)),
    Safeguard(
        "rotated_at is the moment of the response",
        _replace(engine.Command, "_now", _moment_of_the_start),
    ),
    Safeguard(
        "an adoption is no rotation", _replace(changes, "RotationRecord", _adopted_is_rotated)
    ),
    Safeguard("at most three resets", _replace(operations, "MAX_RESETS", 99)),
    Safeguard("a diff sees a pending rotation", _diff_without(pending=None)),
    Safeguard("a diff knows that the inputs are old", _diff_without(engine_inputs_stale=False)),
    Safeguard(
        "... also of rotate_on_delete", _diff_without(engine_inputs_stale=False), _REVERTED_WISH
    ),
    Safeguard(
        "few 4xx and no 3xx are rejections",
        _replace(client, "REJECTIONS", dict.fromkeys(range(300, 500))),
    ),
    Safeguard(
        "a login decides about a read",
        _all(
            _replace(changes, "_rejects", _never),
            _replace(operations, "is_rejected", _never),
        ),
    ),
    Safeguard("... after a reset", _replace(changes, "_rejects", _never)),
    Safeguard("... otherwise", _replace(operations, "is_rejected", _never)),
    Safeguard(
        "a login heals a state",
        _replace(operations, "is_live", _never),
        _LATE_UNKNOWN,
    ),
    Safeguard("an attempt has a deadline", _replace(wire.Attempt, "before_read", _nothing)),
    Safeguard(
        "a pending rotation knows that it happened", _replace(changes, "with_pending", _unapplied)
    ),
    Safeguard(
        "... also after an exception", _replace(secured.Kept, "applied", _nothing), _INTERRUPTED
    ),
    Safeguard(
        "... also after a late read",
        _replace(changes, "_rotate", _rotate_with(applied=False)),
        _APPLIED,
    ),
    Safeguard(
        "... but no later one that is due",
        _replace(changes, "_rotate", _rotate_with(applied=True)),
        replace(_APPLIED, steps=(_FIRST, replace(_SECOND, changes=("new release",)), Step("up"))),
    ),
    Safeguard(
        "an earlier password resolves nothing",
        _replace(operations, "compare", _earlier_is_the_stored_one(operations.compare)),
        _REVERTED,
    ),
    Safeguard(
        "a known password proves no rotation",
        _replace(operations, "compare", _same_is_done(operations.compare)),
    ),
    Safeguard(
        "a first rotation is due until it has happened",
        _replace(state.RotationRecord, "counts_from", property(_counts_from_anything)),
        _NEVER_ROTATED,
    ),
    Safeguard(
        "age and schedule make a rotation due",
        _all(
            _replace(handler, "decide", _due_by_trigger_only),
            _replace(changes, "decide", _due_by_trigger_only),
        ),
    ),
    Safeguard("a deletion logs in", _replace(operations, "_try_stored", _indeterminate)),
    Safeguard(
        "... whatever it reads", _replace(operations, "_try_stored", _indeterminate), _NOT_MINE
    ),
    Safeguard(
        "... also without a verification",
        _replace(operations, "_try_stored", _indeterminate),
        _NOT_VERIFIED,
    ),
    Safeguard("a deletion relies on a certain reset only", _always_certain, _REPLACED),
    Safeguard(
        "a read of an earlier password is no comparison",
        _replace(changes, "_rotate", _rotate_with(late=False)),
        _LATE_TWICE,
    ),
    Safeguard(
        "a password between two resets is an earlier one",
        _replace(operations, "remember", _not_more),
        _BETWEEN,
    ),
    Safeguard(
        "a read that a login refutes proves nothing",
        _replace(changes, "remember", _not_more),
        _REJECTED_TWICE,
    ),
    Safeguard("... nor later", _replace(changes, "remember", _not_more), _ADOPTED_LATE),
    Safeguard(
        "a reset that only recovers another believes a login",
        _replace(operations, "reset", _recovering_nothing),
        _RECOVERED,
    ),
)
"""All of them."""
