"""A model of Pulumi's engine: what it calls, in which order, and what it stores.

What it knows of the engine is measured: see the Pulumi facts in `docs/`. Numbers become floats,
None vanishes, a failed update keeps its old inputs, a step without a change keeps its old outputs.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import PartialFailureError, RotationError
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.seam import Context, Operation, Run

from ..support.clock import START
from .upstash import DATABASES, ProcessKilledError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pulumi_upstash_rotation.resources.seam import Handler

    from .plan import Step
    from .upstash import Call, Clients, World

Arguments = dict[str, Any]
Program = dict[str, Arguments]
"""What a program declares: arguments by name of the resource."""

HANDLER: Final[Handler] = handler_of("RedisPasswordRotation")


@dataclass(frozen=True)
class Truth:
    """What the judge knows about a resource, from the model and not from the product.

    Attributes:
        rotated: It was rotated at least once.
        triggers: The triggers of its last rotation.
        counts_from: The time from which age and schedule count.
        unsure: Number of the last password that a failed call of it made. None if it made none.
        failed: Its last call failed, and a reset was sent.
        certain: The API has confirmed the reset of that call.
        late: That call could not know the live password before its reset, because a read was late,
            or showed none and the stored one was dead.
        failed_triggers: The triggers of that call.
        tried_triggers: The triggers of the last failed call, whether or not it made a password.
        seen: Numbers of passwords that the stored outputs have held, or that a saved call read.
        own: Numbers of passwords that its resets have made.
    """

    rotated: bool = False
    triggers: Mapping[str, Any] = field(default_factory=dict)
    counts_from: float = 0.0
    failed: bool = False
    unsure: int | None = None
    certain: bool = False
    late: bool = False
    failed_triggers: Mapping[str, Any] = field(default_factory=dict)
    tried_triggers: Mapping[str, Any] = field(default_factory=dict)
    seen: frozenset[int] = frozenset()
    own: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Stored:
    """A resource in the state, and what the judge knows about it.

    Attributes:
        inputs: The stored inputs.
        outputs: The stored outputs.
        failed: Its create or update failed partially (`initErrors`).
        truth: What the judge knows.
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    failed: bool = False
    truth: Truth = field(default_factory=Truth)

    @property
    def database(self) -> int:
        return DATABASES.index(str(self.outputs["database_id"]))


@dataclass
class Stack:
    """A state.

    Attributes:
        resources: The resources by name.
        replaced: Those that wait for their deletion, because a replacement exists.
    """

    resources: dict[str, Stored] = field(default_factory=dict)
    replaced: list[tuple[str, Stored]] = field(default_factory=list)

    def copy(self) -> Stack:
        return Stack(dict(self.resources), list(self.replaced))


@dataclass(frozen=True)
class Made:
    """One call of the provider, for the judge.

    Attributes:
        method: `create`, `read`, `update`, `delete`, or `check` and `diff`.
        name: Name of the resource.
        arguments: Its arguments. Empty for a read or a deletion.
        before: The resource before. None for a creation.
        outputs: The outputs that the call returned. None if it failed or the resource is gone.
        partial: The outputs that a failed call wants to keep. None without.
        error: Text of the failure. None if it succeeded.
        saved: The engine has saved the result.
        calls: The requests of this call.
        verified: For each verification, whether it could tell.
        warnings: The warnings that it showed.
        began_at: When it began.
        ended_at: When it ended.
    """

    method: str
    name: str
    arguments: Arguments
    before: Stored | None
    outputs: Mapping[str, Any] | None
    partial: Mapping[str, Any] | None
    error: str | None
    saved: bool
    calls: list[Call]
    verified: list[bool]
    warnings: list[str]
    live_before: int
    began_at: float
    ended_at: float
    database: int


class EngineKilledError(Exception):
    """The command ended early."""


class CommandFailedError(Exception):
    """The engine stops at an error."""


class Reporter:
    """Keeps the lines that a user sees."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self._lines = lines

    def info(self, message: str) -> None:
        self._lines.append(("info", message))

    def warning(self, message: str) -> None:
        self._lines.append(("warning", message))


class Command:
    """One command of the engine: one run, one provider process.

    Attributes:
        failed: A call of it has failed.
        killed: It was killed.
        updates: Calls other than check and diff.
        called: The same, without those for `get()`.
        revoked: Numbers of passwords that its deletions have made.
        began: When the last call began.
    """

    def __init__(
        self, clients: Clients, stack: Stack, step: Step, judge: Judge, *, actor: str = "ours"
    ) -> None:
        self.world: World = clients.world
        self.clients = clients
        self.stack = stack
        self.step = step
        self.judge = judge
        self.failed = self.killed = False
        self.updates = 0
        self.called = 0
        self.revoked: set[int] = set()
        self.began = 0.0
        self._run = Run()
        self._reporter = Reporter(self.world.lines)
        self._context = Context(self._now, self._reporter, self._run)
        self._operation = Operation(
            self._now,
            self._reporter,
            self._run,
            clients.account(self._reporter.info),
            self.world.sleep,
        )
        self.full = False
        self.declared: Program = {}

    def _now(self) -> datetime:
        return moment(self.world.seconds)

    # --- commands ---

    def up(
        self,
        program: Program,
        *,
        targets: frozenset[str] = frozenset(),
        replacing: frozenset[str] = frozenset(),
        delete_first: bool = False,
        refresh: bool = False,
        preview: bool = False,
    ) -> None:
        """Carry out `pulumi up`."""
        self.full, self.declared = not targets, program
        if refresh:
            self.refresh()
            if self.failed:
                return
        done: list[tuple[str, Stored]] = []
        try:
            for name, arguments in program.items():
                if not targets or name in targets:
                    self._register(
                        name,
                        arguments,
                        replace_it=name in replacing,
                        delete_first=delete_first,
                        preview=preview,
                    )
            if preview:
                return
            if not self.failed or self.step.continue_on_error:
                gone = [
                    (name, each)
                    for name, each in self.stack.resources.items()
                    if name not in program and (not targets or name in targets)
                ]
                waiting = [
                    pair for pair in self.stack.replaced if not targets or pair[0] in targets
                ]
                done = self._delete_all(waiting, gone)
        except (EngineKilledError, CommandFailedError):
            pass
        del done

    def refresh(self) -> None:
        """Carry out `pulumi refresh`."""
        try:
            for name, before in list(self.stack.resources.items()):
                self._read(name, before)
        except (EngineKilledError, CommandFailedError):
            pass

    def destroy(self) -> None:
        """Carry out `pulumi destroy`."""
        with contextlib.suppress(EngineKilledError, CommandFailedError):
            self._delete_all(list(self.stack.replaced), list(self.stack.resources.items()))

    def get(self, database: int) -> None:
        """Read a resource that another stack owns."""
        before = Stored({}, {"database_id": DATABASES[database]})
        with contextlib.suppress(EngineKilledError, CommandFailedError):
            self._call("read", "get", {}, before, lambda: self._found(before), lambda _: None)

    # --- steps ---

    def _register(
        self,
        name: str,
        arguments: Arguments,
        *,
        replace_it: bool,
        delete_first: bool,
        preview: bool,
    ) -> None:
        """Check and diff a declared resource, then do what the diff says."""
        before = self.stack.resources.get(name)
        problems = HANDLER.check(dict(arguments), self._context)
        assert not problems, problems
        if before is None:
            if preview:
                HANDLER.create(dict(arguments), self._context)
            else:
                self._create(name, arguments, None)
            return
        try:
            diff = HANDLER.diff(before.outputs, dict(arguments), self._context)
        except RotationError as error:
            self.judge.refused(self, name, str(error))
            self.failed = True
            if not self.step.continue_on_error:
                raise CommandFailedError from None
            return
        changed = diff.changes and (not diff.by_input or before.inputs != arguments)
        if preview:
            if changed or before.failed:
                HANDLER.update(name, before.outputs, dict(arguments), self._context)
            return
        if diff.replaces or replace_it:
            self.updates += 1
            if delete_first:
                self._delete(name, before, replaced=False)
                if name not in self.stack.resources:
                    self._create(name, arguments, None)
            else:
                self._create(name, arguments, before)
        elif changed or before.failed:
            self._update(name, arguments, before)
        else:
            self.stack.resources[name] = replace(before, inputs=arguments)

    def _create(self, name: str, arguments: Arguments, old: Stored | None) -> None:
        def save(made: Made) -> None:
            outputs = made.outputs if made.partial is None else made.partial
            if outputs is None:
                return
            stored = Stored(arguments, outputs, made.partial is not None)
            if old is not None:
                self.stack.replaced.append((name, old))
            self.stack.resources[name] = self.judge.after(made, stored)

        self._call(
            "create",
            name,
            arguments,
            None,
            lambda: HANDLER.create(dict(arguments), self._operation).outputs,
            save,
        )

    def _update(self, name: str, arguments: Arguments, before: Stored) -> None:
        def save(made: Made) -> None:
            if made.partial is not None:
                stored = Stored(before.inputs, made.partial, failed=True, truth=before.truth)
            elif made.outputs is not None:
                stored = Stored(arguments, made.outputs, truth=before.truth)
            else:
                return
            self.stack.resources[name] = self.judge.after(made, stored)

        id_ = DATABASES[before.database]
        self._call(
            "update",
            name,
            arguments,
            before,
            lambda: HANDLER.update(id_, before.outputs, dict(arguments), self._operation).outputs,
            save,
        )

    def _found(self, before: Stored) -> Mapping[str, Any] | None:
        id_ = DATABASES[before.database]
        found = HANDLER.read(id_, before.outputs, self._operation)
        return None if found is None else found.outputs

    def _read(self, name: str, before: Stored) -> None:
        def save(made: Made) -> None:
            if made.error is not None:
                return
            if made.outputs is None:
                del self.stack.resources[name]
            else:
                stored = Stored(before.inputs, made.outputs, truth=before.truth)
                self.stack.resources[name] = self.judge.after(made, stored)

        self._call("read", name, {}, before, lambda: self._found(before), save)

    def _delete_all(
        self, waiting: list[tuple[str, Stored]], gone: list[tuple[str, Stored]]
    ) -> list[tuple[str, Stored]]:
        for name, each in waiting:
            self._delete(name, each, replaced=True)
        for name, each in gone:
            self._delete(name, each, replaced=False)
        return []

    def _delete(self, name: str, before: Stored, *, replaced: bool) -> None:
        def save(made: Made) -> None:
            if made.error is not None:
                if made.partial is not None and not replaced:
                    stored = Stored(before.inputs, made.partial, failed=True, truth=before.truth)
                    self.stack.resources[name] = stored
                return
            if replaced:
                self.stack.replaced.remove((name, before))
            else:
                del self.stack.resources[name]

        def delete() -> Mapping[str, Any]:
            HANDLER.delete(before.outputs, self._operation)
            return {}

        self._call("delete", name, {}, before, delete, save)

    # --- one call of the provider ---

    def _call(
        self,
        method: str,
        name: str,
        arguments: Arguments,
        before: Stored | None,
        work: Any,
        save: Any,
    ) -> None:
        world, kill = self.world, self.step.kill
        self.updates += 1
        self.called += 1
        struck = kill if kill and kill.number == self.called else None
        if struck and struck.moment == "before":
            world.hits.append("killed before a call")
            self._die()
        calls, lines, verified = len(world.calls), len(world.lines), len(world.verified)
        began = self.began = world.seconds
        subject = (
            before.database if before is not None else DATABASES.index(arguments["database_id"])
        )
        live = world.live(subject)
        outputs = partial = error = None
        try:
            with world.virtual_time():
                outputs = work()
        except PartialFailureError as failure:
            error, partial = str(failure), failure.outputs
        except RotationError as failure:
            error = str(failure)
        except ProcessKilledError:
            error = "the process is dead"
        except BaseException as failure:  # as the adapter does
            error = f"unexpected {type(failure).__name__}"
        unsaved = world.dead or (struck is not None and struck.moment == "unsaved")
        made = Made(
            method,
            name,
            arguments,
            before,
            None if outputs is None else as_stored(outputs),
            None if partial is None else as_stored(partial),
            error,
            saved=not unsaved,
            calls=world.calls[calls:],
            verified=world.verified[verified:],
            warnings=[text for severity, text in world.lines[lines:] if severity == "warning"],
            live_before=live,
            began_at=began,
            ended_at=world.seconds,
            database=subject,
        )
        self.judge.called(self, made)
        if unsaved:
            world.hits.append("killed before the state was saved")
            self._die()
        save(made)
        self.judge.saved(self, made)
        if struck and struck.moment == "saved":
            world.hits.append("killed after the state was saved")
            self._die()
        if error is not None:
            self.failed = True
            if not self.step.continue_on_error:
                raise CommandFailedError

    def _die(self) -> None:
        self.killed = True
        raise EngineKilledError


class Judge:
    """What a command reports to: the promises. This one judges nothing."""

    def refused(self, command: Command, name: str, error: str) -> None:
        """A diff failed."""

    def called(self, command: Command, made: Made) -> None:
        """The provider has returned, and the engine has not saved yet."""

    def after(self, made: Made, stored: Stored) -> Stored:
        """Return the resource with what the judge knows from now on."""
        return stored

    def saved(self, command: Command, made: Made) -> None:
        """The engine has saved."""


def moment(seconds: float) -> datetime:
    """Return the virtual time as a date."""
    return START + timedelta(seconds=seconds)


def as_stored(value: Any) -> Any:
    """Return outputs as the engine's wire format and state file keep them.

    Raises:
        TypeError: Pulumi cannot store them.
    """
    return {key: _stored(item) for key, item in value.items() if item is not None}


def _stored(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is float:
        return value
    if kind is int:
        return float(value)
    if isinstance(value, dict):
        return {_text(key): _stored(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_stored(item) for item in value]
    raise TypeError(f"Pulumi cannot store a {kind.__name__}")


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("Pulumi has only texts as keys")
    return key
