"""What happens in a sequence, drawn from a seed: the same seed, the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from upstash_emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from upstash_emulator.faults import Operation

    from ..support.runs import Ending

Command = Literal["up", "preview", "refresh", "destroy"]
Account = Literal["documented", "with credentials", "protected"]
FrontEnds = Literal["dynamic", "native", "moved"]
"""Which one the program uses. `moved` is the dynamic one, and from the second step the native."""
Moment = Literal["any time", "a call arrives", "a reset is applied"]

LONGEST_DELAY_SECONDS = 1.5
"""How late a call is answered, or reaches the data plane, at most."""

READABLE = {"none", "delay", "slow propagation", "interim", "drip", "stale read", "hostile"}
"""Faults of a reset whose response still tells that the reset was applied."""

SHADOWED = (
    *("redis", "hiredis", "xxhash", "cryptography", "certifi", "charset_normalizer", "idna"),
    *("ssl", "socks", "brotli", "zstandard", "simplejson", "croniter", "pydantic", "requests"),
)
"""Libraries that a file of the user's project may hide from the provider."""

SHADOWS = (
    "raise RuntimeError('a file of the project')",
    "raise SystemExit('a file of the project')",
    "raise MemoryError",
    "",
)
"""What such a file does when a library's place is taken."""


@dataclass(frozen=True)
class Trouble:
    """A fault of the API, or of the data plane.

    Attributes:
        operation: Whose calls it hits; `data plane` where Redis and REST cannot be reached.
        times: How many calls; None for all of this command.
        everywhere: It hits calls about every database, not only the first one's.
    """

    operation: Operation | Literal["data plane"]
    fault: Fault = field(default_factory=Fault)
    times: int | None = 1
    everywhere: bool = False


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
class Machine:
    """What a command's machine and project lack.

    Attributes:
        shadows: Names of libraries that a file in the project hides.
        shadow: The text of that file.
        descriptors: How many files a process may open; None for the usual number.
        hard: The engine and the provider cannot raise that number.
        threads: How many threads the provider can start; None for as many as it likes.
    """

    shadows: tuple[str, ...] = ()
    shadow: str = ""
    descriptors: int | None = None
    hard: bool = False
    threads: int | None = None

    @property
    def may_kill(self) -> bool:
        """Say whether the engine or the SDK may end for lack of something."""
        return self.hard or self.threads is not None

    @property
    def lacks(self) -> str:
        """Name what is missing, if anything."""
        if self.shadows:
            return "a library hidden by a file of the project"
        if self.descriptors is not None:
            return f"few descriptors, {'hard' if self.hard else 'soft'} limit"
        return "few threads" if self.threads is not None else ""


@dataclass(frozen=True)
class Step:
    """One pulumi command and what comes before and during it.

    Attributes:
        command: The command.
        release: Value of the program's trigger; None for a program without.
        upgraded: The program comes with another pickle of the provider.
        aged: The state loses what older versions of the package did not know.
        renamed: The program's resource has a new name from now on, without an alias.
        deleted: The database is deleted before the command, and the program names a new one.
        suspended: The neighbour is suspended during the command.
        scope: `replace` and `target` limit an `up` to the resource, with --replace and --target.
        stranger: The command runs with the API key of another account.
        console_before: A user resets the password in the console before the command.
        console_during: How many seconds after its start a user does; None for never.
        lag: How reads lag behind resets, this command's and the console's.
        machine: What the machine lacks.
        troubles: What goes wrong with the API meanwhile.
        blow: What ends it early.
    """

    command: Command
    release: int | None
    upgraded: bool = False
    aged: bool = False
    renamed: bool = False
    deleted: bool = False
    suspended: bool = False
    scope: Literal["", "replace", "target"] = ""
    stranger: bool = False
    console_before: bool = False
    console_during: float | None = None
    lag: Fault | None = None
    machine: Machine = field(default_factory=Machine)
    troubles: Sequence[Trouble] = ()
    blow: Blow | None = None


@dataclass(frozen=True)
class Plan:
    """A sequence.

    Attributes:
        front_end: Which one the program uses.
        account: Whether resets, reads, or both tell credentials.
        rotate_on_create: An option of the program.
        rotate_on_delete: Another.
        verify: Another.
        neighbour: The program also rotates a second database, and both have a consumer.
        stranger_has_database: The other account is not empty.
        reverted: At the end the program is what it was at the last run that succeeded.
        steps: What happens.
    """

    seed: int
    front_end: FrontEnds
    account: Account
    rotate_on_create: bool
    rotate_on_delete: bool
    verify: bool
    neighbour: bool
    stranger_has_database: bool
    reverted: bool
    steps: Sequence[Step]


def make_plan(seed: int) -> Plan:
    """Draw a sequence of two to five steps; the first creates."""
    draw = random.Random(seed)
    neighbour = draw.random() < 0.15
    release: int | None
    release, latest, upgraded = 1, 1, False
    steps: list[Step] = []
    for number in range(draw.randint(2, 5)):
        commands: tuple[Command, ...] = ("up",) * 12 + ("refresh",) * 4 + ("preview", "destroy")
        command = draw.choice(commands) if number else "up"
        if command == "up" and number and draw.random() < 0.7:
            new, old = latest + 1, latest - 1
            release = draw.choice([None, old, old, new, new, new])
            latest = max(latest, release or 0)
        upgraded ^= draw.random() < 0.15
        steps.append(_step(draw, command, release, upgraded=upgraded, first=not number))
        if neighbour:  # what moves one resource only would leave the consumers behind
            calm = replace(steps[-1], renamed=False, deleted=False, scope="")
            steps[-1] = replace(calm, suspended=command == "up" and draw.random() < 0.4)
    account: Account = draw.choice(["documented", "documented", "with credentials", "protected"])
    options = {
        "rotate_on_create": draw.random() < 0.8,
        "rotate_on_delete": draw.random() < 0.4,
        "verify": draw.random() < 0.7,
        "neighbour": neighbour,
        "stranger_has_database": draw.random() < 0.5,
        "reverted": draw.random() < 0.4,
    }
    front_end: FrontEnds = draw.choice(["dynamic", "dynamic", "native", "native", "moved"])
    return Plan(seed, front_end, account, **options, steps=tuple(steps))


def _step(
    draw: random.Random, command: Command, release: int | None, *, upgraded: bool, first: bool
) -> Step:
    def happens(probability: float) -> bool:
        return not first and draw.random() < probability

    scope: Literal["", "replace", "target"] = ""
    if command == "up" and happens(0.25):
        scope = draw.choice(["replace", "target"])
    stranger = happens(0.25 if command == "refresh" else 0.04)
    return Step(
        command,
        release,
        upgraded,
        aged=happens(0.07),
        renamed=command == "up" and happens(0.15),
        deleted=not stranger and happens(0.04),
        scope=scope,
        stranger=stranger,
        console_before=happens(0.1),
        console_during=draw.uniform(0.5, 2.0) if draw.random() < 0.07 else None,
        lag=_lag(draw) if draw.random() < 0.15 else None,
        machine=_machine(draw) if draw.random() < 0.15 else Machine(),
        troubles=_troubles(draw),
        blow=_blow(draw) if draw.random() < 0.35 else None,
    )


def _lag(draw: random.Random) -> Fault:
    lags = draw.choice([{"reads": draw.randint(1, 4)}, {"seconds": draw.uniform(0.2, 3.0)}])
    return _named("stale read", Fault.stale_read(**lags))


def _machine(draw: random.Random) -> Machine:
    kind = draw.choice(["shadows", "descriptors", "threads"])
    if kind == "shadows":
        return Machine(shadows=(draw.choice(SHADOWED),), shadow=draw.choice(SHADOWS))
    if kind == "descriptors":
        return Machine(descriptors=draw.randint(24, 80), hard=draw.random() < 0.5)
    return Machine(threads=draw.randint(4, 24))


def _troubles(draw: random.Random) -> tuple[Trouble, ...]:
    troubles = []
    if draw.random() < 0.1:
        storm = Fault.status(429, retry_after=draw.choice([None, 0, 1, 1, "soon", "9" * 5000]))
        troubles.append(Trouble("any", _named("429", storm), draw.randint(3, 9), everywhere=True))
    if draw.random() < 0.1:
        page = _page(draw)
        troubles.append(Trouble("any", page, draw.choice([1, 2, None, None]), everywhere=True))
    if draw.random() < 0.6:
        times = draw.choice([1, 1, 1, 2, 3, None])
        troubles.append(Trouble("reset", _fault_of_a_reset(draw), times))
    if draw.random() < 0.25:
        troubles.append(Trouble("get", _fault_of_a_read(draw), draw.choice([1, 1, 2])))
    if draw.random() < 0.08:
        # Reads that are refused, unlike those that fail, are not tried again.
        troubles.append(Trouble("get", Fault.status(draw.choice([401, 403, 404])), None))
    if draw.random() < 0.15:
        # The database has odd attributes: every response shows them.
        troubles.append(Trouble("any", _hostile(draw), None))
    if draw.random() < 0.05:
        troubles.append(Trouble("list", _fault_of_a_read(draw), None, everywhere=True))
    if draw.random() < 0.1:
        troubles.append(Trouble("data plane"))
    return tuple(troubles)


def _fault_of_a_reset(draw: random.Random) -> Fault:
    """Draw a kind of fault, then one of the kind: many variants do not make a kind more likely."""
    applied = draw.random() < 0.6
    kinds: list[Callable[[], Fault]] = [
        lambda: Fault.closed(applied=applied),
        lambda: Fault.closed(applied=applied).also(_interim(draw)),
        lambda: Fault.status(draw.choice([500, 502, 503, 504, 599]), applied=applied),
        lambda: _named("odd status", _odd_status(draw, applied=applied)),
        lambda: _named("odd status", _odd_status(draw, applied=True)),
        lambda: Fault.status(503, applied=applied, body="<html>sorry", content_type="text/html"),
        lambda: Fault.status(429, retry_after=draw.choice([0, 1])),
        lambda: Fault.status(draw.choice([400, 401, 403, 404])),
        Fault.cut_off,
        lambda: Fault.garbage(draw.choice([b"", b"\x00\xff not JSON", b"[]"])),
        lambda: Fault.body(draw.choice([None, {}, [], "text", 0, "OK"])),
        lambda: Fault.without("endpoint", "port"),
        lambda: Fault.without("password", "rest_token", "read_only_rest_token"),
        lambda: _odd_shape(draw),
        lambda: _odd_shape(draw),
        lambda: _named("masked", Fault.merge(MASKED)),
        lambda: _hostile(draw),
        lambda: Fault.other_database("another"),
        lambda: Fault.delay(draw.uniform(0.2, LONGEST_DELAY_SECONDS), applied=applied),
        lambda: _drip(draw),
        lambda: _interim(draw),
        lambda: _named(
            "slow propagation", Fault.slow_propagation(draw.uniform(0.2, LONGEST_DELAY_SECONDS))
        ),
    ]
    return draw.choice(kinds)()


def _fault_of_a_read(draw: random.Random) -> Fault:
    kinds: list[Callable[[], Fault]] = [
        Fault.closed,
        lambda: Fault.status(draw.choice([500, 502, 503])),
        lambda: _named("odd status", _odd_status(draw, applied=True)),
        lambda: Fault.status(429, retry_after=draw.choice([0, 1])),
        lambda: _page(draw),
        Fault.cut_off,
        Fault.garbage,
        lambda: Fault.body(None),
        lambda: _odd_shape(draw),
        lambda: Fault.without("password"),
        lambda: _named("masked", Fault.merge(MASKED)),
        lambda: _drip(draw),
        lambda: _interim(draw),
        lambda: Fault.other_database("another"),
        lambda: Fault.delay(draw.uniform(0.2, LONGEST_DELAY_SECONDS)),
    ]
    return draw.choice(kinds)()


MASKED = dict.fromkeys(("password", "rest_token", "read_only_rest_token"), "********")

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""What the engine takes for an unknown value, and for a secret, an asset or a resource."""


def _nested(levels: int) -> object:
    value: object = "deep"
    for _ in range(levels):
        value = [value]
    return value


def _hostile(draw: random.Random) -> Fault:
    """Return a response with an attribute that Pulumi takes for something else, or cannot store."""
    secret = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": "x"}
    kinds: list[Callable[[], Fault]] = [
        lambda: Fault.merge({"database_name": UNKNOWN}),
        lambda: Fault.merge({"anything": [UNKNOWN]}),
        lambda: Fault.merge({"anything": secret}),
        lambda: Fault.merge({"securityAddons": {SIGNATURE: "no such signature"}}),
        lambda: Fault.merge({"anything": _nested(400)}),
        lambda: Fault.merge({"database_name": "\ud800"}),
        lambda: Fault.merge({"": "", "__provider": "x", "id": "x", "urn": "x"}),
        lambda: Fault.merge({"database_name": "x" * 5_000_000}),
        lambda: Fault.rewrite('"replicas": 5', '"replicas": ' + "9" * 5000),
        lambda: Fault.rewrite('"budget": 360', '"budget": 1e999, "anything": NaN'),
    ]
    return _named("hostile", draw.choice(kinds)())


def _odd_shape(draw: random.Random) -> Fault:
    """Return a response with a database in an unexpected form."""
    kinds: list[Callable[[], Fault]] = [
        lambda: Fault.without("database_id"),
        lambda: Fault.rename({"database_id": "id", "password": "pass"}),
        lambda: Fault.merge({"database_id": 7}),
        lambda: Fault.rewrite(r"[0-9a-f]{8}-", "ABCDEF01-"),
        lambda: Fault.wrap("data"),
        lambda: Fault.rewrite("database-1", "caf\u00e9", encoding="latin-1"),
        lambda: Fault.rewrite(r"\Z", "\n<!-- served by a proxy -->"),
        lambda: Fault.rewrite(r"\A", "\ufeff"),
        lambda: Fault.headers({"Content-Encoding": draw.choice(["gzip", "deflate", "br"])}),
    ]
    return _named("odd shape", draw.choice(kinds)())


def _odd_status(draw: random.Random, *, applied: bool) -> Fault:
    status = draw.choice([204, 206, 301, 303, 304, 307, 402, 408, 409, 418, 425, 451, 499, 999])
    headers = {"Location": draw.choice(["/login", "/v2/redis/databases"])} if status < 309 else {}
    return Fault.status(status, applied=applied, headers=headers)


def _page(draw: random.Random) -> Fault:
    page = {"body": "<html><h1>Not found</h1></html>", "content_type": "text/html"}
    return _named("proxy's page", Fault.status(draw.choice([200, 404, 404]), **page))


def _interim(draw: random.Random) -> Fault:
    statuses = draw.choice([(103,), (102,), (100,) * 5, (103, 102, 199)])
    return Fault.interim(*statuses, headers={"Link": "</style.css>; rel=preload"})


def _drip(draw: random.Random) -> Fault:
    part = draw.choice(["interim", "headers", "body", "trailers"])
    return Fault.drip(part, draw.uniform(0.2, LONGEST_DELAY_SECONDS))


def _named(kind: str, fault: Fault) -> Fault:
    return replace(fault, kind=kind)


def _blow(draw: random.Random) -> Blow:
    endings: tuple[Ending, ...] = (
        *("engine", "engine", "engine", "provider", "provider", "both"),
        *("interrupt", "interrupt twice"),
    )
    ending = draw.choice(endings)
    moment: Moment = draw.choice(["any time", "a call arrives", "a reset is applied"])
    latest = 2.5 if moment == "any time" else draw.choice([0.0, 0.05, 0.5])
    return Blow(ending, moment, draw.uniform(0, latest))
