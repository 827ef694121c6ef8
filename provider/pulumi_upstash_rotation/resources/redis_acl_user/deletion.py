"""The deletion of an ACL user, which spares the tokens of others and of a successor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_upstash_rotation.upstash import acl

from .access import REPEATED, look_up
from .inputs import NAME

if TYPE_CHECKING:
    from pulumi_upstash_rotation.resources.seam import Operation

    from .state import TokenState, UserState


def declared_token(database_id: str, username: str, token: str) -> tuple[str, ...]:
    """Return the key of a token that the user of this run's program has, in `Run.declared`."""
    return (NAME, database_id, username, acl.digest(token))


def delete_user(state: TokenState | UserState, operation: Operation) -> None:
    """Delete the user if all its tokens are ours. Otherwise remove only ours.

    A successor of the same name, for example after a rename, has other tokens. After a replacement,
    or if it has adopted ours, it has the same. Those stay.
    """
    found = look_up(state, operation)
    if found is None:
        return
    access, user = found
    if user is None:
        return
    ours = access.live(user, state.token, state.previous_tokens)
    address = (state.database_id, state.username)
    gone = [each for each in ours if declared_token(*address, each) not in operation.run.declared]
    attempt = f"delete the ACL user {state.username!r}"
    if len(gone) >= len(user.digests):
        deletion = [acl.delete_user(state.username)]
        (reply,) = access.run(deletion, attempt, if_maybe_applied=REPEATED)
        access.check(reply, attempt, REPEATED)
        return
    if gone:
        access.remove(state.username, gone, state.token, attempt)
    if len(ours) < len(user.digests):
        operation.reporter.warning(
            f"{state.user_label} was not deleted, because it has tokens that are not this "
            f"resource's. {count(len(gone), 'token')} of this resource removed"
        )


def count(number: int, what: str) -> str:
    """Return a number of things, as a message shows it."""
    return f"{number} {what}{'' if number == 1 else 's'}"
