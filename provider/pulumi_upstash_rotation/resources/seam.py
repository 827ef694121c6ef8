"""The seam between front ends and resources: plain values in, neutral results out.

A front end translates its engine's messages to these calls and back. It adds no rule. A handler
knows no engine and reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from pulumi_upstash_rotation.errors import InvalidInputError
    from pulumi_upstash_rotation.upstash.account import Account


class Reporter(Protocol):
    """Shows users lines on the resource's row. It must not raise: a reset may have happened."""

    def info(self, message: str) -> None:
        """Show what happens, or why."""

    def warning(self, message: str) -> None:
        """Show what needs attention, though the operation succeeds."""


@dataclass
class Run:
    """What one run of the engine has done so far. A front end has one for each run.

    Attributes:
        created: What this run has created: the resource and the id of its database.
    """

    created: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Context:
    """What surrounds a call that must change nothing: a check, a diff, a preview.

    It has no account, so that the call cannot make a request.

    Attributes:
        now: Returns the present, in UTC.
        reporter: Shows users lines.
        run: What the run has done so far.
    """

    now: Callable[[], datetime]
    reporter: Reporter
    run: Run


@dataclass(frozen=True)
class Operation(Context):
    """What surrounds a call that carries something out.

    Attributes:
        account: The Upstash account.
        sleep: Waits, in seconds.
    """

    account: Account
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Diff:
    """What an update would do.

    Attributes:
        changes: There is something to do.
        by_input: The reason is a changed argument, which the engine can find and show itself.
        replaces: Arguments that make it a replacement.
    """

    changes: bool
    by_input: bool = True
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resource:
    """A resource as the state must hold it.

    Attributes:
        id: Its id.
        outputs: Its outputs, secrets in clear. In a preview some are `UNKNOWN`.
    """

    id: str
    outputs: Mapping[str, Any] = field(repr=False)


class Handler(Protocol):
    """The rules of one resource.

    Arguments and outputs are maps from names to plain values. A value that is not known yet is
    `UNKNOWN`. A method that fails raises `RotationError` with one line for users.
    `PartialFailureError` among them carries what the state must keep. `create()` and `update()` get
    a `Context` in a preview, else an `Operation`.
    """

    @property
    def secret_outputs(self) -> Collection[str]:
        """Outputs that programs see as secrets."""

    @property
    def secret_in_state(self) -> Collection[str]:
        """Outputs that the state must encrypt: the secret ones, and triggers that may be secret."""

    def check(self, arguments: Mapping[str, Any]) -> list[InvalidInputError]:
        """Return every argument that is not allowed. Unknown values pass."""

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return what an update would do, and report why."""

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Make the resource. In a preview, return what is known of it."""

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return what is true now. None: it does not exist any more.

        Args:
            id_: Id of the resource.
            outputs: The stored outputs. For a first read, the arguments.
            operation: What surrounds the call.
        """

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Carry out what `diff()` announced. It decides again first."""

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """End the resource."""
