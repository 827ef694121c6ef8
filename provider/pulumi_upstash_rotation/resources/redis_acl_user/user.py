"""The ACL user: it gets the new token beside the earlier ones, and the declared rules.

Each step may be repeated. So a failure keeps the old state, and the next run does all of it again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import ApiError, DatabaseNotFoundError
from pulumi_upstash_rotation.resources.databases import confirm_deletion
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource
from pulumi_upstash_rotation.rotation.inputs import find_problems, parse
from pulumi_upstash_rotation.upstash import acl
from pulumi_upstash_rotation.upstash.credentials import UserLogin
from pulumi_upstash_rotation.values import UNKNOWN, Verification

from .access import REPEATED, Access
from .inputs import USER_CHECKS, DeclaredUser, KnownUser, changed_address, with_unknown
from .state import SCHEMA_VERSION, UserState, parse_user_state, user_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_upstash_rotation.errors import InvalidInputError

_LOG: Final = logging.getLogger(__name__)

VERIFY_IS_FALSE: Final = "not verified: verify is False"
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

    secret_in_state = ("token", "previous_tokens", "previous_token", "redis_url", "admin_token")
    essential = (
        *ECHOED,
        "rules",
        "shown_rules",
        "changed_outside",
        "customer_id",
        "schema_version",
    )

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed."""
        del context
        return find_problems(USER_CHECKS, with_unknown(arguments))

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
        return Diff(changes=_changed(inputs, state) or not _same(inputs, outputs))

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Create the user, or go on with one that has one of our tokens."""
        if not isinstance(context, Operation):
            return Resource("", _planned(parse(DeclaredUser, USER_CHECKS, arguments)))
        inputs = parse(KnownUser, USER_CHECKS, arguments)
        access = Access(context, inputs.database_id, inputs.admin_token)
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
        access = Access(operation, state.database_id, state.admin_token, state.database_name)
        try:
            user = access.user(state.username)
        except DatabaseNotFoundError:
            confirm_deletion(operation, state)
            return None
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
            return Resource(id_, _echoing(outputs, inputs))
        known = parse(KnownUser, USER_CHECKS, arguments)
        access = Access(context, known.database_id, known.admin_token, state.database_name)
        if known.token != state.token:
            removed: Sequence[str] = ()
            if not known.retires and len(known.previous_tokens) >= LIVE_WITHOUT_RETIREMENT:
                user = access.user(known.username)
                live = access.live(user, known.token, known.previous_tokens)
                removed = _surplus(known, live, state.token)
            return _set(known, access, context, token=known.token, removed=removed)
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
        """Delete the user if all its tokens are ours. Otherwise remove only ours.

        A successor of the same name, for example after a rename, has other tokens.
        """
        state = parse_user_state(outputs)
        access = Access(operation, state.database_id, state.admin_token, state.database_name)
        try:
            user = access.user(state.username)
        except DatabaseNotFoundError:
            confirm_deletion(operation, state)
            return
        if user is None:
            return
        ours = access.live(user, state.token, state.previous_tokens)
        attempt = f"delete the ACL user {state.username!r}"
        if len(ours) >= len(user.digests):
            deletion = [acl.delete_user(state.username)]
            (reply,) = access.run(deletion, attempt, if_maybe_applied=REPEATED)
            access.check(reply, attempt, REPEATED)
            return
        if ours:
            access.remove(state.username, ours, state.token, attempt)
        operation.reporter.warning(
            f"{state.user_label} was not deleted, because it has tokens that are not this "
            f"resource's. {_count(len(ours), 'token')} of this resource removed"
        )


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


def _same(inputs: DeclaredUser, outputs: Mapping[str, Any]) -> bool:
    """Return whether the stored arguments are the declared ones."""
    stored = {name: outputs.get(name) for name in ECHOED}
    declared = _echo(inputs)
    return all(_plain(declared.get(name)) == _plain(stored[name]) for name in ECHOED)


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


def _set(
    inputs: KnownUser,
    access: Access,
    operation: Operation,
    *,
    token: str | None,
    removed: Sequence[str] = (),
) -> Resource:
    """Set the rules, add a token, and return the resource.

    Args:
        inputs: The arguments.
        access: The database.
        operation: The context of the call.
        token: The token to add. None to add none.
        removed: Our live tokens to remove first.

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
    secrets = [inputs.token, *inputs.previous_tokens]
    *_, done, shown = access.run(commands, attempt, if_maybe_applied=REPEATED, secrets=secrets)
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
            f"{label} has {_count(foreign, 'token')} that this resource has not made. They stay"
        )
    if not token and inputs.token not in live:
        operation.reporter.warning(
            f"the current token of {label} was removed outside Pulumi, and was not added again. "
            "Run `pulumi refresh`, then `pulumi up` makes a new one"
        )
    if wait:
        wait()
    verification = _verify(inputs, operation, label) if token else None
    outputs = {
        **_echo(inputs),
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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
