"""The retirement of earlier tokens, after every consumer has the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import ApiError
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource
from pulumi_upstash_rotation.rotation.inputs import find_problems, parse
from pulumi_upstash_rotation.values import UNKNOWN, Unknown, format_time

from .access import Access
from .inputs import (
    RETIREMENT_CHECKS,
    DeclaredRetirement,
    KnownRetirement,
    changed_address,
    with_unknown,
)
from .state import SCHEMA_VERSION, RetirementState, parse_retirement_state, user_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_upstash_rotation.errors import InvalidInputError

REFRESH: Final = "Run `pulumi refresh`, then `pulumi up`"


class RedisAclRetirementHandler:
    """Implements `resources.seam.Handler`."""

    secret_in_state: tuple[str, ...] = ()
    essential = (
        "database_id",
        "username",
        "credential_fingerprint",
        "stale_consumers",
        "schema_version",
    )

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed."""
        del context
        return find_problems(RETIREMENT_CHECKS, with_unknown(arguments))

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether earlier tokens may have to go: a new token, or a consumer caught up."""
        inputs = parse(DeclaredRetirement, RETIREMENT_CHECKS, with_unknown(arguments))
        state = parse_retirement_state(outputs)
        if replaces := changed_address(inputs, state.database_id, state.username):
            return Diff(changes=True, replaces=replaces)
        changes = _is_due(inputs, state)
        if changes:
            context.reporter.info(
                f"earlier tokens of {state.user_label} are due for removal, after its consumers"
            )
        return Diff(changes=changes)

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Remove the earlier tokens, if there are any."""
        if not isinstance(context, Operation):
            return Resource("", _planned(parse(DeclaredRetirement, RETIREMENT_CHECKS, arguments)))
        return _retire(parse(KnownRetirement, RETIREMENT_CHECKS, arguments), context)

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return the state. There is nothing to read."""
        del operation
        return Resource(id_, outputs) if parse_retirement_state(outputs).username else None

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Remove the earlier tokens."""
        inputs = parse(DeclaredRetirement, RETIREMENT_CHECKS, arguments)
        if not _is_due(inputs, parse_retirement_state(outputs)):
            return Resource(id_, outputs)
        if not isinstance(context, Operation):
            return Resource(id_, {**outputs, **_planned(inputs)})
        return _retire(parse(KnownRetirement, RETIREMENT_CHECKS, arguments), context)

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """Change nothing."""


def _is_due(inputs: DeclaredRetirement, state: RetirementState) -> bool:
    """Return whether the token is new, or other consumers show an earlier one."""
    stale = inputs.stale_consumers
    if isinstance(stale, Unknown):  # any consumer may change; that alone retires nothing
        consumers_changed = bool(state.stale_consumers)
    else:
        consumers_changed = tuple(stale) != state.stale_consumers
    return inputs.credential_fingerprint != state.fingerprint or consumers_changed


def _planned(inputs: DeclaredRetirement) -> dict[str, Any]:
    return {
        "database_id": inputs.database_id,
        "username": inputs.username,
        "credential_fingerprint": inputs.credential_fingerprint,
        "retired_at": UNKNOWN,
        "retired_tokens": UNKNOWN,
    }


def _retire(inputs: KnownRetirement, operation: Operation) -> Resource:
    """Remove the earlier tokens that are live, unless a consumer still shows one.

    Raises:
        ApiError: The current token is not live, so nothing was removed, or a removal failed.
    """
    retired = 0
    if inputs.stale_consumers:
        operation.reporter.warning(
            f"earlier tokens of {inputs.username!r} stay, because outputs of "
            f"{', '.join(inputs.stale_consumers)} still show one. The next `pulumi up` that "
            "updates them removes the tokens"
        )
    elif inputs.previous_tokens:
        retired = _remove(inputs, operation)
    outputs = {
        "database_id": inputs.database_id,
        "username": inputs.username,
        "credential_fingerprint": inputs.credential_fingerprint,
        "stale_consumers": list(inputs.stale_consumers),
        "retired_tokens": retired,
        "retired_at": format_time(operation.now()) if retired else None,
        "schema_version": SCHEMA_VERSION,
    }
    stored = {name: value for name, value in outputs.items() if value is not None}
    return Resource(f"{inputs.database_id}/{inputs.username}", stored)


def _remove(inputs: KnownRetirement, operation: Operation) -> int:
    username, previous = inputs.username, inputs.previous_tokens
    access = Access.of(inputs, operation)
    user = access.user(username)
    live = access.live(user, inputs.token, previous)
    if inputs.token not in live:
        label = user_label(username, access.database.label)
        raise ApiError(
            f"the current token of {label} is not live", f"nothing was removed. {REFRESH}"
        )
    old = [token for token in live if token != inputs.token]
    if not old:
        return 0
    operation.sleep(inputs.grace_seconds)
    attempt = f"retire earlier tokens of the ACL user {username!r}"
    access.remove(username, old, inputs.token, attempt)
    return len(old)
