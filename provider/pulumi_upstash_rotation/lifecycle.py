"""What a front end asks for: create, update, read, delete, each from decision to result.

It knows nothing of Pulumi and reads no clock, so that any front end can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from .decision import decide, due
from .errors import ApiOutcomeUnknownError, RotationError
from .rotation import Rotation, adopt, find_out, look, refresh, revoke, rotate
from .state import Verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .client import UpstashClient
    from .inputs import Inputs
    from .models import Database
    from .state import State


class Verify(Protocol):
    """Asks a database whether it accepts its credentials: `verification.verify()`."""

    def __call__(
        self, database: Database, before: Mapping[str, str], *, timeout_seconds: float
    ) -> Verification:
        """Return what it said."""


@dataclass(frozen=True)
class Result:
    """What the state is to hold.

    Attributes:
        rotation: The database, and its last rotation.
        triggers: The triggers as they were at that rotation.
        unsettled: Cause of a rotation that may have happened since; None where all is known.
        unsettled_triggers: The triggers as they were at that one.
        inputs_lag: See `state.State`.
    """

    rotation: Rotation
    triggers: Mapping[str, Any] = field(repr=False)
    unsettled: str | None = None
    unsettled_triggers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    inputs_lag: bool = False


class UnsettledRotationError(RotationError):
    """A rotation may have happened: the state must remember that until it is found out.

    Attributes:
        cause: Why the rotation was made.
        triggers: The triggers as they were then.
        known: What is known of the time before it; None where that is what the state says.
    """

    def __init__(
        self, message: str, cause: str, triggers: Mapping[str, Any], known: Result | None
    ) -> None:
        """Keep what has to be remembered."""
        super().__init__(message)
        self.cause = cause
        self.triggers = triggers
        self.known = known


def create(client: UpstashClient, inputs: Inputs, *, now: datetime, verify: Verify) -> Result:
    """Reset the password of a database for the first time, or adopt it as it is.

    Raises:
        UnsettledRotationError: It can't be known whether the password has changed.
        RotationError: The password has not changed.
    """
    id_, triggers = str(inputs.database_id), _known(inputs.triggers)
    decision = decide(inputs, None, now=now)
    if not decision.rotate:
        return Result(_verified(adopt(client, id_, now=now), {}, inputs, verify), triggers)
    database = look(client, id_)
    cause = str(decision.cause)
    before = database.known_credentials()
    try:
        rotation = rotate(client, id_, before=before.get("password"), count=0, cause=cause, now=now)
    except ApiOutcomeUnknownError as error:
        known = Result(Rotation(database), {})
        raise UnsettledRotationError(str(error), cause, triggers, known) from None
    return Result(_verified(rotation, before, inputs, verify), triggers)


def update(
    client: Callable[[], UpstashClient],
    inputs: Inputs,
    state: State,
    *,
    now: datetime,
    verify: Verify,
) -> Result | None:
    """Settle what is in doubt, then reset the password if that is due; None: nothing to do.

    Args:
        client: Makes the API's client, if one is needed.
        inputs: What the program declares.
        state: What is remembered.
        now: The present, in UTC.
        verify: Asks a database whether it accepts its credentials.

    Raises:
        UnsettledRotationError: It can't be known whether the password has changed.
        RotationError: The password has not changed by this.
    """
    triggers = _known(inputs.triggers)
    result, must_rotate = None, False
    if state.unsettled:
        finding = find_out(client(), state, now=now)
        # Nobody may hold the live password, or there never was a first rotation.
        must_rotate = finding is None or finding.rotated_at is None
        if finding:
            if finding.count > state.rotation_count:
                finding = _verified(finding, state.credentials, inputs, verify)
            result = Result(finding, _triggers_of(finding, state))
            state = replace(
                state,
                triggers=result.triggers,
                rotated_at=finding.rotated_at,
                rotation_count=finding.count,
                credentials=finding.database.known_credentials(),
            )
    decision = due(inputs, state, now=now)
    if not decision.rotate and not must_rotate:
        return result
    cause = str(decision.cause or state.unsettled)
    try:
        rotation = rotate(
            client(),
            state.database_id,
            before=state.credentials.get("password"),
            count=state.rotation_count,
            cause=cause,
            now=now,
        )
    except ApiOutcomeUnknownError as error:
        raise UnsettledRotationError(str(error), cause, triggers, result) from None
    return Result(_verified(rotation, state.credentials, inputs, verify), triggers)


def read(client: UpstashClient, state: State, *, now: datetime) -> Result | None:
    """Return what is true of a database now, without a reset; None: it does not exist any more.

    Raises:
        RotationError: The database could not be read; nothing has changed.
    """
    rotation = refresh(client, state, now=now)
    if rotation is None:
        return None
    if state.unsettled and rotation.count == state.rotation_count:
        return Result(rotation, state.triggers, state.unsettled, state.unsettled_triggers)
    happened = rotation.count > state.rotation_count
    return Result(rotation, _triggers_of(rotation, state), inputs_lag=state.inputs_lag or happened)


def delete(client: Callable[[], UpstashClient], state: State) -> tuple[str, ...]:
    """Leave the database alone, unless the program asked for a last reset.

    Args:
        client: Makes the API's client, if one is needed.
        state: What is remembered.

    Returns:
        What a person should know, a sentence each.

    Raises:
        RotationError: As for `rotation.revoke()`.
    """
    return revoke(client(), state) if state.rotate_on_delete else ()


def _verified(
    rotation: Rotation, before: Mapping[str, str], inputs: Inputs, verify: Verify
) -> Rotation:
    """Return a rotation with what the database itself says of it, if it is to be asked."""
    if not inputs.verify:
        return _said(rotation, "not verified: verify is False")
    if not rotation.database.known_credentials():
        return _said(rotation, "not verified: the new credentials are not known")
    assert isinstance(inputs.verify_timeout, float | int)  # noqa: S101  as in `_known()`
    said = verify(rotation.database, before, timeout_seconds=inputs.verify_timeout)
    warnings = rotation.warnings if said.verified else (*rotation.warnings, said.sentence)
    return replace(rotation, verification=said, warnings=warnings)


def _said(rotation: Rotation, sentence: str) -> Rotation:
    return replace(rotation, verification=Verification(verified=False, sentence=sentence))


def _triggers_of(rotation: Rotation, state: State) -> Mapping[str, Any]:
    """Return the triggers of a rotation that may be the one in doubt."""
    happened = rotation.count > state.rotation_count
    return state.unsettled_triggers if happened else state.triggers


def _known(triggers: object) -> Mapping[str, Any]:
    """Return triggers as a map; when something is carried out, nothing is unknown any more."""
    assert isinstance(triggers, Mapping)  # noqa: S101  Pulumi creates and updates on known values
    return triggers
