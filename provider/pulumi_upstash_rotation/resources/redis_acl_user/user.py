"""The ACL user: it gets the new token beside the earlier ones, and the declared rules.

Each step may be repeated. So a failure keeps the old state, and the next run does all of it again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pulumi_upstash_rotation.errors import ApiError
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource
from pulumi_upstash_rotation.rotation.inputs import find_problems, parse
from pulumi_upstash_rotation.upstash import acl
from pulumi_upstash_rotation.upstash.credentials import UserLogin
from pulumi_upstash_rotation.values import (
    UNKNOWN,
    VERIFY_IS_FALSE,
    Unknown,
    Verification,
    has_unknown,
)

from .access import REPEATED, Access, look_up
from .deletion import count, declared_token, delete_user
from .inputs import USER_CHECKS, DeclaredUser, KnownUser, changed_address, with_unknown
from .state import SCHEMA_VERSION, SECRET_OUTPUTS, UserState, parse_user_state, user_label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pulumi_upstash_rotation.errors import InvalidInputError

_LOG: Final = logging.getLogger(__name__)

ECHOED: Final = (
    "database_id",
    "username",
    "admin_token",
    "token",
    "previous_tokens",
    "credential_fingerprint",
    "redis_url",
    "rest_url",
)
"""Arguments that are outputs too. Consumers that use them see no change if only rules change."""
LIVE_WITHOUT_RETIREMENT: Final = 2
"""Number of our tokens that stay live if the program declares no retirement."""


class RedisAclUserHandler:
    """Implements `resources.seam.Handler`."""

    secret_in_state = SECRET_OUTPUTS
    essential = (
        *ECHOED,
        "rules",
        "shown_rules",
        "changed_outside",
        "customer_id",
        "schema_version",
    )

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed. A deletion sees the tokens of a successor."""
        arguments = with_unknown(arguments)
        problems = find_problems(USER_CHECKS, arguments)
        if not (problems or has_unknown(arguments)):
            known = parse(KnownUser, USER_CHECKS, arguments)
            for each in (known.token, *known.previous_tokens):
                context.run.declared.add(declared_token(known.database_id, known.username, each))
        return problems

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether the user or its stored outputs must change, and report the reason."""
        inputs, state = (
            parse(DeclaredUser, USER_CHECKS, with_unknown(arguments)),
            parse_user_state(outputs),
        )
        if replaces := changed_address(inputs, state.database_id, state.username):
            return Diff(changes=True, replaces=replaces)
        if state.drifted:
            context.reporter.info(
                f"{', '.join(state.drifted)} of {state.user_label} changed outside Pulumi. "
                "`pulumi up` sets the declared rules again"
            )
            return Diff(changes=True, by_input=False)
        return Diff(changes=_changed(inputs, state) or not _same(inputs, state, outputs))

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Create the user, or go on with one that has one of our tokens."""
        if not isinstance(context, Operation):
            return Resource("", _planned(parse(DeclaredUser, USER_CHECKS, arguments)))
        inputs = parse(KnownUser, USER_CHECKS, arguments)
        access = Access.of(inputs, context)
        user = access.user(inputs.username)
        ours = access.live(user, inputs.token, inputs.previous_tokens)
        if user and not ours and not inputs.adopt_existing:
            raise ApiError(
                f"{user_label(inputs.username, access.database.label)} exists, and none of its "
                "tokens is this resource's",
                "nothing has changed. Choose another username, or set adopt_existing=True: the "
                "user then gets these rules and one more token",
            )
        removed = _surplus(inputs, ours)
        return _set(inputs, access, context, token=inputs.token, removed=removed)

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return the outputs as the user is now. None if somebody has deleted it."""
        state = parse_user_state(outputs)
        if not state.username:
            return None  # dynamic resources cannot be imported
        found = look_up(state, operation)
        if found is None:
            return None
        access, user = found
        if user is None:
            operation.reporter.warning(
                f"{state.user_label} was deleted outside Pulumi. `pulumi up` makes it again with "
                "the same token"
            )
            return None
        live = access.live(user, state.token, state.previous_tokens)
        drifted = sorted(
            name for name, shown in state.shown_rules.items() if user.rules.get(name) != shown
        )
        kept = {name: value for name, value in outputs.items() if name not in _FOUND}
        return Resource(id_, {**kept, **_found(live, state.token, drifted)})

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Add a new token, set changed rules, and store what a deletion will need."""
        state = parse_user_state(outputs)
        if not isinstance(context, Operation):
            inputs = parse(DeclaredUser, USER_CHECKS, arguments)
            if _changed(inputs, state) or state.drifted:
                return Resource(id_, {**outputs, **_planned(inputs)})
            return Resource(id_, _echoing(outputs, _with_stored(inputs, state)))
        declared = parse(KnownUser, USER_CHECKS, arguments)
        known = _with_stored(declared, state)
        access = Access.of(known, context, state.database_name)
        if known.token != state.token:
            removed: Sequence[str] = ()
            if not known.retires and len(known.previous_tokens) >= LIVE_WITHOUT_RETIREMENT:
                user = access.user(known.username)
                live = access.live(user, known.token, known.previous_tokens)
                removed = _surplus(known, live, state.token)
            forgotten = {*known.previous_tokens} - {*declared.previous_tokens}
            return _set(
                known, access, context, token=known.token, removed=removed, forgotten=forgotten
            )
        if not (_changed(known, state) or state.drifted):
            return Resource(id_, _echoing(outputs, known))
        user = access.user(known.username)
        token = None if user else known.token  # a deleted user is made again
        made = _set(known, access, context, token=token)
        verification = {
            name: outputs[name] for name in ("verified", "verification") if name in outputs
        }
        return Resource(made.id, {**made.outputs, **verification})

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """Delete the user, unless it has other tokens than ours: see `delete_user()`."""
        delete_user(parse_user_state(outputs), operation)


_FOUND: Final = ("previous_token", "changed_outside")


def _found(live: Sequence[str], current: str, drifted: Sequence[str] = ()) -> dict[str, Any]:
    """Return the outputs that say what is live and what has drifted.

    None is stored, because a preview takes an output that is absent for one that is not known yet.
    """
    previous = next((token for token in live if token != current), None)
    found = {"previous_token": previous}
    return {**found, "changed_outside": list(drifted)} if drifted else found


def _changed(inputs: DeclaredUser, state: UserState) -> bool:
    """Return whether the user needs a new token or other rules."""
    return inputs.token != state.token or not (
        isinstance(inputs.rules, list | tuple) and tuple(inputs.rules) == state.rules
    )


def _same(inputs: DeclaredUser, state: UserState, outputs: Mapping[str, Any]) -> bool:
    """Return whether the stored arguments are the declared ones."""
    stored = {name: outputs.get(name) for name in ECHOED}
    declared = _echo(_with_stored(inputs, state))
    return all(_plain(declared.get(name)) == _plain(stored[name]) for name in ECHOED)


_Inputs = TypeVar("_Inputs", bound=DeclaredUser)


def _with_stored(inputs: _Inputs, state: UserState) -> _Inputs:
    """Return the arguments with all earlier tokens. A replaced token has forgotten those before."""
    if isinstance(inputs.previous_tokens, Unknown):
        return inputs
    every = dict.fromkeys([*inputs.previous_tokens, state.token, *state.previous_tokens])
    return replace(inputs, previous_tokens=[t for t in every if t and t != inputs.token])


def _plain(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value


def _echo(inputs: DeclaredUser) -> dict[str, Any]:
    values = {name: _plain(getattr(inputs, name)) for name in (*ECHOED, "rules")}
    return {name: value for name, value in values.items() if value is not None}


def _echoing(outputs: Mapping[str, Any], inputs: DeclaredUser) -> dict[str, Any]:
    kept = {name: value for name, value in outputs.items() if name not in ECHOED}
    return {"previous_token": None, **kept, **_echo(inputs)}  # Pulumi's SDK drops None: see _found


def _planned(inputs: DeclaredUser) -> dict[str, Any]:
    unknown = ("previous_token", "verified", "verification", "shown_rules")
    return {**dict.fromkeys(unknown, UNKNOWN), **_echo(inputs)}


def _surplus(inputs: KnownUser, live: Sequence[str], held: str | None = None) -> list[str]:
    """Return the tokens that a new one displaces. None if the program declares a retirement.

    Args:
        inputs: The arguments.
        live: Our live tokens.
        held: The token in the state, which consumers have. A newer one may come from a killed run.
    """
    if inputs.retires:
        return []
    earlier = [token for token in live if token != inputs.token]
    return sorted(earlier, key=lambda token: token != held)[LIVE_WITHOUT_RETIREMENT - 1 :]


def _set(  # noqa: PLR0913  three say what is special
    inputs: KnownUser,
    access: Access,
    operation: Operation,
    *,
    token: str | None,
    removed: Sequence[str] = (),
    forgotten: Collection[str] = (),
) -> Resource:
    """Set the rules, add a token, and return the resource.

    Args:
        inputs: The arguments.
        access: The database.
        operation: The context of the call.
        token: The token to add. None to add none.
        removed: Our live tokens to remove first.
        forgotten: Earlier tokens that only the state has. The new state has those that are live.

    Raises:
        ApiError: It failed. It may be repeated.
    """
    username = inputs.username
    attempt = f"set the ACL user {username!r}"
    wait = operation.account.prepare_to_verify() if token and inputs.verify else None
    commands = [
        *(acl.remove_token(username, each) for each in removed),
        acl.set_user(username, inputs.rules, token),
        acl.get_user(username),
    ]
    *_, done, shown = access.run(commands, attempt, if_maybe_applied=REPEATED)
    access.check(done, attempt, "the user has not changed")
    user = access.parsed_user(shown, attempt, REPEATED)
    if user is None:
        raise access.failed(attempt, "the database does not show it", REPEATED)
    live = access.live(user, inputs.token, inputs.previous_tokens)
    database = access.database
    label = user_label(username, database.label)
    foreign = len(user.digests) - len(live)
    if foreign > 0:
        operation.reporter.warning(
            f"{label} has {count(foreign, 'token')} that this resource has not made. They stay"
        )
    if not token and inputs.token not in live:
        operation.reporter.warning(
            f"the current token of {label} was removed outside Pulumi, and was not added again. "
            "Run `pulumi refresh`, then `pulumi up` makes a new one"
        )
    if wait:
        wait()
    verification = _verify(inputs, operation, label) if token else None
    kept = [each for each in inputs.previous_tokens if each in live or each not in forgotten]
    outputs = {
        **_echo(replace(inputs, previous_tokens=kept)),
        **_found(live, inputs.token),
        "shown_rules": dict(user.rules),
        "database_name": database.database_name,
        "customer_id": database.customer_id,
        "verified": verification and verification.verified,
        "verification": verification and verification.message,
        "schema_version": SCHEMA_VERSION,
    }
    stored = {
        name: value
        for name, value in outputs.items()
        if value is not None or name == "previous_token"
    }
    return Resource(f"{inputs.database_id}/{username}", stored)


def _verify(inputs: KnownUser, operation: Operation, label: str) -> Verification:
    """Log in with the new token.

    Raises:
        ApiError: The database rejects it.
    """
    if not inputs.verify:
        return Verification(verified=False, message=VERIFY_IS_FALSE)
    login = UserLogin(
        user=inputs.username,
        token=inputs.token,
        redis_url=inputs.redis_url,
        rest_url=inputs.rest_url,
        label=label,
    )
    verification = operation.account.verify_user(login, timeout_seconds=inputs.verify_timeout)
    if verification.rejected:
        raise ApiError(
            f"{label}: {verification.message}",
            "earlier tokens are still live. Run `pulumi up` again",
        )
    if not verification.verified:
        operation.reporter.warning(f"{label}: {verification.message}")
    return verification
