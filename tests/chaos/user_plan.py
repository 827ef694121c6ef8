"""What happens to ACL users in a sequence, drawn from a seed: the same seed, the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from upstash_emulator import Fault

from .plan import LONGEST_DELAY_SECONDS, Command, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..support.runs import Ending

Console = Literal["", "removes the token", "deletes the user", "changes the rules", "adds a token"]
Moment = Literal["any time", "made", "added", "consumed", "removed", "reset"]

NAMES = ("app", "jobs", "web")
"""The users of each sequence, all in one database."""

RULES = (
    ["~app:*", "+@read", "+@write", "+ping"],
    ["~other:*", "+get", "+ping"],
    ["~*", "&news", "+@all", "-@dangerous", "+acl", "+ping"],
)


@dataclass(frozen=True)
class Change:
    """What happens to one user before a command.

    Attributes:
        rotates: The program declares a rotation.
        rules: Number of the rules that it declares from now on.
        retires: The program declares the retirement, for this command.
        broken: The consumer fails during this command.
        console: What somebody does in the console.
    """

    rotates: bool = False
    rules: int = 0
    retires: bool = True
    broken: bool = False
    console: Console = ""


@dataclass(frozen=True)
class Blow:
    """A kill or Ctrl-C.

    Attributes:
        ending: Who is hit, and how.
        moment: When: a token is made, added, consumed or removed, or the password is reset.
        seconds: How long after that.
    """

    ending: Ending
    moment: Moment
    seconds: float


@dataclass(frozen=True)
class Step:
    """One pulumi command and what comes before and during it.

    Attributes:
        command: The command.
        changes: What happens to each user.
        resets: The program declares a reset of the database's password.
        scope: Options of `up` that leave resources out.
        continues: `up` goes on after an error.
        debug: The provider logs each request and decision.
        troubles: What goes wrong with the API meanwhile.
        blow: What ends it early.
    """

    command: Command
    changes: Sequence[Change]
    resets: bool = False
    scope: tuple[str, ...] = ()
    continues: bool = False
    debug: bool = False
    troubles: Sequence[Trouble] = ()
    blow: Blow | None = None


@dataclass(frozen=True)
class UserPlan:
    """A sequence.

    Attributes:
        digests_are_of_tokens: Whether the database shows digests that tell which tokens are live.
        adopts: The program takes over users that exist.
        verify: An option of the program.
        steps: What happens.
    """

    seed: int
    digests_are_of_tokens: bool
    adopts: bool
    verify: bool
    steps: Sequence[Step]


def make_user_plan(seed: int) -> UserPlan:
    """Draw a sequence of three to six steps; the first creates."""
    draw = random.Random(f"users {seed}")
    adopts = draw.random() < 0.5
    rules = dict.fromkeys(NAMES, 0)
    steps: list[Step] = []
    for number in range(draw.randint(3, 6)):
        commands: tuple[Command, ...] = ("up",) * 13 + ("refresh",) * 3 + ("preview", "destroy")
        command = draw.choice(commands) if number else "up"
        changes = []
        for name in NAMES:
            if number and draw.random() < 0.15:
                rules[name] = draw.randrange(len(RULES))
            changes.append(_change(draw, rules[name], first=not number, adopts=adopts))
        resets = number > 0 and draw.random() < 0.4
        steps.append(_step(draw, command, changes, resets=resets, first=not number))
    return UserPlan(
        seed,
        digests_are_of_tokens=draw.random() < 0.75,
        adopts=adopts,
        verify=draw.random() < 0.7,
        steps=tuple(steps),
    )


def _change(draw: random.Random, rules: int, *, first: bool, adopts: bool) -> Change:
    console: Console = ""
    if not first and draw.random() < 0.1:
        kinds: list[Console] = ["removes the token", "deletes the user", "changes the rules"]
        # Somebody else's token outlives a destroy. Only a program that adopts can then go on.
        console = draw.choice([*kinds, "adds a token"] if adopts else kinds)
    return Change(
        rotates=not first and draw.random() < 0.6,
        rules=rules,
        retires=draw.random() < 0.85,
        broken=draw.random() < 0.2,
        console=console,
    )


def _step(
    draw: random.Random,
    command: Command,
    changes: Sequence[Change],
    *,
    resets: bool,
    first: bool,
) -> Step:
    scope: tuple[str, ...] = ()
    if command == "up" and not first and draw.random() < 0.3:
        part = draw.choice(["-token", "", "-file", "-file", "-retirement"])
        scope = (draw.choice(["--exclude", "--target"]), f"**::{draw.choice(NAMES)}{part}")
        if draw.random() < 0.3:
            scope = (*scope, f"{scope[0]}-dependents")
    return Step(
        command,
        tuple(changes),
        resets,
        scope,
        continues=draw.random() < 0.5,
        debug=draw.random() < 0.2,
        troubles=_troubles(draw),
        blow=_blow(draw) if draw.random() < 0.35 else None,
    )


def _troubles(draw: random.Random) -> tuple[Trouble, ...]:
    troubles = []
    for operation, probability in (
        ("acl gentoken", 0.15),
        ("acl setuser", 0.4),
        ("acl getuser", 0.15),
        ("acl deluser", 0.05),
        ("get", 0.1),
        ("reset", 0.15),
    ):
        if draw.random() < probability:
            times = draw.choice([1, 1, 2, 3, None])
            troubles.append(Trouble(operation, _fault(draw), times))
    if draw.random() < 0.05:
        troubles.append(Trouble("data plane"))
    return tuple(troubles)


def _fault(draw: random.Random) -> Fault:
    applied = draw.random() < 0.6
    late = draw.uniform(0.2, LONGEST_DELAY_SECONDS)
    kinds: list[Callable[[], Fault]] = [
        lambda: Fault.closed(applied=applied),
        lambda: Fault.status(draw.choice([500, 502, 503, 504]), applied=applied),
        lambda: Fault.status(429, retry_after=1),
        lambda: Fault.status(draw.choice([400, 401, 403])),
        Fault.cut_off,
        lambda: Fault.garbage(draw.choice([b"", b"\x00\xff not JSON", b"[]"])),
        lambda: Fault.delay(late, applied=applied),
        lambda: Fault.delay(late, applied=applied),
        lambda: Fault.drip(draw.choice(["headers", "body"]), late),
    ]
    return draw.choice(kinds)()


def _blow(draw: random.Random) -> Blow:
    endings: tuple[Ending, ...] = (
        *("engine", "engine", "provider", "provider", "both", "both"),
        *("interrupt", "interrupt twice"),
    )
    moments: tuple[Moment, ...] = ("any time", "made", "added", "added", "consumed", "removed")
    moment = draw.choice((*moments, "reset"))
    latest = 6.0 if moment == "any time" else draw.choice([0.0, 0.05, 0.5])
    return Blow(draw.choice(endings), moment, draw.uniform(0, latest))
