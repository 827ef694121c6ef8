"""One sequence, carried out and judged: real engine, real redis-server, real faults."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import redis

from pulumi_stack import Stack
from upstash_emulator import Emulator

from ..support.assertions import opens
from ..support.runs import Run
from ..support.stacks import delete_empty_attributes
from .plan import LONGEST_DELAY_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from .plan import Blow, Plan, Step, Trouble

PROGRAM = """
import pickle, pulumi
from pulumi_upstash_rotation import RedisPasswordRotation
pickle.DEFAULT_PROTOCOL = {protocol}
rotation = RedisPasswordRotation(
    "cache", database_id={id!r}, triggers={triggers!r}, rotate_on_delete={rotate_on_delete!r},
    verify={verify!r}, verify_timeout=3)
pulumi.export("password", rotation.password)
"""
NEWER_OUTPUTS = [
    "rotation_count",
    "rotation_cause",
    "credential_fingerprint",
    "schema_version",
    "verified",
    "verification",
    "extra_attributes",
    "extra_secret_attributes",
]
"""What the first version of the package did not leave in the state."""
UNREADABLE = {"closed", "cut_off", "garbage", "body", "without", "other_database", "status"}
MOST_RESETS = 3
ROTATION = "pulumi-python:dynamic/upstash:RedisPasswordRotation"


@dataclass
class Record:
    """What a sequence came to.

    Attributes:
        commands: Pulumi commands, those for recovery included.
        faults: Faults that hit a call, by operation and kind.
        blows: Kills and interrupts that hit a running command, by kind.
        console: Resets that a user made in the console.
        declared: Rotations that the program asked for.
        resets: Resets that were made through the API.
        unknowable: Resets whose response never reached the state, by no fault of ours.
        log: What happened, a line each.
    """

    commands: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    blows: Counter[str] = field(default_factory=Counter)
    console: int = 0
    declared: int = 0
    resets: int = 0
    unknowable: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def surplus(self) -> int:
        return max(0, self.resets - self.declared)


class BrokenPromiseError(AssertionError):
    """A sequence ended as none may."""


class LostPasswordError(BrokenPromiseError):
    """The state ended without the password that is live."""


def run_sequence(plan: Plan, folder: Path) -> Record:
    """Carry a plan out, let the stack recover as the README says, and judge.

    Raises:
        LostPasswordError: The password in the state is not the live one.
        BrokenPromiseError: A reset was made that nothing asked for, or the like.
    """
    with Emulator(databases=2) as emulator:
        emulator.reset_response = (
            "documented" if plan.account == "documented" else "with_credentials"
        )
        emulator.databases[0].credential_protection = plan.account == "protected"
        sequence = Sequence(plan, folder, emulator)
        try:
            for step in plan.steps:
                sequence.carry_out(step)
            sequence.recover()
            sequence.judge()
        except Exception as error:
            log = "\n".join(sequence.record.log)
            lost = isinstance(error, LostPasswordError)
            kind = LostPasswordError if lost else BrokenPromiseError
            raise kind(f"seed {plan.seed}: {error}\n{log}") from error
        return sequence.record


class Sequence:
    """A stack and a database on their way through a plan."""

    def __init__(self, plan: Plan, folder: Path, emulator: Emulator) -> None:
        self.plan = plan
        self.record = Record()
        self.emulator = emulator
        self.database = emulator.databases[0]
        project = folder / "project"
        project.mkdir(parents=True)
        (project / "Pulumi.yaml").write_text("name: chaos\nruntime: python\n")
        self.stack = Stack.create(project, folder / "stack", environment=emulator.environment)
        self.say(f"account: {plan.account}, rotate_on_delete: {plan.rotate_on_delete}")
        self.release: int | None = None
        self.latest = 0
        self.upgraded = False
        self.settled: object = "nothing"
        self.counted: object = "nothing"
        self.succeeded: int | None = 1
        self.struck = self.changed_by_others = False

    def say(self, line: str) -> None:
        self.record.log.append(line)

    def expect(self, promise: bool, words: str) -> None:
        if not promise:
            raise BrokenPromiseError(words)

    # --- steps ---

    def carry_out(self, step: Step) -> None:
        self.say(f"{step}")
        self.emulator.clear()
        self.declare(step.release, upgraded=step.upgraded)
        if step.aged:
            self.stack.edit_state(_forget_newer_outputs)
        if step.console_before:
            self.reset_in_console()
        for trouble in step.troubles:
            self.plan_trouble(trouble)
        self.command(step.command, console_after=step.console_during, blow=step.blow)
        self.database.bring_online()

    def declare(self, release: int | None, *, upgraded: bool) -> None:
        self.release, self.upgraded = release, upgraded
        self.latest = max(self.latest, release or 0)
        text = PROGRAM.format(
            protocol=5 if upgraded else 4,
            id=self.database.id,
            triggers={} if release is None else {"release": release},
            rotate_on_delete=self.plan.rotate_on_delete,
            verify=self.plan.verify,
        )
        (self.stack.project / "__main__.py").write_text(text)

    def plan_trouble(self, trouble: Trouble) -> None:
        if trouble.operation == "data plane":
            self.database.take_offline()
            self.record.faults["data plane away"] += 1
            return
        fault = trouble.fault
        if fault.other_database_id:
            fault = replace(fault, other_database_id=self.emulator.databases[1].id)
        self.emulator.fault(fault, operation=trouble.operation, times=trouble.times)

    def reset_in_console(self) -> None:
        self.database.reset_in_console()
        self.record.console += 1
        self.changed_by_others = True

    def command(
        self,
        *command: str,
        console_after: float | None = None,
        blow: Blow | None = None,
    ) -> int:
        """Run a command and hold it to the resets that it may make."""
        due = self.due(command[0])
        self.count_declared(command[0], due)
        knew, calls = self.knows_password(), len(self.emulator.calls)
        before = self.database.resets - self.record.console
        flags = () if command[0] in ("preview", "cancel") else ("--yes", "--skip-preview")
        flags = ("--yes",) if command[0] == "cancel" else flags
        run = Run(self.stack, *command, *flags)
        user = threading.Timer(console_after, self.reset_in_console) if console_after else None
        if user:
            user.start()
        hit = self.strike(run, blow) if blow else False
        code, text = run.wait()
        if user:
            user.join()
        if hit:
            time.sleep(LONGEST_DELAY_SECONDS + 1)  # a request in flight is carried out all the same
        made = self.database.resets - self.record.console - before
        self.say(f"  {' '.join(command)}: exit {code}, {made} resets{', hit' if hit else ''}")
        if code and not hit:
            self.say("\n".join(line for line in text.splitlines() if "error" in line))
        self.record.commands += 1
        self.record.resets += made
        recent = self.emulator.calls[calls:]
        faults = [call for call in recent if call.fault != "none"]
        self.record.faults.update(f"{call.operation}: {call.fault}" for call in faults)
        lost = sum(
            call.operation == "reset" and call.applied and call.fault in UNREADABLE
            for call in recent
        )
        blind = (
            self.plan.account == "protected"
            or not knew
            or any(call.operation == "get" for call in faults)
        )
        unknowable = made if hit else lost if blind else 0
        self.record.unknowable += unknowable
        self.expect(made <= due + (lost if blind else 0), f"{made} resets, {due} were due")
        self.expect(made <= MOST_RESETS, f"{made} resets in one command")
        self.expect("Traceback" not in text or hit, f"a traceback: {text}")
        self.after(command[0], code, hit=hit)
        return code

    def due(self, command: str) -> int:
        """Return how many resets a command may make while every response can be read."""
        if command == "up":
            pending = self.settled in ("nothing", "pending")
            return int(pending or self.release not in (None, self.settled))
        return int(command == "destroy" and self.plan.rotate_on_delete and self.exists())

    def count_declared(self, command: str, due: int) -> None:
        """Count a rotation that the program asks for, once however often it is tried."""
        asked = self.release is not None or self.settled == "nothing"
        if command == "destroy":
            self.record.declared += due
        elif due and asked and self.counted != self.release:
            self.record.declared += 1
            self.counted = self.release

    def after(self, command: str, code: int, *, hit: bool) -> None:
        if command == "up" and (code or hit):
            self.settled = "pending"
        elif command == "up":
            self.settled = self.release if self.due(command) else self.settled
            self.succeeded = self.release
        elif command == "destroy" and not self.exists():
            self.settled = self.counted = "nothing"
        if hit:
            self.struck = True
            if delete_empty_attributes(self.stack):
                self.say("  the engine was killed while it wrote its .attrs file")
            self.stack.on_stack("cancel", "--yes", check=False)

    def exists(self) -> bool:
        return any(each["type"] == ROTATION for each in self.stack.resources())

    def strike(self, run: Run, blow: Blow) -> bool:
        calls, resets = self.emulator.connections, self.database.resets
        moments = {
            "any time": lambda: True,
            "a call arrives": lambda: self.emulator.connections > calls,
            "a reset is applied": lambda: self.database.resets > resets,
        }
        if not run.wait_until(moments[blow.moment], 120):
            return False
        time.sleep(blow.seconds)
        hit = run.end(blow.ending)
        if hit:
            self.record.blows[blow.ending] += 1
        return hit

    def knows_password(self) -> bool:
        rotations = [each for each in self.stack.resources() if each["type"] == ROTATION]
        return all("password" in each.get("outputs", {}) for each in rotations)

    # --- recovery, by the README's commands ---

    def recover(self) -> None:
        self.say("recovery")
        self.emulator.clear()
        if self.plan.reverted:
            self.declare(self.succeeded, upgraded=self.upgraded)
        if self.struck:
            self.run("refresh", "--clear-pending-creates")
        elif self.changed_by_others:
            self.run("refresh")
        self.run("up")
        if not self.knows_password():
            self.run("refresh")
            self.run("up")  # a stack's outputs are its program's
        hidden = self.plan.account == "protected"
        if hidden and (self.struck or self.changed_by_others or not self.knows_password()):
            self.declare(self.latest + 1, upgraded=self.upgraded)
            self.run("up")

    def run(self, *command: str) -> None:
        self.expect(self.command(*command) == 0, f"{' '.join(command)} failed")

    # --- judgement ---

    def judge(self) -> None:
        password = self.stack.outputs().get("password")
        if password != self.database.password:
            raise LostPasswordError("the state holds another password")
        if not self.opens(password):
            raise LostPasswordError("the password in the state opens nothing")
        resets = self.database.resets
        self.run("up")
        self.expect(self.database.resets == resets, "a run without a change made a reset")
        allowed = self.record.declared + self.record.unknowable
        self.expect(
            self.record.resets <= allowed,
            f"{self.record.resets} resets for {self.record.declared} declared rotations and "
            f"{self.record.unknowable} resets whose outcome could not be known",
        )
        self.expect(not self.leaks(), "a password stands in the state in clear")

    def opens(self, password: str) -> bool:
        for _ in range(50):
            with suppress(redis.ConnectionError):
                if opens(self.database, password, self.emulator):
                    return True
            time.sleep(0.1)  # a change that reaches the data plane late
        return False

    def leaks(self) -> bool:
        return self.database.password in self.stack.stored_text()


def _forget_newer_outputs(resource: dict[str, dict[str, object]]) -> None:
    if resource["type"] == ROTATION:
        for name in NEWER_OUTPUTS:
            resource["outputs"].pop(name, None)
