"""Carries a plan out, lets the stack recover as the README says, and judges every promise."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.rotation.reconciliation import fingerprint
from pulumi_upstash_rotation.values import VERIFY_IS_FALSE

from ..support.clock import START
from .engine import Command, Judge, Made, Stack, Stored, Truth, moment
from .plan import Step
from .upstash import CANARY, CREDENTIALS, DATABASES, Clients, World, index_of, password_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Arguments, Program
    from .plan import Change, Event, Plan
    from .upstash import Call

DAY: Final = 86400.0
ROUNDING_SECONDS: Final = 0.001
MAX_RESETS_IN_ONE_CALL: Final = 3
ATTEMPT_SECONDS: Final = 60.0
CALL_SECONDS: Final = 90.0 + ATTEMPT_SECONDS + 600.0
"""Retries begin within 90 seconds. Waits for a rate limit have 10 minutes of their own."""
CALM: Final = Step()


class BrokenPromiseError(AssertionError):
    """A sequence ended as none may.

    Attributes:
        promise: The promise, in a few words.
        lost: The state does not hold the live password.
    """

    def __init__(self, promise: str, details: str = "", *, lost: bool = False) -> None:
        super().__init__(f"{promise}: {details}" if details else promise)
        self.promise = promise
        self.lost = lost


@dataclass
class Record:
    """What a sequence came to.

    Attributes:
        commands: Commands, those for recovery included.
        operations: Calls of the provider that may change something.
        resets: Resets that this stack made.
        unknowable: Resets whose new password could not be known when it was made.
        outside: Resets by users and by other stacks.
        hits: Faults and kills that hit something.
        story: What happened, a line each. Empty unless it was asked for.
    """

    commands: int = 0
    operations: int = 0
    resets: int = 0
    unknowable: int = 0
    outside: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)


_CLIENTS: Final = Clients()


def run_plan(plan: Plan, *, tell: bool = False) -> Record:
    """Carry a plan out and judge it.

    Args:
        plan: What happens.
        tell: Keep the story, also in the error.

    Raises:
        BrokenPromiseError: A promise is broken.
    """
    sequence = Sequence(plan, tell=tell)
    try:
        for step in plan.steps:
            sequence.carry_out(step)
        sequence.recover()
        sequence.judge()
    except BrokenPromiseError as error:
        if tell:
            error.add_note("\n".join(sequence.record.story))
        raise
    return sequence.record


class Sequence(Judge):
    """A stack on its way through a plan, and what it promises."""

    def __init__(self, plan: Plan, *, tell: bool = False) -> None:
        random.seed(20261123)  # the waits between retries are partly random
        self.plan = plan
        self.record = Record()
        self.tell = tell
        self.world = World(plan.reset_shows, plan.reads)
        self.stack, self.other = Stack(), Stack()
        self.release = 1
        self.latest = 1
        self.name = "cache-1"
        self.names = 1
        self.options: dict[str, Any] = dict(plan.arguments)
        self.database = 0
        self.removed = False
        self.others_release = 0
        self.succeeded: Program | None = None
        self.killed = False
        self.outside: set[int] = set()
        self.deleted: set[int] = set()
        self.makers: dict[tuple[int, int], str] = {}
        """The resource that made each password of this stack, whether or not that was saved."""
        self.last_lines = 0

    def copy(self) -> Sequence:
        """Return a sequence that goes on from here on its own."""
        twin = object.__new__(Sequence)
        twin.__dict__.update(self.__dict__)
        twin.world = replace(
            self.world,
            origins=[list(each) for each in self.world.origins],
            exists=list(self.world.exists),
            calls=[],
            hits=[],
            lines=[],
            verified=[],
            mistakes=[],
        )
        twin.last_lines = 0
        twin.record = Record()
        twin.stack, twin.other = self.stack.copy(), self.other.copy()
        twin.options = dict(self.options)
        twin.outside, twin.deleted = set(self.outside), set(self.deleted)
        twin.makers = dict(self.makers)
        return twin

    def key(self) -> str:
        """Return a text that two sequences share if they can go on in the same ways.

        Passwords are named by how long ago they were live, and releases and names by their age.
        Times, counts and texts for users are left out.
        """
        live = [self.world.live(number) for number in range(len(DATABASES))]
        resources = [
            (name, each.inputs, _essence(each, live), each.failed)
            for name, each in self.stack.resources.items()
        ]
        replaced = [
            (name, each.inputs, _essence(each, live), each.failed)
            for name, each in self.stack.replaced
        ]
        others = [_essence(each, live) for each in self.other.resources.values()]
        origins = [each[-1] for each in self.world.origins]
        makers = [self.makers.get((number, live[number])) for number in (0, 1)]
        text = repr(
            (
                *(resources, replaced, others, origins, makers, self.world.exists, self.program()),
                *(self.removed, self.succeeded, self.killed, self.outside, self.deleted),
                *(f"'release': {float(self.release)}", f"'{self.name}'", self.options),
            )
        )
        text = _PASSWORD.sub(
            lambda found: f"{found[1]}{found[2]}<{live[int(found[2])] - int(found[3])}>", text
        )
        text = _RELEASE.sub(lambda found: f"release<{self.latest - int(found[1])}>", text)
        text = _NAME.sub(lambda found: f"cache<{self.names - int(found[1])}>", text)
        fingerprints = {
            fingerprint(DATABASES[number], password_of(number, index)): f"{live[number] - index}"
            for number in (0, 1)
            for index in range(live[number] + 1)
        }
        return _FINGERPRINT.sub(lambda found: fingerprints.get(found[0], "?"), text)

    def say(self, line: str) -> None:
        if self.tell:
            self.record.story.append(line)

    def expect(self, promise: bool, words: str, details: str = "", *, lost: bool = False) -> None:
        if not promise:
            raise BrokenPromiseError(words, details, lost=lost)

    # --- the program ---

    def program(self) -> Program:
        """Return what the program declares now."""
        found: Program = {}
        if not self.removed and self.database not in self.deleted:
            found[self.name] = self._arguments(self.database)
        if self.plan.two and self.database == 0 and 1 not in self.deleted:
            found["second"] = self._arguments(1)
        return found

    def _arguments(self, database: int) -> Arguments:
        triggers = {"release": float(self.release)} if self.release else {}
        return {"database_id": DATABASES[database], "triggers": triggers, **self.options}

    def change(self, change: Change) -> None:
        """Change the program."""
        self.removed = change == "remove the resource"
        match change:
            case "new release":
                self.latest += 1
                self.release = self.latest
            case "old release":
                self.release = max(1, self.release - 1)
            case "no trigger":
                self.release = 0
            case "rename" | "rename, and adopt":
                self.names += 1
                self.name = f"cache-{self.names}"
                if change == "rename, and adopt":
                    self.options["rotate_on_create"] = False
            case "move to the other database":
                if not self.plan.two:
                    self.database = 1 - self.database
            case "rotate_on_delete on" | "rotate_on_delete off":
                self.options["rotate_on_delete"] = change.endswith("on")
            case "verify on" | "verify off":
                self.options["verify"] = change.endswith("on")
            case "rotation_days 30":
                self.options["rotation_days"] = 30.0
            case "schedule, first of the month":
                self.options["rotation_schedule"] = "0 3 1 * *"

    def happen(self, event: Event) -> None:
        """Let something happen elsewhere."""
        world = self.world
        match event:
            case "a user resets in the console":
                world.reset(self.database, "console")
                self.outside.add(self.database)
            case "an hour passes":
                world.seconds += 3600
            case "forty days pass":
                world.seconds += 40 * DAY
            case "the other stack rotates" | "the other stack is destroyed":
                self._other_stack(destroyed=event.endswith("destroyed"))
            case "the database is deleted":
                world.exists[self.database] = False
                self.deleted.add(self.database)
        self.record.outside += event.startswith(("a user", "the other"))

    def _other_stack(self, *, destroyed: bool) -> None:
        world, before = self.world, [len(each) for each in self.world.origins]
        if not world.exists[self.database]:
            return
        self.others_release += 1
        world.actor = "other stack"
        world.begin(CALM)
        _CLIENTS.start(world)
        command = Command(_CLIENTS, self.other, CALM, Judge())
        if destroyed:
            command.destroy()
        else:
            arguments: Arguments = {
                "database_id": DATABASES[self.database],
                "triggers": {"release": float(self.others_release)},
                "rotate_on_delete": True,
            }
            command.up({"theirs": arguments})
        world.actor = "ours"
        self.outside |= {
            number for number, count in enumerate(before) if len(world.origins[number]) > count
        }

    # --- steps ---

    def carry_out(self, step: Step) -> None:
        """Carry one step out."""
        self.say(f"- {step}")
        for change in step.changes:
            self.change(change)
        for event in step.events:
            self.happen(event)
        self.run(step)

    def run(self, step: Step) -> Command:
        """Run one command."""
        world, program = self.world, self.program()
        world.begin(step)
        _CLIENTS.start(world)
        first_line, first_hit, calls = len(world.lines), len(world.hits), len(world.calls)
        began = world.seconds
        command = Command(_CLIENTS, self.stack, step, self)
        names = frozenset(program)
        match step.command:
            case "up":
                command.up(program)
            case "preview":
                command.up(program, preview=True)
            case "up --refresh":
                command.up(program, refresh=True)
            case "up --replace":
                command.up(program, replacing=names)
            case "up --replace, delete first":
                command.up(program, replacing=names, delete_first=True)
            case "up --target":
                command.up(program, targets=names & {self.name} or frozenset({"none"}))
            case "refresh":
                command.refresh()
            case "destroy":
                command.destroy()
            case "get":
                command.get(self.database)
        self.record.commands += 1
        self.record.operations += command.updates
        self.record.hits.update(world.hits[first_hit:])
        for severity, line in world.lines[first_line:]:
            self.expect(CANARY not in line, "a message shows a secret", line)
            self.say(f"    {severity}: {line}")
        self._after(step, command, program, calls)
        if step.command.startswith("up") and not (command.failed or command.killed):
            self._judge_success(step, program, began)
        return command

    def _judge_success(self, step: Step, program: Program, began: float) -> None:
        """Judge that a successful `up` has left nothing undone."""
        for name, arguments in program.items():
            if step.command == "up --target" and name != self.name:
                continue
            stored = self.stack.resources[name]
            self.expect(stored.truth.rotated, "a first rotation is skipped", name)
            self.expect(
                not _due(stored.truth, arguments, began), "a rotation that is due is skipped", name
            )
            self.expect(
                stored.outputs["rotate_on_delete"] is arguments.get("rotate_on_delete", False),
                "the state does not hold rotate_on_delete",
            )

    def _after(self, step: Step, command: Command, program: Program, calls: int) -> None:
        databases = [each.database for each in self.stack.resources.values()]
        # Each of two resources for one database makes the other's password useless.
        self.outside |= {each for each in databases if databases.count(each) > 1}
        if command.killed:
            self.killed = True
            return
        misread = any(
            (call.shown is not None and call.shown != call.live) or call.shown is None
            for call in self.world.calls[calls:]
            if call.operation == "get"
        )
        if step.command in ("refresh", "up --refresh") and not command.failed and not misread:
            self.killed = False
            self.outside.clear()
        if step.command.startswith("up") and not command.failed and "target" not in step.command:
            self.succeeded = program

    # --- promises of one call ---

    def called(self, command: Command, made: Made) -> None:
        world, applied = self.world, _applied(made)
        assert not world.mistakes, world.mistakes
        took = max(world.longest_attempt - ATTEMPT_SECONDS, world.longest_request - CALL_SECONDS)
        self.expect(took < ROUNDING_SECONDS, "a request does not end within its time", f"{took} s")
        self.record.resets += len(applied)
        if self.tell:
            self._tell(made)
        for text in (made.error or "", *made.warnings):
            self.expect(CANARY not in text, "a message shows a secret", text)
        for call in made.calls:
            self.expect(
                call.operation == "list" or call.database == made.database,
                "a call names another database",
            )
        for outputs in (made.outputs, made.partial):
            for name in CREDENTIALS if outputs else ():
                value = str((outputs or {}).get(name, ""))
                self.expect("***" not in value, "a masked value is stored", made.method)
            numbers = {
                str((outputs or {}).get(name, "-")).split("-")[-1 - (name == "password")]
                for name in CREDENTIALS
            }
            self.expect(len(numbers - {""}) <= 1, "tokens and password are not of one reset")
        if made.method == "delete":
            self._judge_deletion(command, made, applied)
        self.makers.update({(made.database, each): made.name for each in applied})
        if made.method == "delete":
            return
        self._count_resets(made, applied)
        found = made.partial if made.outputs is None else made.outputs
        if not made.saved:
            return
        if found is not None and made.name != "get":
            self._judge_count(made, found, applied)
        if made.method == "read":
            self._judge_read(made)
            return
        if not applied:
            self._judge_without_reset(made)
            return
        live = world.live(made.database)
        self.expect(
            found is not None,
            "a reset is forgotten",
            f"{made.method} failed: {made.error}",
            lost=True,
        )
        assert found is not None
        password = index_of(str(found.get("password")))
        shown = next(call for call in made.calls if call.applied == applied[-1]).shown
        pending = "pending_rotation" in found
        if shown is not None and made.error is None:
            self.expect(password == shown, "the only copy is thrown away", lost=True)
        if shown is not None and made.error is not None:
            raise BrokenPromiseError("the only copy is thrown away", str(made.error), lost=True)
        if password is not None and password != live and not pending and not self._misled(made):
            what = (
                "a password that the database rejects is recorded as new"
                if any(made.verified)
                else "an earlier password is recorded as new"
            )
            raise BrokenPromiseError(what, f"{password}, but {live} is live", lost=True)
        if password is not None and password != live and not pending:
            self.outside.add(made.database)  # nobody could know; a refresh finds it
        if made.error is None and not pending:
            self._judge_record(made, found)
            last = made.calls[-1]
            self.expect(
                password is not None or (last.operation == "get" and last.success),
                "nobody reads the new password",
            )

    def _judge_count(self, made: Made, found: Mapping[str, Any], applied: list[int]) -> None:
        """Judge which rotations count. Only a reset does, or a password that nobody knew before."""
        before = made.before.outputs if made.before else {}
        first, later = _unknown_before(made)
        certain = made.before is not None and made.before.truth.certain
        most = int("pending_rotation" in before and (first or certain))
        password = index_of(str(found.get("password")))
        own = made.before is not None and password in made.before.truth.own
        resolved = "pending_rotation" in before and "pending_rotation" not in found
        least = int(resolved and own and password not in _seen_before(made) and not applied)
        if made.method != "read" and "pending_rotation" not in found:
            least += int(bool(applied))
            most += int(bool(applied) or later)
        counted = int(found.get("rotation_count", 0)) - int(before.get("rotation_count", 0))
        self.expect(least <= counted, "a reset is not counted")
        self.expect(counted <= most, "a rotation is counted without a reset")

    def _judge_record(self, made: Made, outputs: Mapping[str, Any]) -> None:
        """Judge what the record says about a rotation that succeeded."""
        last = [call.at for call in made.calls if call.applied is not None][-1]
        text = str(outputs.get("rotated_at"))
        rotated = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        earliest, latest = moment(int(last)), moment(made.ended_at)
        self.expect(
            earliest <= rotated <= latest, "rotated_at is not the moment of the response", text
        )

    def _judge_without_reset(self, made: Made) -> None:
        before, outputs = made.before, made.outputs
        if outputs is None:
            return
        if made.method == "create":
            adopts = made.arguments.get("rotate_on_create") is False
            password = index_of(str(outputs.get("password")))
            self.expect(
                "rotated_at" not in outputs or not adopts, "an adopted password claims to be new"
            )
            self.expect(adopts or "rotated_at" in outputs, "a first rotation is skipped")
            if password is not None and password != self.world.live(made.database):
                self.expect(
                    not any(made.verified), "a password that the database rejects is adopted"
                )
                self.outside.add(made.database)  # nobody could know; a refresh finds it
            return
        assert before is not None
        password = index_of(str(outputs.get("password")))
        dead = password is not None and password != self.world.live(made.database)
        if "pending_rotation" in before.outputs:
            if dead and "pending_rotation" not in outputs:
                self.expect(
                    self._misled(made),
                    "a pending rotation is dropped, and its password is lost",
                    lost=True,
                )
                self.outside.add(made.database)  # nobody could know; a refresh finds it
        elif outputs.get("rotation_count") == before.outputs.get("rotation_count"):
            due = _due(before.truth, made.arguments, made.began_at)
            self.expect(not due, "a declared rotation is skipped")
        elif dead:
            self.expect(self._misled(made), "an earlier password is recorded as new", lost=True)
            self.outside.add(made.database)  # nobody could know; a refresh finds it

    def _judge_read(self, made: Made) -> None:
        assert made.before is not None
        if made.error is not None or made.name == "get":
            return
        if made.outputs is None:
            self.expect(
                not self.world.exists[made.database] or self._seems_deleted(made),
                "a refresh forgets a database that exists",
            )
            return
        live = self.world.live(made.database)
        before = index_of(str(made.before.outputs.get("password")))
        after = index_of(str(made.outputs.get("password")))
        if before == live and after != live:
            if not self._misled(made):
                raise BrokenPromiseError(
                    "a refresh replaces the live password by a dead one", lost=True
                )
            self.outside.add(made.database)
        if after is not None and after not in (live, before):
            self.expect(self._misled(made), "a refresh takes an earlier password for a new one")
            self.outside.add(made.database)

    def _judge_deletion(self, command: Command, made: Made, applied: list[int]) -> None:
        before, world = made.before, self.world
        assert before is not None
        number = made.database
        stored = index_of(str(before.outputs.get("password")))
        live_before = made.live_before
        mine = live_before == stored or (
            ("pending_rotation" in before.outputs and live_before in before.truth.own)
            or live_before == before.truth.unsure
        )
        ours = mine or (not command.declared and live_before in command.revoked)
        command.revoked.update(applied)
        asked = before.outputs.get("rotate_on_delete") is True
        # What a read shows is all that a deletion knows. Without a read it can only log in.
        told = next((call.shown for call in made.calls if call.shown is not None), None)
        pending = "pending_rotation" in before.outputs
        misled = told is not None and told != live_before and not self._could_log_in(made)
        declared = any(
            each["database_id"] == DATABASES[number] for each in command.declared.values()
        )
        self.expect(asked or not applied, "a deletion resets, and nobody asked for it")
        if applied and (made.error is not None or not made.saved):
            self.outside.add(number)  # the engine cannot keep what a failed deletion has changed
        if applied:
            self.expect(len(applied) == 1 or not made.calls[-1].success, "a deletion resets twice")
            # Nobody can tell a password of the pending rotation from a user's or a sibling's.
            may = pending and (told != live_before or told not in _seen_before(made))
            if told == stored and not self._could_log_in(made):
                may = True  # the read was late
            self.expect(ours or may, "a deletion revokes a password of somebody else")
            self.expect(
                not (command.full and declared), "a deletion revokes a password that is declared"
            )
            return
        if not asked or made.error is not None or not made.saved:
            return
        if made.name not in command.declared:
            heirs = [
                name
                for name, arguments in command.declared.items()
                if arguments["database_id"] == DATABASES[number]
            ]
            self.expect(
                not (command.full and mine and world.exists[number])
                or all(name in self.stack.resources for name in heirs),
                "a deletion gives up although its successor has failed",
            )
        can_ask = stored is not None and world.step.data_plane == "reachable"
        if made.warnings and (declared or not can_ask):
            return
        if not world.exists[number] or not mine or misled or self._seems_deleted(made):
            return
        if _certain(made):
            return
        successors = [
            each
            for name, each in self.stack.resources.items()
            if each is not before
            and each.database == number
            and name in command.declared
            and index_of(str(each.outputs.get("password"))) == live_before
        ]
        self.expect(bool(successors), "rotate_on_delete is silently dropped")

    # --- how many resets a call may make ---

    def _count_resets(self, made: Made, applied: list[int]) -> None:
        if not applied:
            return
        if made.method == "read":
            raise BrokenPromiseError("a refresh resets")
        credit = self._reasons(made)
        open_credit = 0
        tried_to_read, unclear, confirmed = True, False, False
        known = False  # the product knows which password the reset replaces
        recovers = self._only_recovers(made)
        for call in made.calls:
            # After a reset whose outcome is unclear, a read proves nothing about the one before it.
            rejected = not call.sent or call.fault == "status 429"
            unclear = unclear or (call.operation == "reset" and not rejected)
            confirmed = confirmed or (call.operation == "reset" and call.success)
            tried_to_read = tried_to_read or call.operation == "get"
            if call.operation == "get" and not unclear:
                known = self._tells_what_is_replaced(made, call)
            elif (
                call.operation == "get"
                and call.shown == call.live
                and (known or confirmed or recovers)
            ):
                credit -= open_credit
                open_credit = 0
            if call.applied is None:
                continue
            self.expect(
                credit > 0, "a reset that nothing declared", f"{made.method} of {made.name}"
            )
            self.expect(tried_to_read, "a reset is repeated without a read in between")
            credit -= 1
            open_credit, tried_to_read = 0, False
            if not call.success or (call.shown is None and call.fault):
                credit += 1
                open_credit = 1
                self.record.unknowable += 1
        self.expect(len(applied) <= MAX_RESETS_IN_ONE_CALL, "more than three resets in one call")

    def _only_recovers(self, made: Made) -> bool:
        """Return whether a reset only recovers an applied one. Then any live password will do."""
        outputs = made.before.outputs if made.before else {}
        done = outputs.get("pending_triggers", {})
        due = _due_by_trigger(done, made.arguments)
        return "pending_applied" in outputs and not due and self._could_log_in(made)

    def _tells_what_is_replaced(self, made: Made, call: Call) -> bool:
        """Return whether the product knows, after this read, which password a reset replaces.

        Where the read shows none, the stored one counts. A late one is no comparison.
        """
        outputs = made.before.outputs if made.before else {}
        stored = index_of(str(outputs.get("password")))
        number = stored if call.shown is None else call.shown
        if number is None or _shows_an_earlier_one(made, call):
            return False
        if "pending_rotation" not in outputs:
            return True
        if number == stored and "pending_applied" in outputs:
            return False  # the pending reset has replaced it, or a page has said so
        accepted = self._accepted(made) if made.arguments.get("verify", True) else None
        return accepted is None or number == accepted

    def _reasons(self, made: Made) -> int:
        """Return how many resets this call may make if every response can be read."""
        arguments, before = made.arguments, made.before
        if made.method == "create":
            return int(arguments.get("rotate_on_create", True))
        assert before is not None
        truth = before.truth
        if "pending_rotation" not in before.outputs:
            return int(_due(truth, arguments, made.began_at))
        late = made.live_before > self.world.at_first[made.database]
        if late and self.world.step.data_plane == "late":
            return 1  # a login rejects the live password
        stored = index_of(str(before.outputs.get("password")))
        resolved = truth.certain or (
            stored is not None and (truth.unsure is None or stored < truth.unsure)
        )
        if stored is not None and stored < max(truth.seen, default=0):
            resolved = False  # a late read has replaced a newer one
        if truth.late and not truth.certain:
            resolved = False  # an unknown password may be from a rotation before
        for call in made.calls:
            if call.operation == "reset":
                return 1  # no read told
            if call.shown == stored and before.outputs.get("pending_applied") and not truth.certain:
                return 1  # a page has confirmed a reset that never happened, so the read looks late
            if call.shown is not None and call.shown == call.live and resolved:
                break
        else:
            return 1
        if call.shown not in truth.own | _seen_before(made):
            # Nobody can tell a user's reset from the last one that was tried.
            return int(_due_by_trigger(truth.tried_triggers, arguments))
        if truth.unsure is not None:
            return int(_due_by_trigger(truth.failed_triggers, arguments))
        return int(not truth.rotated or _due(truth, arguments, made.began_at))

    def _misled(self, made: Made) -> bool:
        """Return whether a late read returned a password that nobody could know to be old."""
        if any(made.verified) or self._could_log_in(made):
            return False
        known = set(_seen_before(made))
        own = max(made.before.truth.own, default=0) if made.before else 0
        applied = asked = late = confirmed = False
        for call in made.calls:
            applied = applied or call.applied is not None
            asked = asked or call.operation == "reset"
            confirmed = confirmed or (call.operation == "reset" and call.success)
            late = late or (not asked and _shows_an_earlier_one(made, call))
            if call.operation == "get" and call.shown is not None:
                # Without a login nobody can order the passwords since the last own reset.
                since = not applied and call.shown >= own
                # After a read that was late for certain, an unknown password proves no reset.
                believable = not late or confirmed
                if call.shown != call.live and (since or call.shown not in known) and believable:
                    return True
                if not applied:
                    known.add(call.shown)
        return False

    def _seems_deleted(self, made: Made) -> bool:
        """Return whether the API denied a database twice, and no login could refute that.

        Only a login with the live password does. A rejection may come from a host that serves many
        databases.
        """
        step, gets = self.world.step, [call for call in made.calls if call.operation == "get"]
        denied = bool(
            step.condition in ("normal", "a suspended database")
            and gets
            and gets[-1].fault == "status 404"
            and made.calls[-1].operation == "list"
            and made.calls[-1].fault
        )
        stored = index_of(str(made.before.outputs.get("password"))) if made.before else None
        return denied and (stored is None or stored != self._accepted(made))

    def _accepted(self, made: Made) -> int | None:
        """Return the password that a login accepts before the first reset. None without logins."""
        match self.world.step.data_plane:
            case "unreachable":
                return None
            case "late":
                return self.world.at_first[made.database]
        return made.live_before

    def _could_log_in(self, made: Made) -> bool:
        """Return whether a login could decide about what a call has read."""
        foreign = self.world.step.foreign
        if foreign and foreign.step == "verify" and self.world.foreign is None:
            return False  # it came instead of the login
        if self.world.step.data_plane != "reachable":
            return False
        if made.method not in ("read", "delete") or made.before is None:
            return made.arguments.get("verify", True) is True
        before = made.before.outputs
        verifies = made.method == "delete" or before.get("verification") != VERIFY_IS_FALSE
        return "password" in before and verifies

    # --- what the judge knows ---

    def after(self, made: Made, stored: Stored) -> Stored:
        truth = made.before.truth if made.before else Truth()
        applied = _applied(made)
        if made.method == "create":
            truth = Truth(counts_from=made.ended_at)
        seen = set(truth.seen)
        if made.before:
            seen.update(_seen_before(made))
        reset = False
        for call in made.calls:
            reset = reset or call.applied is not None
            if call.operation == "get" and call.shown is not None and (not reset or not applied):
                seen.add(call.shown)
        password = index_of(str(stored.outputs.get("password")))
        if password is not None:
            seen.add(password)
        truth = replace(truth, seen=frozenset(seen), own=truth.own | frozenset(applied))
        before = index_of(str(made.before.outputs.get("password"))) if made.before else password
        if password != before and stored.outputs.get("rotation_cause") == "external":
            truth = replace(truth, counts_from=made.ended_at)  # the time of its detection
        triggers = made.arguments.get("triggers", {})
        if made.partial is not None:
            unsure = applied[-1] if applied else truth.unsure
            keep = not applied and truth.unsure is not None
            certain = any(call.success for call in made.calls if call.applied is not None)
            *_, read = takewhile(lambda each: each.operation == "get", made.calls)
            late = read.shown not in (None, read.live)
            return replace(
                stored,
                truth=replace(
                    truth,
                    failed=True,
                    unsure=unsure,
                    certain=certain or (keep and truth.certain),
                    late=late or not self._tells_what_is_replaced(made, read),
                    failed_triggers=truth.failed_triggers if keep else triggers,
                    tried_triggers=triggers,
                ),
            )
        # Nobody can tell a user's reset from the last one that was tried.
        resolved = truth.tried_triggers if password not in truth.own else truth.failed_triggers
        counted = made.before is not None and made.before.outputs.get(
            "rotation_count"
        ) != stored.outputs.get("rotation_count")
        if made.method == "create" or applied or (counted and made.method == "update"):
            last = [call.at for call in made.calls if call.applied is not None]
            # A reset that was not applied counts if a page or a late read hides that.
            mistaken = _unknown_before(made)[1]
            truth = replace(
                truth,
                rotated=True,
                # Without a reset of its own, the call has found that the pending one happened.
                triggers=triggers if applied or mistaken or not truth.failed else resolved,
                counts_from=last[-1] if last else made.ended_at,
                failed=False,
                unsure=None,
                certain=False,
                late=False,
            )
        elif truth.failed and "pending_rotation" not in stored.outputs:
            if truth.unsure is not None or counted:  # perhaps a reset by a user
                truth = replace(
                    truth,
                    rotated=True,
                    triggers=resolved,
                    counts_from=made.ended_at,
                )
            truth = replace(truth, failed=False, unsure=None, certain=False, late=False)
        return replace(stored, truth=truth)

    # --- recovery and judgement ---

    def recover(self) -> None:
        """Do what the README says."""
        self.say("- recovery")
        if self.plan.reverted and self.succeeded is not None:
            self._revert(self.succeeded)
        suspended = any(
            each.outputs.get("state") == "suspended" for each in self.stack.resources.values()
        )
        refresh = self.killed or suspended or bool(self.outside) or bool(self.deleted)
        unclear = refresh
        if refresh:
            self.must_succeed("refresh")
        self.must_succeed("up")
        if self._without_password():
            unclear = True
            self.must_succeed("refresh")
            self.must_succeed("up")
        if self.plan.reads != "shown" and unclear and self.program():
            self.latest += 1
            self.release = self.latest
            self.must_succeed("up")

    def _revert(self, program: Program) -> None:
        main = [name for name in program if name != "second"]
        self.removed = not main
        for name in main:
            arguments = dict(program[name])
            self.name = name
            self.database = DATABASES.index(arguments.pop("database_id"))
            self.release = int(arguments.pop("triggers").get("release", 0))
            self.options = arguments

    def _without_password(self) -> bool:
        return any("password" not in each.outputs for each in self.stack.resources.values())

    def must_succeed(self, command: Any) -> Command:
        """Run a command while nothing goes wrong."""
        self.say(f"- recovery: `pulumi {command}`")
        done = self.run(Step(command))
        self.expect(not done.failed, "the recovery fails", self._last_error)
        return done

    _last_error = ""

    def judge(self) -> None:
        """Judge the end of a sequence."""
        program = self.program()
        for name, arguments in program.items():
            stored = self.stack.resources.get(name)
            self.expect(stored is not None, "a declared resource is missing", lost=True)
            assert stored is not None
            self.expect(
                "pending_rotation" not in stored.outputs, "a rotation stays pending", lost=True
            )
            password = index_of(str(stored.outputs.get("password")))
            live = self.world.live(stored.database)
            nobody_knows = self.plan.reads != "shown" and not self.plan.reset_shows
            self.expect(
                password == live or (nobody_knows and password is None),
                "the state does not hold the live password",
                f"{password}, but {live} is live",
                lost=True,
            )
            self.expect(
                not _due_by_trigger(stored.truth.triggers, arguments),
                "a declared rotation never happens",
            )
        for name in self.stack.resources:
            self.expect(name in program, "a resource that nobody declares stays", name)
        calls = len(self.world.calls)
        again = self.must_succeed("up")
        self.expect(
            again.updates == 0 and len(self.world.calls) == calls,
            "a further run does something",
        )

    def _tell(self, made: Made) -> None:
        result = made.error or "ok"
        if made.partial is not None:
            result += " (partial state)"
        if made.outputs is not None:
            result += f", password {index_of(str(made.outputs.get('password')))}"
            result += ", pending" if "pending_rotation" in made.outputs else ""
        if not made.saved:
            result += ", not saved"
        self.say(f"    {made.method} {made.name}: {result}")
        for call in made.calls:
            what = f"password {call.applied} made" if call.applied is not None else ""
            shown = f"shows {call.shown}" if call.shown is not None else ""
            texts = (call.fault, what, shown, f"{call.live} is live")
            self.say(f"      {call.operation}: {', '.join(filter(None, texts))}")

    def saved(self, command: Command, made: Made) -> None:
        self._last_error = made.error or ""


_PASSWORD: Final = re.compile(rf"{CANARY}-(\w+)-(\d)-(\d+)-?")
_RELEASE: Final = re.compile(r"'release': (\d+)\.0")
_NAME: Final = re.compile(r"cache-(\d+)")
_FINGERPRINT: Final = re.compile(r"\b[0-9a-f]{16}\b")
_LEFT_OUT: Final = frozenset(
    {
        *("rotated_at", "adopted_at", "rotation_count", "verification", "verified"),
        "credential_fingerprint",
    }
)


def _essence(stored: Stored, live: list[int]) -> tuple[object, ...]:
    """Return what a resource's future depends on."""
    kept = sorted(item for item in stored.outputs.items() if item[0] not in _LEFT_OUT)
    truth, now = stored.truth, live[stored.database]
    return (
        kept,
        *(truth.rotated, truth.triggers, truth.failed, truth.failed_triggers),
        truth.tried_triggers,
        truth.unsure is not None and now - truth.unsure,
        *(truth.certain, truth.late),
        sorted(now - each for each in truth.seen),
        sorted(now - each for each in truth.own),
    )


def _applied(made: Made) -> list[int]:
    return [call.applied for call in made.calls if call.applied is not None]


def _certain(made: Made) -> bool:
    """Return whether a deletion's reset was sent and its outcome is an accepted one."""
    return any(call.operation == "reset" and call.success for call in made.calls)


def _seen_before(made: Made) -> set[int]:
    if made.before is None:
        return set()
    stored = index_of(str(made.before.outputs.get("password")))
    seen = set(made.before.truth.seen)
    return seen if stored is None else seen | {stored}


def _shows_an_earlier_one(made: Made, call: Call) -> bool:
    """Return whether a read shows a password that the state knows as an earlier one."""
    outputs = made.before.outputs if made.before else {}
    if call.operation != "get" or call.shown in (None, index_of(str(outputs.get("password")))):
        return False
    shown = password_of(made.database, call.shown)
    return fingerprint(DATABASES[made.database], shown) in outputs.get("earlier_fingerprints", ())


def _unknown_before(made: Made) -> tuple[bool, bool]:
    """Return whether a read shows a password that the resource cannot know to be an earlier one.

    First of the reads before the first reset, then of those after it. If no password was known
    before, only a success status proves that there is a new one.
    """
    known, found, asked = _seen_before(made), [False, False], False
    confirmed = made.before is not None and "pending_applied" in made.before.outputs
    for call in made.calls:
        asked = asked or call.operation == "reset"
        confirmed = confirmed or (call.operation == "reset" and call.success)
        if call.operation == "get" and call.shown is not None:
            new = call.shown not in known and bool(known or confirmed)
            found[asked] = found[asked] or new
            if not asked:
                known.add(call.shown)
    return found[0], found[1]


def _due_by_trigger(recorded: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    return any(
        value is not None and value != recorded.get(name)
        for name, value in arguments.get("triggers", {}).items()
    )


def _due(truth: Truth, arguments: Mapping[str, Any], seconds: float) -> bool:
    if _due_by_trigger(truth.triggers, arguments):
        return True
    since = int(truth.counts_from)
    days = arguments.get("rotation_days")
    if days is not None and seconds >= since + days * DAY:
        return True
    if "rotation_schedule" not in arguments:
        return False
    return START + timedelta(seconds=seconds) >= _first_of_next_month(moment(since))


def _first_of_next_month(after: datetime) -> datetime:
    this = after.replace(day=1, hour=3, minute=0, second=0, microsecond=0)
    if this > after:
        return this
    return (this.replace(day=1) + timedelta(days=32)).replace(day=1)
