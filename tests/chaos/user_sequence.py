"""One sequence of ACL users, carried out and judged while its commands run.

A user has two or more tokens for as long as a consumer may need it. So the judge looks all the
time: the token that a consumer holds has to be live.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pulumi_stack import Stack
from upstash_emulator import Emulator, EmulatorError

from ..support.acl import Users
from ..support.assertions import opens
from ..support.programs import write_project
from ..support.runs import Run
from ..support.stacks import delete_empty_attributes
from .plan import LONGEST_DELAY_SECONDS
from .sequence import BrokenPromiseError, _told
from .user_plan import NAMES, RULES, Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from upstash_emulator import AclUser, Call

    from .user_plan import Blow, Step, UserPlan

PROGRAM = """
rotation = RedisPasswordRotation(
    "cache", database_id={id!r}, triggers={{"release": {release}}}, verify_timeout=3)
pulumi.export("cache", rotation.password)
"""
WRITES = ("reset", "acl gentoken", "acl setuser", "acl deluser")
LOOK_SECONDS = 0.05


@dataclass
class UserRecord:
    """What a sequence came to.

    Attributes:
        commands: Pulumi commands, those for recovery included.
        looks: How often the judge looked at the tokens.
        counts: What else happened, by kind.
        log: What happened, a line each.
    """

    commands: int = 0
    looks: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)


class CutOffError(BrokenPromiseError):
    """A consumer held a token that was not live."""


def run_user_sequence(plan: UserPlan, folder: Path, sabotage: str = "") -> UserRecord:
    """Carry a plan out, let the stack recover, and judge.

    Args:
        plan: The plan.
        folder: An empty folder.
        sabotage: Python text that breaks the product, in its program and its provider.

    Raises:
        CutOffError: Clients were cut off.
        BrokenPromiseError: Two tokens are left, one shows in clear, or the like.
    """
    with Emulator(databases=1) as emulator:
        emulator.acl_digests_are_of_tokens = plan.digests_are_of_tokens
        sequence = UserSequence(plan, folder, emulator, sabotage)
        try:
            for step in plan.steps:
                sequence.carry_out(step)
            sequence.recover()
            sequence.judge()
        except Exception as error:
            log = "\n".join(sequence.record.log)
            kind = CutOffError if isinstance(error, CutOffError) else BrokenPromiseError
            what = str(error) or type(error).__name__
            raise kind(f"users, seed {plan.seed}: {what}\n{log}") from error
        return sequence.record


@dataclass
class Lane:
    """One user and its consumer.

    Attributes:
        name: Name of the user.
        seen: Tokens of ours that have been live, the oldest first.
        foreign: Tokens that somebody added in the console.
        excused: Tokens that somebody removed in the console, or a destroy did.
        retires: The program declares the retirement.
        rules: The rules that it declares.
    """

    name: str
    seen: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    retires: bool = True
    rules: int = 0

    def ours(self, user: AclUser | None) -> list[str]:
        """Return our live tokens, and remember them."""
        live = [each for each in user.tokens if each not in self.foreign] if user else []
        self.seen += [each for each in live if each not in self.seen]
        return live


class UserSequence:
    """A stack with ACL users and a rotation of their database's password."""

    def __init__(self, plan: UserPlan, folder: Path, emulator: Emulator, sabotage: str) -> None:
        self.plan = plan
        self.record = UserRecord()
        self.emulator = emulator
        (self.database,) = emulator.databases
        project = folder / "project"
        write_project(project)
        environment: dict[str, str | None] = dict(emulator.environment)
        if sabotage:
            (folder / "site").mkdir()
            (folder / "site" / "sitecustomize.py").write_text(sabotage)
            environment["PYTHONPATH"] = str(folder / "site")
        stack = Stack.create(project, folder / "stack", environment=environment)
        self.users = Users(stack, emulator)
        self.lanes = [Lane(name) for name in NAMES]
        for lane in self.lanes:
            options = {"adopt_existing": plan.adopts, "verify": plan.verify}
            self.users.declare(lane.name, self.database, rules=RULES[0], **options)
        self.release = 0
        self.passwords: set[str] = set()
        self.is_out_of_date = False
        self.say(_told(replace(plan, steps=())))

    def say(self, line: str) -> None:
        self.record.log.append(line)

    def expect(self, promise: bool, words: str) -> None:
        if not promise:
            raise BrokenPromiseError(words)

    # --- steps ---

    def carry_out(self, step: Step) -> None:
        self.say(_told(step))
        self.emulator.clear()
        self.declare(step.changes, resets=step.resets)
        for lane, change in zip(self.lanes, step.changes, strict=True):
            self.change_in_console(lane, change)
        for trouble in step.troubles:
            if trouble.operation == "data plane":
                self.database.take_offline()
            else:
                self.emulator.fault(trouble.fault, operation=trouble.operation, times=trouble.times)
        flags = self.scope(step)
        continues = ["--continue-on-error"] if step.command == "up" and step.continues else []
        code, hit = self.command(step.command, *flags, *continues, step=step)
        self.database.bring_online()
        calm = not (step.troubles or hit or any(each.broken for each in step.changes))
        if step.command == "up" and calm and not self.is_out_of_date:
            self.record.counts["`up` without a fault"] += 1
            self.expect(code == 0, "an up without a fault failed")
            if not flags:
                self.expect_settled(*(lane for lane in self.lanes if lane.retires))

    def scope(self, step: Step) -> list[str]:
        """Return the options that leave resources out.

        They exist: engine 3.259 panics if it leaves out a new one on which others depend.
        """
        names = {each["urn"].rpartition("::")[2] for each in self.users.stack.resources()}
        parts = {f"{name}{part}" for name in NAMES for part in ("-token", "", "-file")}
        return list(step.scope) if parts <= names else []

    def declare(self, changes: Sequence[Change], *, resets: bool) -> None:
        self.release += resets
        self.record.counts["resets declared"] += resets
        self.users.tail = PROGRAM.format(id=self.database.id, release=self.release)
        for lane, change in zip(self.lanes, changes, strict=True):
            self.record.counts["retirement taken out"] += lane.retires and not change.retires
            self.record.counts["rules changed"] += lane.rules != change.rules
            self.record.counts["rotations declared"] += change.rotates
            self.record.counts["failing consumers"] += change.broken
            lane.retires, lane.rules = change.retires, change.rules
            self.users.change(lane.name, rules=RULES[change.rules])
            self.users.retire(lane.name, retires=change.retires)
            self.users.break_consumer(lane.name, broken=change.broken)
            if change.rotates:
                self.users.rotate(lane.name)
        self.users.write()

    def change_in_console(self, lane: Lane, change: Change) -> None:
        user = self.database.user(lane.name)
        if not change.console or user is None:
            return
        ours = lane.ours(user)
        match change.console:
            case "removes the token" if ours:
                self.database.acl("SETUSER", lane.name, f"<{ours[-1]}")
                lane.excused.add(ours[-1])
            case "deletes the user":
                self.database.acl("DELUSER", lane.name)
                lane.excused.update(ours)
                lane.foreign.clear()
            case "changes the rules":
                self.database.acl("SETUSER", lane.name, "-ping", "+info")
            case "adds a token":
                token = self.database.acl("GENTOKEN", lane.name)
                self.database.acl("SETUSER", lane.name, f">{token}")
                lane.foreign.append(token)
        self.record.counts[f"console: {change.console}"] += 1
        self.is_out_of_date |= change.console != "adds a token"

    # --- commands ---

    def command(self, *command: str, step: Step | None = None) -> tuple[int, bool]:
        """Run a command and look at the tokens meanwhile; return its exit code, and if it was hit.

        Raises:
            CutOffError: A consumer was cut off meanwhile.
        """
        if command[0] == "destroy":
            self.excuse_all()
        self.passwords |= self.secrets_of_database()
        earlier = len(self.emulator.calls)
        flags = [] if command[0] == "preview" else ["--yes", "--skip-preview"]
        debug = {"UPSTASH_ROTATION_DEBUG": "1"} if step and step.debug else {}
        run = Run(self.users.stack, *command, *flags, environment=debug)
        with self.looking() as cut_off:
            hit = self.strike(run, step.blow) if step and step.blow else False
            code, text = run.wait()
        if hit:
            late = step and any(each.fault.kind == "delay" for each in step.troubles)
            time.sleep(LONGEST_DELAY_SECONDS if late else 0)  # what is in flight is carried out
            if delete_empty_attributes(self.users.stack):
                self.say("  the engine was killed while it wrote its .attrs file")
            self.users.stack.on_stack("cancel", "--yes", check=False)
        self.say(f"  {' '.join(command)}: exit {code}{', hit' if hit else ''}")
        if code and not hit:
            self.say("\n".join(line for line in text.splitlines() if "error" in line))
        recent = self.emulator.calls[earlier:]
        self.count(command, recent, hit=hit)
        self.look(cut_off)
        if cut_off:
            raise CutOffError(f"{' and '.join(sorted(cut_off))} cut off\n{text}")
        calls = {call.operation for call in recent}
        if command[0] in ("preview", "refresh"):
            self.expect(not calls & {*WRITES}, f"a {command[0]} made changes: {calls}")
        self.expect("Traceback" not in text or self.is_broken() or hit, f"a traceback: {text}")
        self.expect_no_secret_in(text, "the output")
        if command[0] == "destroy":
            self.is_out_of_date |= code != 0 or hit
        else:
            for lane in self.lanes:
                lane.excused -= set(lane.ours(self.database.user(lane.name)))
        if command[0] == "refresh" and not code and not hit:
            self.is_out_of_date = False
        return code, hit

    def count(self, command: tuple[str, ...], recent: Sequence[Call], *, hit: bool) -> None:
        self.record.commands += 1
        counts = self.record.counts
        counts.update(
            f"fault, {call.operation}: {call.fault}" for call in recent if call.fault != "none"
        )
        for operation, name in (("acl gentoken", "tokens made"), ("reset", "resets made")):
            counts[name] += sum(each.applied for each in recent if each.operation == operation)
        counts[f"`{command[0]}`"] += 1
        counts.update(f"`up {each}`" for each in command if each in ("--exclude", "--target"))
        counts["killed or interrupted"] += hit

    def is_broken(self) -> bool:
        return any(self.users.stack.project.glob("*.broken"))

    def strike(self, run: Run, blow: Blow) -> bool:
        files = self.files()
        resets = self.database.resets

        def tokens() -> set[str]:
            return {each for user in self.database.acl_users for each in user.tokens}

        before = tokens()
        moments = {
            "any time": lambda: True,
            "made": lambda: any(each.operation == "acl gentoken" for each in self.emulator.calls),
            "added": lambda: tokens() - before,
            "consumed": lambda: self.files() != files,
            "removed": lambda: before - tokens(),
            "reset": lambda: self.database.resets > resets,
        }
        if not run.wait_until(lambda: bool(moments[blow.moment]()), 300):
            return False
        time.sleep(blow.seconds)
        hit = run.end(blow.ending)
        if hit:
            self.record.counts[f"hit: {blow.ending}, {blow.moment}"] += 1
        return hit

    def files(self) -> list[str | None]:
        return [self.held(lane) for lane in self.lanes]

    # --- looking ---

    @contextmanager
    def looking(self) -> Iterator[set[str]]:
        """Look at the tokens again and again; yield the names of the users that were cut off."""
        ended = threading.Event()
        cut_off: set[str] = set()

        def watch() -> None:
            while not ended.wait(LOOK_SECONDS):
                with suppress(EmulatorError):  # a user was deleted while it was read
                    self.look(cut_off)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield cut_off
        finally:
            ended.set()
            watcher.join()

    def look(self, cut_off: set[str]) -> None:
        """Add the users whose consumers hold a token that is not live."""
        held = self.files()
        users = {user.name: user for user in self.database.acl_users}
        again = self.files()  # a consumer may have got its token just now
        self.record.looks += 1
        for lane, token, later in zip(self.lanes, held, again, strict=True):
            live = lane.ours(users.get(lane.name))
            if token and token == later and token not in {*live, *lane.excused}:
                gone = lane.seen.index(token) if token in lane.seen else len(lane.seen)
                newer = [each for each in live if lane.seen.index(each) > gone]
                if lane.retires or len(newer) < 2:
                    cut_off.add(lane.name)
                lane.excused.add(token)  # without a retirement, only the two newest stay
            if {*lane.foreign} - {*(users[lane.name].tokens if lane.name in users else ())}:
                cut_off.add(f"somebody else's token of {lane.name}")

    def held(self, lane: Lane) -> str | None:
        file = self.users.file(lane.name)
        return self.users.held(lane.name) if file.exists() else None

    def excuse_all(self) -> None:
        for lane in self.lanes:
            lane.excused.update(lane.ours(self.database.user(lane.name)))

    # --- recovery and judgement ---

    def recover(self) -> None:
        self.say("recovery")
        self.emulator.clear()
        self.declare([Change(rules=lane.rules) for lane in self.lanes], resets=False)
        if self.is_out_of_date:
            self.expect(self.command("refresh")[0] == 0, "refresh failed")
        for _ in range(2):
            self.record.counts["`up` to recover"] += 1
            code, _ = self.command("up")
            if code == 0 and not self.unsettled(*self.lanes):
                break
        self.expect(code == 0, "the second up to recover failed")

    def unsettled(self, *lanes: Lane) -> list[str]:
        """Return the users that do not have exactly the token that the consumer holds."""
        return [
            lane.name
            for lane in lanes
            if lane.ours(self.database.user(lane.name)) != [self.held(lane)]
        ]

    def expect_settled(self, *lanes: Lane) -> None:
        left = self.unsettled(*lanes)
        self.expect(not left, f"{' and '.join(left)} do not have just the token of the consumer")

    def judge(self) -> None:
        self.expect_settled(*self.lanes)
        outputs = self.users.stack.outputs()
        for lane in self.lanes:
            token, user = self.held(lane) or "", self.database.user(lane.name)
            self.expect(outputs[lane.name]["token"] == token, f"{lane.name} exports another token")
            self.expect(self.users.opens(lane.name, token), f"Redis rejects {lane.name}")
            self.expect("PONG" in self.ping_over_rest(token), f"REST rejects {lane.name}")
            keys = [rule[1:] for rule in RULES[lane.rules] if rule.startswith("~")]
            self.expect(bool(user) and list(user.keys) == keys, f"{lane.name} has other rules")
        password = outputs["cache"]
        self.expect(password == self.database.password, "the state holds another password")
        self.expect(opens(self.database, password, self.emulator), "it opens nothing")
        self.emulator.clear()
        run = Run(self.users.stack, "up", "--yes", "--skip-preview")
        code, text = run.wait()
        calls = [call.operation for call in self.emulator.calls]
        self.expect(code == 0 and not calls, f"an up without a change made {calls}: {text}")
        self.passwords |= self.secrets_of_database()
        self.expect_no_secret_in(self.users.stack.stored_text(), "the stack's files")

    def ping_over_rest(self, token: str) -> str:
        request = urllib.request.Request(
            f"{self.database.rest_url}/ping", headers={"Authorization": f"Bearer {token}"}
        )
        trust = ssl.create_default_context(cafile=self.emulator.ca_bundle)
        with urllib.request.urlopen(request, context=trust) as response:
            text: str = response.read().decode()
        return text

    def secrets_of_database(self) -> set[str]:
        database = self.database
        return {database.password, database.rest_token, database.read_only_rest_token}

    def expect_no_secret_in(self, text: str, where: str) -> None:
        secrets = {*self.passwords, *(token for lane in self.lanes for token in lane.seen)}
        secrets |= {json.dumps(each)[1:-1] for each in secrets}
        self.expect(not any(each in text for each in secrets), f"a secret shows in {where}")
