"""Every sequence of a few operations with a few faults, from small alphabets.

The search goes operation by operation. Two prefixes are the same if the world after them is the
same but for the names of passwords, releases and resources, and for times, counts and texts. Of
those, only the first one is continued, unless a later one has more operations or faults left. A
fault that hits nothing is the same as none. So a sequence is left out only if another one that is
tried has the same future.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from .plan import Fault, Foreign, Kill, Plan, Step
from .sequence import BrokenPromiseError, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS: Final = (
    Step("up"),
    Step("up", ("new release",)),
    Step("up", ("old release",)),
    Step("refresh"),
    Step("up --replace"),
    Step("up", ("rename, and adopt",)),
    Step("destroy"),
    Step("up", events=("a user resets in the console",)),
)
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"resets": (Fault("closed", applied=True),)},
    {"resets": (Fault("status", 503, times=9),)},
    {"resets": (Fault("status", 408, applied=True),)},
    {"resets": (Fault("status", 401),)},
    {"resets": (Fault("shape", shape="without id", applied=True),)},
    {"resets": (Fault("shape", shape="not JSON", applied=True, times=9),)},
    {"reads": (Fault("stale", by=1, times=3),)},
    {"reads": (Fault("status", 403, times=99),)},
    {"reads": (Fault("shape", shape="masked", times=99),)},
    {"kill": Kill("response", 2)},
    {"kill": Kill("unsaved", 1)},
    {"condition": "the key of another account"},
    {"condition": "a proxy that responds 404 to everything"},
    {"foreign": Foreign("verify")},
    {"data_plane": "unreachable"},
)
ACCOUNTS: Final = ((False, "shown"), (True, "shown"), (True, "hidden"))
PROGRAMS: Final[tuple[tuple[tuple[str, Any], ...], ...]] = (
    (),
    (("rotate_on_delete", True),),
    (("rotate_on_create", False), ("rotate_on_delete", True)),
)


@dataclass
class Tally:
    """What a search came to.

    Attributes:
        sequences: Sequences judged.
        left_out: Prefixes that were not continued, because their future was tried before.
        broken: Broken promises, each with the first plan that broke it.
    """

    sequences: int = 0
    left_out: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Plan] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add another one."""
        self.sequences += other.sequences
        self.left_out += other.left_out
        self.broken += other.broken
        self.examples = {**other.examples, **self.examples}


def search(operations: int, faults: int) -> Tally:
    """Try every sequence of so many operations with at most so many faults."""
    tally = Tally()
    for reset_shows, reads in ACCOUNTS:
        for arguments in PROGRAMS:
            plan = Plan(reset_shows, reads, arguments, ())  # type: ignore[arg-type]
            search_from(plan, operations, faults, tally)
    return tally


def search_from(plan: Plan, operations: int, faults: int, tally: Tally) -> None:
    """Try every sequence of one account and one program."""
    visited: dict[str, set[tuple[int, int]]] = {}
    pending = [(Sequence(plan), (), operations, faults)]
    while pending:
        sequence, steps, left, budget = pending.pop()
        for operation in OPERATIONS if steps else OPERATIONS[:1]:
            for step, used in _with_faults(operation, budget):
                done = (*steps, step)
                twin = sequence.copy()
                try:
                    twin.carry_out(step)
                    hit = bool(twin.world.hits) or step.condition != "normal"
                    if used and not (hit or step.data_plane != "reachable"):
                        continue
                    key = twin.key()
                    rest = (left - 1, budget - used)
                    if _dominated(visited.setdefault(key, set()), rest):
                        tally.left_out += 1
                        continue
                    visited[key].add(rest)
                    for reverted in (False, True):
                        tally.sequences += 1
                        last = twin.copy()
                        last.plan = replace(plan, reverted=reverted)
                        last.recover()
                        last.judge()
                except BrokenPromiseError as error:
                    tally.broken[error.promise] += 1
                    shown = replace(plan, steps=done)
                    known = tally.examples.get(error.promise)
                    if known is None or len(known.steps) > len(done):
                        tally.examples[error.promise] = shown
                    continue
                if left > 1:
                    pending.append((twin, done, *rest))


def _with_faults(operation: Step, budget: int) -> Iterator[tuple[Step, int]]:
    yield operation, 0
    if not budget:
        return
    for number, fault in enumerate(FAULTS):
        yield replace(operation, **fault), 1
        if budget > 1:
            for other in FAULTS[number + 1 :]:
                if not fault.keys() & other.keys():
                    yield replace(operation, **fault, **other), 2


def _dominated(visited: set[tuple[int, int]], rest: tuple[int, int]) -> bool:
    return any(each[0] >= rest[0] and each[1] >= rest[1] for each in visited)
