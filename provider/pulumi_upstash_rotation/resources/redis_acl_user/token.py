"""The token of an ACL user: made, and saved, before any client can use it.

A new token changes nothing in the database. So a failure here loses nothing: the next run makes
another token. The resource also keeps the earlier tokens, because only those whose text the state
has can be told from the tokens of other people.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    ApiError,
    InvalidInputError,
)
from pulumi_upstash_rotation.resources.seam import Context, Diff, Operation, Resource
from pulumi_upstash_rotation.rotation.decision import Decision, decide, decide_first
from pulumi_upstash_rotation.rotation.inputs import find_problems, parse
from pulumi_upstash_rotation.rotation.record import Cause, Reason, RotationRecord
from pulumi_upstash_rotation.upstash import acl
from pulumi_upstash_rotation.upstash.credentials import connection_urls
from pulumi_upstash_rotation.values import UNKNOWN

from .access import Access, look_up
from .deletion import delete_user
from .inputs import NAME, TOKEN_CHECKS, DeclaredToken, KnownToken, changed_address
from .state import TokenState, parse_token_state

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from pulumi_upstash_rotation.upstash.database import Database

_LOG: Final = logging.getLogger(__name__)

DUPLICATE: Final = (
    "is the user of another resource in this program. Each would retire the other's token. Keep "
    "one; this resource has changed nothing"
)
_MUST_BE_GIVEN: Final = (
    "must be given if rotate_on_create is False: the current token of the user, which the resource "
    "then adopts"
)
CHANGED_BY_ROTATION: Final = (
    "token",
    "previous_tokens",
    "redis_url",
    "credential_fingerprint",
    "rotated_at",
    "adopted_at",
    "rotation_count",
    "rotation_cause",
    "triggers",
)


class RedisAclTokenHandler:
    """Implements `resources.seam.Handler`."""

    secret_in_state = ("token", "previous_tokens", "redis_url", "admin_token", "triggers")
    essential = (
        "database_id",
        "username",
        "customer_id",
        "admin_token",
        "token",
        "previous_tokens",
        "credential_fingerprint",
        "redis_url",
        "rest_url",
        "triggers",
        "rotated_at",
        "adopted_at",
        "rotation_count",
        "rotation_cause",
        "adopted",
        "token_removed_outside",
        "schema_version",
    )

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed. A user declared twice is one."""
        problems = find_problems(TOKEN_CHECKS, arguments)
        if arguments.get("rotate_on_create") is False and arguments.get("existing_token") is None:
            problems.append(InvalidInputError("existing_token", _MUST_BE_GIVEN))
        if not problems and not _claimed(arguments, context):
            problems.append(InvalidInputError("username", DUPLICATE))
        return problems

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether a new token is due, and report the reason."""
        inputs, state = parse(DeclaredToken, TOKEN_CHECKS, arguments), parse_token_state(outputs)
        if replaces := changed_address(inputs, state.database_id, state.username):
            return Diff(changes=True, replaces=replaces)
        decision = _decide(inputs, state, context.now())
        _LOG.debug("diff of the token of %s: %s", state.user_label, decision)
        if decision.rotate:
            may = "may be" if decision.uncertain else "is"
            context.reporter.info(
                f"a new token of {state.user_label} {may} due: {decision.reason}. Earlier tokens "
                "stay live until they are retired"
            )
        # A refresh needs the admin_token that the program has declared last.
        changes = decision.rotate or inputs.admin_token != state.admin_token
        return Diff(changes=changes, by_input=decision.by_input)

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Make the first token, or adopt an existing one."""
        if not isinstance(context, Operation):
            return Resource("", _planned(arguments))
        inputs = _known(arguments, context)
        decision = decide_first(inputs)
        access = Access(
            context, inputs.database_id, inputs.admin_token, tokens=[inputs.existing_token or ""]
        )
        _check_reachable(access.database)
        if decision.rotate:
            token, _ = _generate(access, inputs.username)
            record = RotationRecord(context.now(), 1, decision.reason, inputs.triggers)
        else:
            token = inputs.existing_token or ""
            _check_live(access, inputs.username, token)
            record = RotationRecord(
                reason=decision.reason, triggers=inputs.triggers, adopted_at=context.now()
            )
        state = TokenState(
            database_id=inputs.database_id,
            username=inputs.username,
            token=token,
            record=record,
            adopted=not decision.rotate,
        )
        return _resource(state, inputs, access.database)

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return the state. It records whether the token was removed outside Pulumi."""
        state = parse_token_state(outputs)
        if not state.username:
            return None  # dynamic resources cannot be imported
        found = look_up(state, operation)
        if found is None:
            return None
        access, user = found
        removed = user is not None and not access.live(user, state.token)
        if removed and not state.removed:
            operation.reporter.warning(
                f"the current token of {state.user_label} is not live. `pulumi up` makes a new one"
            )
        kept = {name: value for name, value in outputs.items() if name != "token_removed_outside"}
        return Resource(id_, {**kept, "token_removed_outside": True} if removed else kept)

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Make a new token if one is due."""
        state = parse_token_state(outputs)
        if not isinstance(context, Operation):
            planned = parse(DeclaredToken, TOKEN_CHECKS, arguments)
            if _decide(planned, state, context.now()).rotate:
                return Resource(id_, _planned(outputs))
            return Resource(id_, _with_admin_token(outputs, planned))
        inputs = _known(arguments, context)
        decision = _decide(inputs, state, context.now())
        if not decision.rotate:
            return Resource(id_, _with_admin_token(outputs, inputs))
        access = Access.of(replace(state, admin_token=inputs.admin_token), context)
        _check_reachable(access.database)
        earlier = [each for each in (state.token, *state.previous_tokens) if each]
        token, user = _generate(access, inputs.username, earlier)
        if user and user.digests:  # a late read may not show the user
            # The token just before may be on its way to the user. So it stays, live or not.
            live = {*earlier[:1], *access.live(user, state.token, state.previous_tokens)}
            earlier = [each for each in earlier if each in live]
        record = RotationRecord(
            context.now(), state.record.count + 1, decision.reason, inputs.triggers
        )
        state = replace(
            state, token=token, previous_tokens=tuple(earlier), record=record, removed=False
        )
        return _resource(state, inputs, access.database)

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """Remove tokens that the user's own resource left. It is not in the state if it failed."""
        state = parse_token_state(outputs)
        declared = _key(state.database_id, state.username) in operation.run.claimed
        if not (declared or state.adopted):
            delete_user(state, operation)


def _known(arguments: Mapping[str, Any], operation: Operation) -> KnownToken:
    """Return the arguments of a create or update.

    Raises:
        InvalidInputError: One is not allowed, or another resource declares the user.
    """
    if not _claimed(arguments, operation):
        raise InvalidInputError("username", DUPLICATE)
    return parse(KnownToken, TOKEN_CHECKS, arguments)


def _claimed(arguments: Mapping[str, Any], context: Context) -> bool:
    """Return whether no other resource of this run declares the user."""
    address = [arguments.get(name) for name in ("database_id", "username")]
    if not all(isinstance(part, str) for part in address):
        return True
    return context.run.claim(_key(*map(str, address)), context.resource)


def _key(database_id: str, username: str) -> tuple[str, str]:
    return (NAME, f"{database_id} {username}")


def _decide(inputs: DeclaredToken, state: TokenState, now: datetime) -> Decision:
    if state.removed or not state.token:
        return Decision(rotate=True, reason=Reason(Cause.EXTERNAL), by_input=False)
    return decide(inputs, state.record, now=now)


def _generate(
    access: Access, username: str, earlier: Collection[str] = ()
) -> tuple[str, acl.AclUser | None]:
    """Return a new token, and the user as it is now."""
    attempt = f"make a token for the ACL user {username!r}"
    made, shown = access.run([acl.generate_token(username), acl.get_user(username)], attempt)
    access.check(made, attempt)
    try:
        token = acl.parse_token(made.value)
    except ValueError:
        raise access.failed(attempt, "its reply is not a token") from None
    if token in earlier:
        raise access.failed(attempt, "its reply is an earlier token")
    return token, access.parsed_user(shown, attempt)


def _check_live(access: Access, username: str, token: str) -> None:
    """Check an adopted token before the state has it. A wrong one would stay there.

    Raises:
        ApiError: It is not a live token of the user.
    """
    if not access.live(access.user(username), token):
        why = "existing_token is not one of its live tokens"
        raise access.failed(f"adopt the ACL user {username!r}", why)


def _check_reachable(database: Database) -> None:
    """Check that the URLs of a database can be built, so that no consumer gets an empty one.

    Raises:
        ApiError: The API does not return what they need.
    """
    urls = connection_urls(database.endpoint, database.port, tls=database.tls, password="-")  # noqa: S106  any
    if "redis_url" not in urls:
        raise ApiError(
            f"the API does not return the endpoint and port of {database.label}",
            "nothing has changed",
        )


def _resource(state: TokenState, inputs: KnownToken, database: Database) -> Resource:
    urls = connection_urls(
        database.endpoint,
        database.port,
        tls=database.tls,
        password=state.token,
        user=state.username,
    )
    state = replace(
        state,
        admin_token=inputs.admin_token,
        database_name=database.database_name,
        customer_id=database.customer_id,
        redis_url=urls["redis_url"],
        rest_url=urls["rest_url"],
    )
    return Resource(f"{state.database_id}/{state.username}", state.to_outputs())


def _with_admin_token(outputs: Mapping[str, Any], inputs: DeclaredToken) -> dict[str, Any]:
    kept = {name: value for name, value in outputs.items() if name != "admin_token"}
    return kept if inputs.admin_token is None else {**kept, "admin_token": inputs.admin_token}


def _planned(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a preview knows after a rotation."""
    names: Sequence[str] = ("rest_url", "database_name", "customer_id", *CHANGED_BY_ROTATION)
    kept = {name: value for name, value in known.items() if name in ("database_id", "username")}
    return {**dict.fromkeys(names, UNKNOWN), **kept}
