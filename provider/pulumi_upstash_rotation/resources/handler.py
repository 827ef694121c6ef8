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
    """Shows a user lines that belong to the resource in hand."""

    def info(self, message: str) -> None:
        """Show what happens, or why."""

    def warning(self, message: str) -> None:
        """Show what needs attention, though the operation succeeds."""


@dataclass
class Run:
    """What one run of the engine has done so far. A front end has one for each run.

    Attributes:
        created: Ids of the databases for which this run has created a resource.
    """

    created: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Context:
    """What surrounds one call.

    Attributes:
        now: Returns the present, in UTC.
        reporter: Shows a user lines.
        run: What the run has done so far.
        account: The Upstash account. None in a preview, which therefore cannot make a call.
    """

    now: Callable[[], datetime]
    reporter: Reporter
    run: Run = field(default_factory=Run)
    account: Account | None = None

    def carry_out(self) -> Account:
        """Return the account of a call that is no preview."""
        assert self.account is not None  # noqa: S101  a handler has returned before in a preview
        return self.account


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
    `UNKNOWN`. Every method raises `RotationError` with one line for users. `PartialFailureError`
    among them carries what the state must keep.
    """

    @property
    def secret_outputs(self) -> Collection[str]:
        """Outputs that programs see as secrets."""

    @property
    def secret_in_state(self) -> Collection[str]:
        """Outputs that must be encrypted in the state: those, and triggers, which may be secret."""

    def check(self, arguments: Mapping[str, Any]) -> list[InvalidInputError]:
        """Return every argument that is not allowed. Unknown values pass."""

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return what an update would do, and report why."""

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Make the resource. In a preview, return what is known of it."""

    def read(self, id_: str, outputs: Mapping[str, Any], context: Context) -> Resource | None:
        """Return what is true now. None: it does not exist any more.

        Args:
            id_: Id of the resource.
            outputs: Outputs in the state; only arguments where nothing is in the state yet.
            context: What surrounds the call.
        """

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Carry out what `diff()` announced. It decides again first."""

    def delete(self, outputs: Mapping[str, Any], context: Context) -> None:
        """End the resource."""
