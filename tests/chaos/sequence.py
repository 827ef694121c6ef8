"""One sequence, carried out and judged: real engine, real redis-server, real faults."""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import redis

from pulumi_stack import Stack
from upstash_emulator import Emulator

from ..support.assertions import opens
from ..support.front_ends import DYNAMIC, NATIVE, FrontEnd, core_names
from ..support.programs import module_of, use_front_end
from ..support.runs import Run
from ..support.stacks import delete_empty_attributes
from .plan import LONGEST_DELAY_SECONDS, READABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from upstash_emulator import EmulatedDatabase

    from .plan import Blow, Machine, Plan, Step, Trouble

PROGRAM = """
import pickle, pulumi
from {module} import RedisPasswordRotation
pickle.DEFAULT_PROTOCOL = {protocol}
rotation = RedisPasswordRotation(
    {name!r}, database_id={id!r}, triggers={triggers!r}, rotate_on_create={rotate_on_create!r},
    rotate_on_delete={rotate_on_delete!r}, verify={verify!r}, verify_timeout=3)
pulumi.export("cache", rotation.password)
"""

NEIGHBOUR = """
from pathlib import Path
neighbour = RedisPasswordRotation(
    "neighbour", database_id={id!r}, triggers={triggers!r}, verify=False)
pulumi.export("neighbour", neighbour.password)

class Writer(pulumi.dynamic.ResourceProvider):
    def create(self, props):
        Path(props["file"]).write_text(props.get("password") or "")
        return pulumi.dynamic.CreateResult("written", props)

    def update(self, _id, _old, props):
        Path(props["file"]).write_text(props.get("password") or "")
        return pulumi.dynamic.UpdateResult(props)

class Consumer(pulumi.dynamic.Resource):
    def __init__(self, name, password):
        super().__init__(
            Writer(), name, {{"password": password, "file": f"{folder}/{{name}}"}},
            pulumi.ResourceOptions(additional_secret_outputs=["password"]))

Consumer("cache", rotation.password)
Consumer("neighbour", neighbour.password)
"""

FEW_THREADS = """
import os, sys, threading
line = " ".join(sys.orig_argv)
if "pulumi.dynamic" in line or "pulumi-resource-upstash-rotation" in line:
    left, start = [int(os.environ["CHAOS_THREADS"])], threading._start_new_thread
    def start_new_thread(*arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        return start(*arguments, **options)
    threading._start_new_thread = start_new_thread
"""
"""A `sitecustomize` module. Python itself raises this error if the system has no more threads.

The limit of the system does not bind root, as whom many run these tests.
"""

NEWER_OUTPUTS = [
    "rotation_count",
    "rotation_cause",
    "credential_fingerprint",
    "earlier_fingerprints",
    "adopted_at",
    "schema_version",
    "verified",
    "verification",
    "extra_attributes",
]
"""What the first version of the package did not leave in the state."""

ROTATIONS = {DYNAMIC.type, NATIVE.type}
MOST_RESETS = 3
NOTHING, PENDING = "nothing", "pending"


@dataclass
class Record:
    """What a sequence came to.

    Attributes:
        commands: Pulumi commands, those for recovery included.
        faults: Faults that hit a call, by operation and kind.
        blows: Kills and interrupts that hit a running command, by kind.
        events: What else happened, by kind.
        declared: Rotations that the program asked for.
        resets: Resets that were made through the API.
        unknowable: Resets whose response never reached the state, by no fault of ours.
        log: What happened, a line each.
    """

    commands: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    blows: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
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
        for database in emulator.databases:
            database.credential_protection = plan.account == "protected"
        sequence = Sequence(plan, folder, emulator)
        try:
            for number, step in enumerate(plan.steps):
                if number and plan.front_end == "moved":
                    sequence.use(NATIVE)
                sequence.carry_out(step)
            sequence.recover()
            sequence.judge()
        except Exception as error:
            log = "\n".join(sequence.record.log)
            lost = isinstance(error, LostPasswordError)
            kind = LostPasswordError if lost else BrokenPromiseError
            what = str(error) or type(error).__name__
            raise kind(f"seed {plan.seed}: {what}\n{log}") from error
        return sequence.record


class Ledger:
    """What one database's rotation owes.

    Attributes:
        database: The database.
        settled: The release of the last finished rotation, or that it is pending, or that there was
            nothing yet.
        counted: The release whose rotation was last counted as declared.
        console: Resets that a user made in the console.
    """

    def __init__(self, database: EmulatedDatabase) -> None:
        self.database = database
        self.settled: object = NOTHING
        self.counted: object = NOTHING
        self.console = 0

    @property
    def made(self) -> int:
        """How many resets were made through the API."""
        return self.database.resets - self.console


class Sequence:
    """A stack and its databases on their way through a plan."""

    def __init__(self, plan: Plan, folder: Path, emulator: Emulator) -> None:
        self.plan = plan
        self.record = Record()
        self.emulator = emulator
        self.cache, self.neighbour = (Ledger(each) for each in emulator.databases)
        self.ledgers = [self.cache, self.neighbour] if plan.neighbour else [self.cache]
        self.stranger = emulator.add_account()
        if plan.stranger_has_database:
            emulator.add_database(account=self.stranger)
        self.consumers = folder / "consumers"
        self.site = folder / "site"
        project = folder / "project"
        for each in (project, self.consumers, self.site):
            each.mkdir(parents=True)
        (project / "Pulumi.yaml").write_text("name: chaos\nruntime: python\n")
        (self.site / "sitecustomize.py").write_text(FEW_THREADS)
        self.stack = Stack.create(project, folder / "stack", environment=emulator.environment)
        self.say(_told(replace(plan, steps=())))
        self.record.events[f"front end: {plan.front_end}"] += 1
        self.use(NATIVE if plan.front_end == "native" else DYNAMIC)
        self.name = "cache"
        self.release: int | None = None
        self.latest = 0
        self.upgraded = False
        self.succeeded: int | None = 1
        self.struck = self.changed_by_others = self.lags = False

    def say(self, line: str) -> None:
        self.record.log.append(line if len(line) < 2000 else f"{line[:2000]}…")

    def expect(self, promise: bool, words: str) -> None:
        if not promise:
            raise BrokenPromiseError(words)

    def use(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        use_front_end(self.stack.project, front_end)

    # --- steps ---

    def carry_out(self, step: Step) -> None:
        self.say(_told(step))
        self.emulator.clear()
        self.cache.console = self.neighbour.console = 0  # `clear` counts resets from zero
        if step.renamed:
            self.rename()
        if step.deleted:
            self.replace_database()
        self.declare(step.release, upgraded=step.upgraded)
        if step.aged:
            self.stack.edit_state(_forget_newer_outputs)
        if step.console_before:
            self.reset_in_console(step)
        self.plan_troubles(step)
        if step.suspended:
            self.neighbour.database.suspend()
            self.record.events["a suspended database beside"] += 1
        self.command(step.command, step=step)
        self.neighbour.database.resume()
        self.cache.database.bring_online()

    def rename(self) -> None:
        self.name = f"{self.name}-again"
        self.cache.settled = self.cache.counted = NOTHING
        self.record.events["resource renamed without an alias"] += 1

    def replace_database(self) -> None:
        old = self.cache.database
        self.cache.database = self.emulator.add_database(
            credential_protection=self.plan.account == "protected"
        )
        old.delete()
        self.cache.settled = self.cache.counted = NOTHING
        self.record.events["database deleted"] += 1

    def declare(self, release: int | None, *, upgraded: bool) -> None:
        self.release, self.upgraded = release, upgraded
        self.latest = max(self.latest, release or 0)
        triggers = {} if release is None else {"release": release}
        text = PROGRAM.format(
            name=self.name,
            module=module_of(self.stack.project),
            protocol=5 if upgraded else 4,
            id=self.cache.database.id,
            triggers=triggers,
            rotate_on_create=self.plan.rotate_on_create,
            rotate_on_delete=self.plan.rotate_on_delete,
            verify=self.plan.verify,
        )
        if self.plan.neighbour:
            id_ = self.neighbour.database.id
            text += NEIGHBOUR.format(id=id_, triggers=triggers, folder=self.consumers)
        (self.stack.project / "__main__.py").write_text(text)

    def plan_troubles(self, step: Step) -> None:
        resets = [each for each in step.troubles if each.operation == "reset"]
        for trouble in step.troubles:
            if trouble.everywhere:
                self.plan_trouble(trouble)
        for trouble in resets:
            self.plan_trouble(replace(trouble, fault=_lagging(trouble, step)))
        if step.lag:
            self.lags = True
            self.emulator.fault(
                step.lag, operation="reset", times=None, database_id=self.cache.database.id
            )
        for trouble in step.troubles:
            if trouble not in resets and not trouble.everywhere:
                self.plan_trouble(trouble)

    def plan_trouble(self, trouble: Trouble) -> None:
        if trouble.operation == "data plane":
            self.cache.database.take_offline()
            self.record.faults["data plane away"] += 1
            return
        fault = trouble.fault
        if fault.other_database_id:
            fault = replace(fault, other_database_id=self.neighbour.database.id)
        self.emulator.fault(
            fault,
            operation=trouble.operation,
            times=trouble.times,
            database_id=None if trouble.everywhere else self.cache.database.id,
        )

    def reset_in_console(self, step: Step) -> None:
        if step.lag:
            self.lags = True
            self.cache.database.reset_in_console(step.lag)
        else:
            self.cache.database.reset_in_console()
        self.cache.console += 1
        self.record.events["reset in the console"] += 1
        self.changed_by_others = True

    # --- commands ---

    def command(self, *command: str, step: Step | None = None) -> int:
        """Run a command and hold it to the resets that it may make."""
        arguments = [*command, *self.scope(step)]
        holds = self.holds_live_password() if command[0] == "destroy" else None
        due = {each: self.due(each, command[0], arguments, holds) for each in self.ledgers}
        for each in self.ledgers:
            self.count_declared(each, arguments, due[each])
        knew, calls, existing = self.knows_password(), len(self.emulator.calls), self.rotations()
        before = {each: each.made for each in self.ledgers}
        served = self.cache.settled == NOTHING or self.consumer_is_served()
        code, text, hit = self.run_to_the_end(arguments, step)
        made = {each: each.made - before[each] for each in self.ledgers}
        numbers = " and ".join(map(str, made.values()))
        self.say(f"  {' '.join(arguments)}: exit {code}, {numbers} resets{', hit' if hit else ''}")
        if code and not hit:
            self.say("\n".join(line for line in text.splitlines() if "error" in line))
        self.record.commands += 1
        recent = self.emulator.calls[calls:]
        faults = [call for call in recent if call.fault != "none"]
        self.record.faults.update(f"{call.operation}: {call.fault}" for call in faults)
        for each in self.ledgers:
            id_ = each.database.id
            lost = sum(
                call.operation == "reset"
                and call.applied
                and call.database_id == id_
                and call.fault not in READABLE
                for call in recent
            )
            blind = (
                self.plan.account == "protected"
                or self.lags
                or not knew
                or any(call.operation == "get" for call in faults)
            )
            unknowable = made[each] if hit else lost if blind else 0
            allowed = due[each] + (lost if blind else 0)
            self.record.resets += made[each]
            self.record.unknowable += unknowable
            self.expect(made[each] <= allowed, f"{made[each]} resets, {due[each]} were due")
            self.expect(made[each] <= MOST_RESETS, f"{made[each]} resets in one command")
        if command[0] == "up" and not hit and not (step and step.console_during):
            for each, name in zip(self.ledgers, (self.name, "neighbour"), strict=False):
                if made[each]:
                    self.expect_kept(each, name, code)
        clean = not hit and (step is None or _is_calm(step))
        if holds is True and clean and not code:
            self.expect(made[self.cache] == 1, "rotate_on_delete did not revoke the password")
        own_files = step and step.machine.shadows
        self.expect("Traceback" not in text or hit or bool(own_files), f"a traceback: {text}")
        if command[0] in ("refresh", "preview"):
            self.expect_nothing_forgotten(existing, stranger=bool(step and step.stranger))
        if step and step.suspended and clean:
            self.expect(code != 0 or not due[self.neighbour], "a suspended database is no error")
            served_now = self.consumer_is_served()
            self.expect(not served or served_now, f"a consumer was locked out: {text}")
        self.after(arguments, code, hit=hit)
        return code

    def scope(self, step: Step | None) -> list[str]:
        if step is None or not step.scope:
            return []
        urn = f"urn:pulumi:{self.stack.name}::chaos::{self.front_end.type}::{self.name}"
        if step.scope == "replace" and urn not in self.rotations():
            return []
        self.record.events[f"up --{step.scope}"] += 1
        return [f"--{step.scope}", urn]

    def run_to_the_end(self, command: list[str], step: Step | None) -> tuple[int, str, bool]:
        """Run a command; return its exit code, its text, and whether it was hit."""
        flags = ["--yes"] if command[0] == "cancel" else ["--yes", "--skip-preview"]
        flags = [] if command[0] == "preview" else flags
        if self.plan.neighbour and command[0] == "up":
            flags.append("--continue-on-error")
        if step is None:
            code, text = Run(self.stack, *command, *flags).wait()
            return code, text, False
        environment = dict(self.stranger.environment) if step.stranger else {}
        if step.stranger:
            self.record.events["another account's API key"] += 1
        with self.on(step.machine) as (through, variables):
            run = Run(
                self.stack,
                *command,
                *flags,
                through=through,
                environment={**environment, **variables},
            )
            user = None
            if step.console_during:
                user = threading.Timer(step.console_during, self.reset_in_console, [step])
                user.start()
            hit = self.strike(run, step.blow) if step.blow else False
            code, text = run.wait()
            if user:
                user.join()
        if hit:
            time.sleep(LONGEST_DELAY_SECONDS + 1)  # a request in flight is carried out all the same
        # Without descriptors or threads the engine or the SDK may fail like one that is killed.
        return code, text, hit or (code != 0 and step.machine.may_kill)

    @contextmanager
    def on(self, machine: Machine) -> Iterator[tuple[list[str], dict[str, str]]]:
        """Yield what a command goes through, and its variables, on a machine that lacks things."""
        through: list[str] = []
        variables: dict[str, str] = {}
        if machine.lacks:
            self.record.events[machine.lacks] += 1
        if machine.descriptors:
            limit = f"ulimit {'-n' if machine.hard else '-S -n'} {machine.descriptors}"
            through = ["sh", "-c", f'{limit}; exec "$@"', "sh"]
        if machine.threads:
            variables = {"PYTHONPATH": str(self.site), "CHAOS_THREADS": str(machine.threads)}
        files = [self.stack.project / f"{name}.py" for name in machine.shadows]
        for file in files:
            file.write_text(machine.shadow)
        yield through, variables
        for file in files:
            file.unlink()
        shutil.rmtree(self.stack.project / "__pycache__", ignore_errors=True)

    def due(self, ledger: Ledger, command: str, arguments: list[str], holds: object) -> int:
        """Return how many resets a command may make while every response can be read."""
        if command == "destroy":
            return int(ledger is self.cache and holds is not False)
        if command != "up":
            return 0
        creates = ledger is self.neighbour or self.plan.rotate_on_create
        if ledger.settled == NOTHING:
            return int(creates)
        if ledger.settled == PENDING or self.release not in (None, ledger.settled):
            return 1
        return int("--replace" in arguments and creates and ledger is self.cache)

    def count_declared(self, ledger: Ledger, arguments: list[str], due: int) -> None:
        """Count a rotation that the program asks for, once however often it is tried."""
        asked = self.release is not None or ledger.settled == NOTHING
        if arguments[0] == "destroy":
            self.record.declared += due
        elif due and asked and ledger.counted != self.release:
            self.record.declared += 1
            ledger.counted = self.release
        elif due and "--replace" in arguments:
            self.record.declared += 1

    def after(self, arguments: list[str], code: int, *, hit: bool) -> None:
        command = arguments[0]
        for ledger in self.ledgers:
            if command == "up" and (code or hit):
                created = ledger.settled != NOTHING or self.exists(ledger)
                ledger.settled = PENDING if created or hit else NOTHING
            elif command == "up":
                due = self.due(ledger, command, arguments, None) or ledger.settled == NOTHING
                ledger.settled = self.release if due else ledger.settled
            elif command == "destroy" and not self.exists(ledger):
                ledger.settled = ledger.counted = NOTHING
        if command == "up" and not code and not hit:
            self.succeeded = self.release
        if hit:
            self.struck = True
            if delete_empty_attributes(self.stack):
                self.say("  the engine was killed while it wrote its .attrs file")
            self.stack.on_stack("cancel", "--yes", check=False)

    def strike(self, run: Run, blow: Blow) -> bool:
        calls, resets = self.emulator.connections, self.cache.database.resets
        moments = {
            "any time": lambda: True,
            "a call arrives": lambda: self.emulator.connections > calls,
            "a reset is applied": lambda: self.cache.database.resets > resets,
        }
        if not run.wait_until(moments[blow.moment], 300):
            return False
        time.sleep(blow.seconds)
        hit = run.end(blow.ending)
        if hit:
            self.record.blows[blow.ending] += 1
        return hit

    # --- what the state holds ---

    def rotations(self) -> dict[str, str]:
        """Return the rotations in the state: URN to the database's id."""
        found = [each for each in self.stack.resources() if each["type"] in ROTATIONS]
        return {
            each["urn"]: core_names(each.get("outputs", {})).get("database_id", "")
            for each in found
        }

    def exists(self, ledger: Ledger) -> bool:
        return ledger.database.id in self.rotations().values()

    def knows_password(self) -> bool:
        ids = {ledger.database.id for ledger in self.ledgers}
        outputs = [
            core_names(each.get("outputs", {}))
            for each in self.stack.resources()
            if each["type"] in ROTATIONS
        ]
        return all("password" in each for each in outputs if each.get("database_id") in ids)

    def holds_live_password(self) -> bool | None:
        """Say whether a destroy has to revoke: the state holds the live password. None: unclear."""
        if not self.plan.rotate_on_delete:
            return False
        id_ = self.cache.database.id
        states = [each for _, each in self.states() if each.get("database_id") == id_]
        if any(not each.get("password") or each.get("pending_rotation") for each in states):
            return None
        if any(each.get("rotate_on_delete") is not True for each in states):
            return None
        if not states:
            return False
        held = [_plain(each["password"]) for each in states]
        if self.lags or len(held) > 1:
            return None
        return held == [self.cache.database.password]

    def states(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the URNs and the outputs of the rotations in the state, secrets readable."""
        text = self.stack.on_stack("stack", "export", "--show-secrets")
        resources: list[dict[str, Any]] = json.loads(text)["deployment"].get("resources", [])
        return [
            (each["urn"], core_names(each.get("outputs", {})))
            for each in resources
            if each["type"] in ROTATIONS and not each.get("delete")
        ]

    def expect_kept(self, ledger: Ledger, name: str, code: int) -> None:
        """A reset was made: the state holds the live password, or knows that it has to ask.

        A password that no response shows is not in the outputs of a run that succeeds.
        """
        found = [outputs for urn, outputs in self.states() if urn.endswith(f"::{name}")]
        outputs = found[0] if found else {}
        password = _plain(outputs.get("password"))
        kept = password == ledger.database.password or outputs.get("pending_rotation")
        told = found and not code and password is None
        if not (kept or told):
            what = "another password" if password else "no rotation that is pending"
            raise LostPasswordError(f"after a reset with exit code {code} the state holds {what}")

    def expect_nothing_forgotten(self, existing: dict[str, str], *, stranger: bool) -> None:
        databases = {each.id for each in self.emulator.databases}
        kept = {urn for urn, id_ in existing.items() if stranger or id_ in databases}
        forgotten = kept - set(self.rotations())
        self.expect(not forgotten, f"the state forgot {', '.join(sorted(forgotten))}")

    def consumer_is_served(self) -> bool:
        """Say whether the consumer has the live password, unless there is nothing to consume."""
        file = self.consumers / "cache"
        held = file.read_text() if file.exists() else None
        return held == self.cache.database.password or not (held or self.exists(self.cache))

    # --- recovery, by the README's commands ---

    def recover(self) -> None:
        self.say("recovery")
        self.wait_for_reads()
        self.emulator.clear()
        self.cache.console = self.neighbour.console = 0
        if self.plan.reverted:
            self.declare(self.succeeded, upgraded=self.upgraded)
        if self.struck:
            self.run("refresh", "--clear-pending-creates")
        elif self.changed_by_others or self.record.events["a suspended database beside"]:
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

    def wait_for_reads(self) -> None:
        """Read until the API shows the live password: nothing recovers before that."""
        login = f"{self.emulator.email}:{self.emulator.api_key}".encode()
        request = urllib.request.Request(
            f"{self.emulator.url}/v2/redis/database/{self.cache.database.id}",
            headers={"Authorization": f"Basic {base64.b64encode(login).decode()}"},
        )
        self.emulator.clear()
        while True:
            with urllib.request.urlopen(request) as response:
                shown = json.load(response).get("password")
            if shown in (None, self.cache.database.password):
                return
            time.sleep(0.1)

    # --- judgement ---

    def judge(self) -> None:
        outputs = self.stack.outputs()
        for ledger, name in zip(self.ledgers, ("cache", "neighbour"), strict=False):
            password, live = outputs.get(name), ledger.database.password
            if password != live:
                raise LostPasswordError("the state holds another password")
            if not self.opens(ledger.database, password):
                raise LostPasswordError("the password in the state opens nothing")
            if self.plan.neighbour:
                held = (self.consumers / name).read_text()
                self.expect(held == live, "a consumer has another password")
        self.expect(len(self.rotations()) == len(self.ledgers), "the state holds too many")
        resets = [each.database.resets for each in self.ledgers]
        self.run("up")
        now = [each.database.resets for each in self.ledgers]
        self.expect(now == resets, "a run without a change made a reset")
        allowed = self.record.declared + self.record.unknowable
        self.expect(
            self.record.resets <= allowed,
            f"{self.record.resets} resets for {self.record.declared} declared rotations and "
            f"{self.record.unknowable} resets whose outcome could not be known",
        )
        text = self.stack.stored_text()
        leaks = any(each.database.password in text for each in self.ledgers)
        self.expect(not leaks, "a password stands in the state in clear")

    def opens(self, database: EmulatedDatabase, password: str) -> bool:
        for _ in range(50):
            with suppress(redis.ConnectionError):
                if opens(database, password, self.emulator):
                    return True
            time.sleep(0.1)  # a change that reaches the data plane late
        return False


def _lagging(trouble: Trouble, step: Step) -> Any:
    """Return a fault of a reset that reads lag behind, too."""
    if step.lag is None:
        return trouble.fault
    return replace(trouble.fault.also(step.lag), kind=trouble.fault.kind)


def _is_calm(step: Step) -> bool:
    """Say whether nothing goes wrong during a step."""
    disturbed = step.troubles or step.machine.lacks or step.stranger or step.lag
    return not (disturbed or step.console_during or step.blow)


def _told(this: object) -> str:
    """Return what a plan or a part of one says, without what it leaves as it is by default."""
    if not is_dataclass(this):
        return repr(this)
    said = [
        f"{each.name}={_told(value)}"
        for each in fields(this)
        if (value := getattr(this, each.name)) != _default(each) and each.repr
    ]
    return f"{type(this).__name__}({', '.join(said)})"


def _default(of: Field[Any]) -> object:
    return of.default_factory() if of.default_factory is not MISSING else of.default


def _plain(value: Any) -> object:
    """Return a secret of an export with --show-secrets."""
    return json.loads(value["plaintext"]) if isinstance(value, dict) else value


def _forget_newer_outputs(resource: dict[str, dict[str, object]]) -> None:
    if resource["type"] == DYNAMIC.type:
        for name in NEWER_OUTPUTS:
            resource["outputs"].pop(name, None)
