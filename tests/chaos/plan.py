"""What happens in a sequence, drawn from a seed: the same seed, the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from upstash_emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..support.runs import Ending

Command = Literal["up", "preview", "refresh", "destroy"]
Account = Literal["documented", "with credentials", "protected"]
Moment = Literal["any time", "a call arrives", "a reset is applied"]

LONGEST_DELAY_SECONDS = 1.5
"""How late a call is answered, or reaches the data plane, at most."""


@dataclass(frozen=True)
class Trouble:
    """A fault of the API, or of the data plane.

    Attributes:
        operation: Whose calls it hits; `data plane` where Redis and REST cannot be reached.
        times: How many calls; None for all of this command.
    """

    operation: Literal["reset", "get", "any", "data plane"]
    fault: Fault = field(default_factory=Fault)
    times: int | None = 1


@dataclass(frozen=True)
class Blow:
    """A kill or Ctrl-C.

    Attributes:
        ending: Who is hit, and how.
        moment: When.
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
        release: Value of the program's trigger; None for a program without.
        upgraded: The program comes with another pickle of the provider.
        aged: The state loses what older versions of the package did not know.
        console_before: A user resets the password in the console before the command.
        console_during: How many seconds after its start a user does; None for never.
        troubles: What goes wrong with the API meanwhile.
        blow: What ends it early.
    """

    command: Command
    release: int | None
    upgraded: bool = False
    aged: bool = False
    console_before: bool = False
    console_during: float | None = None
    troubles: Sequence[Trouble] = ()
    blow: Blow | None = None


@dataclass(frozen=True)
class Plan:
    """A sequence.

    Attributes:
        account: Whether resets, reads, or both tell credentials.
        rotate_on_delete: An option of the program.
        verify: Another.
        reverted: At the end the program is what it was at the last run that succeeded.
        steps: What happens.
    """

    seed: int
    account: Account
    rotate_on_delete: bool
    verify: bool
    reverted: bool
    steps: Sequence[Step]


def make_plan(seed: int) -> Plan:
    """Draw a sequence of two to five steps; the first creates."""
    draw = random.Random(seed)
    release: int | None
    release, latest, upgraded = 1, 1, False
    steps = []
    for number in range(draw.randint(2, 5)):
        commands: tuple[Command, ...] = ("up",) * 12 + ("refresh",) * 3 + ("preview", "destroy")
        command = draw.choice(commands) if number else "up"
        if command == "up" and number and draw.random() < 0.7:
            new, old = latest + 1, latest - 1
            release = draw.choice([None, old, old, new, new, new])
            latest = max(latest, release or 0)
        upgraded ^= draw.random() < 0.15
        steps.append(
            Step(
                command,
                release,
                upgraded,
                aged=number > 0 and draw.random() < 0.07,
                console_before=number > 0 and draw.random() < 0.1,
                console_during=draw.uniform(0.5, 2.0) if draw.random() < 0.07 else None,
                troubles=_troubles(draw),
                blow=_blow(draw) if draw.random() < 0.4 else None,
            )
        )
    account: Account = draw.choice(["documented", "documented", "with credentials", "protected"])
    return Plan(
        seed,
        account,
        rotate_on_delete=draw.random() < 0.25,
        verify=draw.random() < 0.7,
        reverted=draw.random() < 0.4,
        steps=tuple(steps),
    )


def _troubles(draw: random.Random) -> tuple[Trouble, ...]:
    troubles = []
    if draw.random() < 0.6:
        times = draw.choice([1, 1, 1, 2, 3, None])
        troubles.append(Trouble("reset", _fault_of_a_reset(draw), times))
    if draw.random() < 0.25:
        troubles.append(Trouble("get", _fault_of_a_read(draw), draw.choice([1, 1, 2])))
    if draw.random() < 0.15:
        # Reads that are refused, unlike those that fail, are not tried again.
        troubles.append(Trouble("get", Fault.status(draw.choice([401, 403])), None))
    if draw.random() < 0.1:
        troubles.append(Trouble("data plane"))
    return tuple(troubles)


def _fault_of_a_reset(draw: random.Random) -> Fault:
    applied = draw.random() < 0.6
    return draw.choice(
        [
            Fault.closed(applied=applied),
            Fault.closed(applied=applied),
            Fault.status(draw.choice([500, 502, 503, 504]), applied=applied),
            Fault.status(503, applied=applied, body="<html>sorry</html>", content_type="text/html"),
            Fault.status(429, retry_after=draw.choice([0, 1])),
            Fault.status(draw.choice([400, 401, 403])),
            Fault.cut_off(),
            Fault.garbage(draw.choice([b"", b"\x00\xff not JSON", b"[]"])),
            Fault.body(draw.choice([None, {}, [], "text", 0])),
            Fault.without("database_id"),
            Fault.without("endpoint", "port"),
            Fault.without("password", "rest_token", "read_only_rest_token"),
            Fault.other_database("another"),
            Fault.delay(draw.uniform(0.2, LONGEST_DELAY_SECONDS), applied=applied),
            Fault.delay(draw.uniform(0.2, LONGEST_DELAY_SECONDS), applied=applied),
            Fault.slow_propagation(draw.uniform(0.2, LONGEST_DELAY_SECONDS)),
        ]
    )


def _fault_of_a_read(draw: random.Random) -> Fault:
    return draw.choice(
        [
            Fault.closed(),
            Fault.status(draw.choice([500, 502, 503])),
            Fault.status(429, retry_after=draw.choice([0, 1])),
            Fault.cut_off(),
            Fault.garbage(),
            Fault.body(None),
            Fault.without("database_id"),
            Fault.without("password"),
            Fault.other_database("another"),
            Fault.delay(draw.uniform(0.2, LONGEST_DELAY_SECONDS)),
        ]
    )


def _blow(draw: random.Random) -> Blow:
    endings: tuple[Ending, ...] = (
        *("engine", "engine", "engine", "provider", "provider", "both"),
        *("interrupt", "interrupt twice"),
    )
    ending = draw.choice(endings)
    moment: Moment = draw.choice(["any time", "a call arrives", "a reset is applied"])
    latest = 2.5 if moment == "any time" else draw.choice([0.0, 0.05, 0.5])
    return Blow(ending, moment, draw.uniform(0, latest))
