"""Plans of sequences, as data. One drawing code serves `random` and hypothesis.

A drawing is a list of whole numbers. So a seed, a shrunk example and a directed plan are all the
same data, and the first option of each list is the simplest one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Draw = "Callable[[int], int]"
"""Returns a number from 0 to below its argument, which is at most 127."""

_Option = TypeVar("_Option")

Command = Literal[
    "up",
    "refresh",
    "preview",
    "up --refresh",
    "up --replace",
    "up --replace, delete first",
    "up --target",
    "destroy",
    "get",
]
Change = Literal[
    "new release",
    "old release",
    "no trigger",
    "rename",
    "rename, and adopt",
    "move to the other database",
    "remove the resource",
    "rotate_on_delete on",
    "rotate_on_delete off",
    "verify off",
    "verify on",
    "rotation_days 30",
    "schedule, first of the month",
]
Event = Literal[
    "a user resets in the console",
    "an hour passes",
    "forty days pass",
    "the other stack rotates",
    "the other stack is destroyed",
    "the database is deleted",
]
Condition = Literal[
    "normal",
    "the key of another account",
    "a key that is rejected",
    "a proxy that responds 404 to everything",
    "a suspended database",
]
DataPlane = Literal["reachable", "unreachable", "late"]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        kind: `status`, `closed`, `not sent`, `broken off`, `drips`, `stale`, or `shape`.
        status: The status of the response.
        shape: What the body looks like; see `upstash.SHAPES`.
        applied: Whether the API applies a reset all the same.
        by: For `stale`: how many resets ago the returned password was live.
        times: How many requests in a row it hits.
    """

    kind: str
    status: int = 200
    shape: str = ""
    applied: bool = False
    by: int = 0
    times: int = 1

    def __str__(self) -> str:
        what = {
            "status": f"status {self.status}",
            "shape": f"a body that is {self.shape}",
            "stale": f"the password of {self.by} resets ago",
        }.get(self.kind, self.kind)
        times = f", {self.times} times" if self.times > 1 else ""
        return f"{what}{', applied' if self.applied else ''}{times}"


@dataclass(frozen=True)
class Kill:
    """The death of the processes.

    Attributes:
        moment: `before`: before the call to the provider. `request`: the provider dies when the
            request with this number arrives. `response`: it dies after the API has applied that
            request. `unsaved`: the engine dies, the provider finishes its call. `saved`: the engine
            dies after it has saved.
        number: Number of the request, or of the call to the provider, in this command.
    """

    moment: Literal["before", "request", "response", "unsaved", "saved"]
    number: int = 1


@dataclass(frozen=True)
class Foreign:
    """An exception that is none of the package's own.

    Attributes:
        step: After which step it comes.
        kind: Its type.
    """

    step: Literal["reset", "get", "verify", "sleep"]
    kind: type[BaseException] = MemoryError


@dataclass(frozen=True)
class Step:
    """One command, what changes before it, and what goes wrong during it.

    Attributes:
        command: The command.
        changes: Changes of the program before it.
        events: What happens elsewhere before it.
        condition: The account's condition during it.
        data_plane: The databases' condition during it.
        resets: Faults of resets, in turn.
        reads: Faults of reads, in turn.
        lists: Faults of lists, in turn.
        kill: Who dies when.
        foreign: An exception from nowhere.
        continue_on_error: An option of the command.
    """

    command: Command = "up"
    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    condition: Condition = "normal"
    data_plane: DataPlane = "reachable"
    resets: tuple[Fault, ...] = ()
    reads: tuple[Fault, ...] = ()
    lists: tuple[Fault, ...] = ()
    kill: Kill | None = None
    foreign: Foreign | None = None
    continue_on_error: bool = False

    def __str__(self) -> str:
        parts: list[str] = []
        parts += [f"the program changes: {change}" for change in self.changes]
        parts += self.events
        parts.append(f"`pulumi {self.command}`")
        if self.continue_on_error:
            parts[-1] += " --continue-on-error"
        if self.condition != "normal":
            parts.append(f"with {self.condition}")
        if self.data_plane != "reachable":
            parts.append(f"the data plane is {self.data_plane}")
        for what, faults in (("reset", self.resets), ("read", self.reads), ("list", self.lists)):
            parts += [f"{what} {number}: {fault}" for number, fault in enumerate(faults, 1)]
        if self.kill:
            parts.append(f"killed: {self.kill.moment} {self.kill.number}")
        if self.foreign:
            parts.append(f"{self.foreign.kind.__name__} after {self.foreign.step}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Plan:
    """A sequence.

    Attributes:
        reset_shows: Whether the response to a reset holds the credentials.
        reads: Whether reads show, hide or mask credentials.
        arguments: Arguments of the first program, beside the id and a trigger.
        steps: What happens. The first step creates.
        reverted: Before the recovery, the program becomes that of the last run that succeeded.
        two: The program has a second resource for the second database.
    """

    reset_shows: bool = False
    reads: Literal["shown", "hidden", "masked"] = "shown"
    arguments: tuple[tuple[str, Any], ...] = ()
    steps: tuple[Step, ...] = field(default_factory=lambda: (Step(),))
    reverted: bool = False
    two: bool = False

    def story(self) -> str:
        """Return the plan as text, a line for each step."""
        response = "shows" if self.reset_shows else "does not show"
        lines = [
            f"The response to a reset {response} the credentials. Reads: {self.reads}.",
            f"The program: {dict(self.arguments)}{', two databases' if self.two else ''}.",
            *(f"{number}. {step}" for number, step in enumerate(self.steps, 1)),
            f"Recovery{', with the program reverted' if self.reverted else ''}.",
        ]
        return "\n".join(lines)


MAX_STEPS: Final = 6
UNAPPLIED_STATUSES: Final = (401, 403, 400, 404, 405, 406, 429)
"""Statuses of a reset that was certainly not applied."""
UNCLEAR_STATUSES: Final = (500, 503, 502, 504, 102, 103, 303, 304, 307, 408, 499, 520)
"""Statuses that say nothing about the reset."""
SHAPES_OF_RESETS: Final = (
    "empty",
    "not JSON",
    "null",
    "a list",
    "without id",
    "an integer id",
    "in capitals",
    "wrapped in data",
    "with trailing text",
    "with a Latin-1 byte",
    "cut off",
    "about another database",
    "masked",
    "without endpoint",
    "without credentials",
)
SHAPES_OF_READS: Final = (
    "empty",
    "not JSON",
    "without id",
    "without credentials",
    "masked",
    "about another database",
    "cut off",
    "wrapped in data",
)


def make_plan(draw: Callable[[int], int]) -> Plan:
    """Draw a plan of one to six steps."""
    pick = _picker(draw)
    reset_shows, reads = pick(_ACCOUNTS)
    arguments = pick(_PROGRAMS)
    two = draw(8) == 7
    reverted = draw(3) == 2
    steps = [_draw_step(draw, 0)]
    while len(steps) < MAX_STEPS and draw(5):  # so that hypothesis can leave out any step
        steps.append(_draw_step(draw, len(steps)))
    return Plan(reset_shows, reads, arguments, tuple(steps), reverted=reverted, two=two)


def plan_of_seed(seed: int) -> Plan:
    """Return the plan of a seed."""
    return make_plan(drawing(seed)[0])


def drawing(seed: int) -> tuple[Callable[[int], int], list[int]]:
    """Return a drawing by seed, and the list of the numbers that it has drawn so far."""
    chance = random.Random(seed).random
    tape: list[int] = []

    def draw(below: int) -> int:
        number = int(chance() * below)
        tape.append(number)
        return number

    return draw, tape


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return any plan, for hypothesis."""
    return make_plan(lambda below: draw(st.integers(0, below - 1)))


def _picker(draw: Callable[[int], int]) -> Callable[[Sequence[_Option]], _Option]:
    return lambda options: options[draw(len(options))]


_ACCOUNTS: Final[tuple[tuple[bool, Literal["shown", "hidden", "masked"]], ...]] = (
    (False, "shown"),
    (False, "shown"),
    (False, "shown"),
    (True, "shown"),
    (True, "shown"),
    (True, "hidden"),
    (True, "masked"),
    (False, "hidden"),
)
_PROGRAMS: Final[tuple[tuple[tuple[str, Any], ...], ...]] = (
    (),
    (),
    (),
    (("rotate_on_delete", True),),
    (("rotate_on_delete", True),),
    (("rotate_on_create", False),),
    (("rotate_on_create", False), ("rotate_on_delete", True)),
    (("verify", False),),
    (("verify", False), ("rotate_on_delete", True)),
    (("rotation_days", 30.0),),
    (("rotate_on_create", False), ("rotation_days", 30.0)),
    (("rotation_schedule", "0 3 1 * *"),),
)
_COMMANDS: Final[tuple[Command, ...]] = (
    *("up",) * 12,
    *("refresh",) * 4,
    *("up --refresh", "preview", "up --replace", "up --replace", "up --replace, delete first"),
    *("up --target", "up --target", "destroy", "destroy", "get"),
)
_CHANGES: Final[tuple[tuple[Change, ...], ...]] = (
    *((),) * 4,
    *(("new release",),) * 8,
    ("old release",),
    ("old release",),
    ("no trigger",),
    ("rename",),
    ("rename, and adopt",),
    ("rename, and adopt",),
    ("move to the other database",),
    ("remove the resource",),
    ("rotate_on_delete on",),
    ("rotate_on_delete off",),
    ("verify off",),
    ("verify on",),
    ("rotation_days 30",),
    ("schedule, first of the month",),
)
_EVENTS: Final[tuple[tuple[Event, ...], ...]] = (
    *((),) * 12,
    ("a user resets in the console",),
    ("a user resets in the console",),
    ("an hour passes",),
    ("an hour passes",),
    ("forty days pass",),
    ("the other stack rotates",),
    ("the other stack is destroyed",),
    ("the database is deleted",),
)
_CONDITIONS: Final[tuple[Condition, ...]] = (
    *("normal",) * 24,
    "the key of another account",
    "a key that is rejected",
    "a proxy that responds 404 to everything",
    "a suspended database",
)
_DATA_PLANES: Final[tuple[DataPlane, ...]] = (*("reachable",) * 8, "unreachable", "late")
_MOMENTS: Final[tuple[Literal["before", "request", "response", "unsaved", "saved"], ...]] = (
    *("before", "request", "response", "response", "unsaved", "unsaved", "saved"),
)
_FOREIGN: Final[tuple[Literal["reset", "get", "verify", "sleep"], ...]] = (
    *("reset", "get", "verify", "sleep"),
)
_KINDS: Final[tuple[type[BaseException], ...]] = (MemoryError, RecursionError, SystemExit)


def _draw_step(draw: Callable[[int], int], number: int) -> Step:
    pick = _picker(draw)
    if draw(3) == 0:  # nothing goes wrong
        return Step(pick(_COMMANDS) if number else "up", pick(_CHANGES) if number else ())
    return Step(
        pick(_COMMANDS) if number else "up",
        pick(_CHANGES) if number else (),
        pick(_EVENTS),
        pick(_CONDITIONS),
        pick(_DATA_PLANES),
        tuple(_draw_faults(draw, _draw_reset_fault, (0, 0, 1, 1, 1))),
        tuple(_draw_faults(draw, _draw_read_fault, (0, 0, 0, 0, 1, 1))),
        tuple(_draw_faults(draw, _draw_read_fault, (0,) * 15 + (1,))),
        Kill(pick(_MOMENTS), 1 + draw(4)) if draw(6) == 5 else None,
        Foreign(pick(_FOREIGN), pick(_KINDS)) if draw(16) == 15 else None,
        continue_on_error=draw(4) == 3,
    )


def _draw_faults(
    draw: Callable[[int], int],
    draw_one: Callable[[Callable[[int], int]], Fault],
    first: tuple[int, ...],
) -> Iterator[Fault]:
    if _picker(draw)(first):
        yield draw_one(draw)
        for _ in range(2):
            if draw(3) == 2:
                yield draw_one(draw)


def _draw_reset_fault(draw: Callable[[int], int]) -> Fault:
    pick = _picker(draw)
    kind = pick(("closed", "status", "unclear", "unclear", "shape", "shape", "broken off", "drips"))
    times = pick((1, 1, 1, 2, 9))
    applied = draw(2) == 1
    if kind == "closed":
        return Fault(kind, applied=applied, times=times)
    if kind == "status":
        if draw(6) == 5:
            return Fault("not sent", times=times)
        return Fault("status", pick(UNAPPLIED_STATUSES), times=times)
    if kind == "unclear":
        return Fault("status", pick(UNCLEAR_STATUSES), applied=applied, times=times)
    if kind in ("broken off", "drips"):
        return Fault(kind, applied=True, times=times)
    if draw(12) == 11:
        return Fault("shape", shape="a page", applied=False, times=times)
    return Fault("shape", shape=pick(SHAPES_OF_RESETS), applied=True, times=times)


def _draw_read_fault(draw: Callable[[int], int]) -> Fault:
    pick = _picker(draw)
    kind = pick(("closed", "status", "stale", "stale", "stale", "shape", "broken off", "drips"))
    times = pick((1, 1, 2, 9, 99))
    if kind == "status":
        status = pick((500, 503, 401, 403, 404, 429, 103, 303))
        shape = "a page" if status == 404 and draw(2) else ""
        return Fault("status", status, shape=shape, times=times)
    if kind == "stale":
        return Fault(kind, by=1 + draw(3), times=times)
    if kind == "shape":
        return Fault(kind, shape=pick(SHAPES_OF_READS), times=times)
    return Fault(kind, times=times)
