"""The seam between front ends and resources: plain values in, neutral results out.

A front end translates its engine's messages to these calls and back. It adds no rule. A handler
knows no engine and reads no clock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from pulumi_upstash_rotation.errors import InvalidInputError
    from pulumi_upstash_rotation.upstash.account import Account
    from pulumi_upstash_rotation.upstash.database import Database


class Reporter(Protocol):
    """Shows lines on the resource's row. It must not raise, because a reset may have happened."""

    def info(self, message: str) -> None:
        """Show progress or a reason."""

    def warning(self, message: str) -> None:
        """Show a problem that does not fail the operation."""


@dataclass
class Run:
    """A record of one run of the engine. A front end has one for each run.

    The engine checks every declared resource of a run before it deletes one. So a deletion can see
    whether the program still declares a rotation of the same database.

    Attributes:
        declared: What this run's program declares, each as its type and the id of its database.
        rotated: Those whose credential this run has reset.
        failed: Those whose create or update has failed in this run.
        claimed: Those that a resource has claimed, alone and with the address of that resource.
        databases: Databases as this process has read them, by id. They may be out of date.
    """

    declared: set[tuple[str, ...]] = field(default_factory=set)
    rotated: set[tuple[str, ...]] = field(default_factory=set)
    failed: set[tuple[str, ...]] = field(default_factory=set)
    claimed: set[tuple[str, ...]] = field(default_factory=set)
    databases: dict[str, Database] = field(default_factory=dict, repr=False, kw_only=True)
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    def claim(self, key: tuple[str, str], resource: str | None) -> bool:
        """Record that a resource declares a database. Return False if another one has done so.

        Args:
            key: Type of the resource, and the id of the database.
            resource: Address of the resource. Without an address it claims nothing.
        """
        if resource is None:
            return True
        with self._lock:
            if key not in self.claimed:
                self.claimed.add(key)
                self.claimed.add((*key, resource))
            return (*key, resource) in self.claimed


@dataclass(frozen=True)
class Context:
    """The context of a call that must change nothing: a check, a diff, a preview.

    It has no account, so the call cannot send a request.

    Attributes:
        now: Returns the current time, in UTC.
        reporter: Shows lines to users.
        run: The current run of the engine.
        resource: The engine's address of the resource, such as its URN. None if it is not known.
    """

    now: Callable[[], datetime]
    reporter: Reporter
    run: Run
    resource: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Operation(Context):
    """The context of a call that may change something.

    Attributes:
        account: The Upstash account.
        sleep: Waits, in seconds.
    """

    account: Account
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Diff:
    """Result of a diff.

    Attributes:
        changes: An update is necessary.
        by_input: The reason is a changed argument. The engine can find and show it itself.
        replaces: Arguments whose change needs a replacement.
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
    `UNKNOWN`. A method that fails raises a `RotationError` with one line for users. A
    `PartialFailureError` also holds the outputs that the state must keep. In a preview, `create()`
    and `update()` get a `Context`, otherwise an `Operation`.
    """

    @property
    def secret_in_state(self) -> Collection[str]:
        """Outputs that the state must encrypt: the secret ones, and triggers that may be secret."""

    @property
    def essential(self) -> Collection[str]:
        """Outputs without which a credential or a pending rotation would be lost."""

    def check(self, arguments: Mapping[str, Any], context: Context) -> list[InvalidInputError]:
        """Return every argument that is not allowed. Unknown values pass.

        It also records in the run what the program declares.
        """

    def diff(
        self, outputs: Mapping[str, Any], arguments: Mapping[str, Any], context: Context
    ) -> Diff:
        """Return whether an update is necessary, and report the reason."""

    def create(self, arguments: Mapping[str, Any], context: Context) -> Resource:
        """Create the resource. In a preview, return the outputs that are known."""

    def read(self, id_: str, outputs: Mapping[str, Any], operation: Operation) -> Resource | None:
        """Return the current resource. None if it no longer exists.

        Args:
            id_: Id of the resource.
            outputs: The stored outputs. For a first read, the arguments.
            operation: The context of the call.
        """

    def update(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
    ) -> Resource:
        """Update the resource. It decides again, because time has passed since `diff()`."""

    def delete(self, outputs: Mapping[str, Any], operation: Operation) -> None:
        """Delete the resource."""
