"""What only the native plugin can do, or could do wrong, on the real engine.

The tests of faults, recovery, errors and secrets run through both front ends. `make test` runs the
native one here, in few updates, and the others in `make soak`.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pulumi import automation

from upstash_emulator import Emulator, Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.front_ends import DYNAMIC, NATIVE, FrontEnd, through
from ..support.messages import MAY_HAVE_CHANGED, RECONCILED_NOW
from ..support.programs import Code, exported, options, write_project
from ..support.runs import Ending, Run, wait_for
from ..support.stacks import CREDENTIALS, Rotations, changed, diagnostics_of, errors_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psutil

    from ..support.stacks import StackFactory

YES = ("--yes", "--skip-preview")
APPLIED_AND_LOST = Fault.closed(applied=True)
PLUGIN = "pulumi-resource-upstash-rotation"


@pytest.fixture
def front_end(request: pytest.FixtureRequest) -> FrontEnd:
    """The front end that programs use: by default the native one."""
    chosen: FrontEnd = getattr(request, "param", NATIVE)
    return chosen


def steps(preview: str) -> dict[str, dict[str, Any]]:
    """Return the steps of `preview --json` by the name of the resource."""
    document, _ = json.JSONDecoder().raw_decode(preview[preview.index("{\n") :])
    found = document["steps"]
    return {each["urn"].rpartition("::")[2]: each for each in found}


def calls_of_the_account(rotations: Rotations) -> list[str]:
    return [call.operation for call in rotations.emulator.calls]


def state_of(rotations: Rotations, name: str) -> dict[str, Any]:
    """Return the resource in the state."""
    (found,) = [each for each in rotations.stack.resources() if each["urn"].endswith(f"::{name}")]
    return found


def lose_the_outcome(rotations: Rotations, name: str) -> None:
    """Let resets be applied and their responses be lost, and no read show the password."""
    rotations.fault(name, APPLIED_AND_LOST, "reset", None)
    rotations.fault(name, Fault.without(*CREDENTIALS), "get", None)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != "zombie" for each in processes)


def test_a_life_with_a_lost_response_an_unknown_outcome_a_drift_and_a_killed_engine(
    rotations: Rotations,
) -> None:
    names = ("calm", "lost", "unclear", "drift")
    for name in names:
        rotations.declare(name, triggers={"a": 1, "b": 1}, rotate_on_delete=name == "calm" or None)
    rotations.declare("follower", triggers=Code("{'follows': drift.credential_fingerprint}"))
    rotations.preview()
    assert calls_of_the_account(rotations) == []
    rotations.up()
    assert set(rotations.resets().values()) == {1}
    assert_live(rotations, *names)

    for name in ("lost", "unclear", "drift"):
        rotations.declare(name, triggers={"a": 2, "b": 1})
    rotations.emulator.clear()
    planned = steps(rotations.preview("--json"))
    assert calls_of_the_account(rotations) == []
    assert "calm" not in planned
    assert planned["lost"]["detailedDiff"] == {"triggers.a": {"kind": "update", "inputDiff": True}}
    assert planned["follower"]["op"] == "update"  # it sees outputs that are not known yet
    assert "triggers.follows" in planned["follower"]["detailedDiff"]

    rotations.fault("lost", APPLIED_AND_LOST, "reset")
    lose_the_outcome(rotations, "unclear")
    shown = rotations.failing_up()
    assert MAY_HAVE_CHANGED in "\n".join(diagnostics_of(shown, "unclear"))
    assert rotations.database("lost").resets == 1
    assert rotations.database("unclear").password not in rotations.stack.stored_text()
    rotations.emulator.clear()
    rotations.database("drift").reset_in_console()
    preview = rotations.preview()
    assert RECONCILED_NOW in "\n".join(diagnostics_of(preview, "unclear"))
    rotations.refresh()
    rotations.up()
    assert rotations.resets() == dict.fromkeys(rotations.resets(), 0) | {"drift": 1, "follower": 1}
    assert rotations.out("drift")["rotation_cause"] == "external"
    assert rotations.out("unclear")["rotation_cause"] == "trigger: a"

    assert_nothing_left_to_do(rotations)
    update_whose_engine_is_killed(rotations, "calm", "lost")
    rotations.stack.on_stack("cancel", "--yes")
    rotations.refresh("--clear-pending-creates")
    rotations.up()
    assert_live(rotations, *names, "follower")
    assert rotations.resets() == dict.fromkeys(rotations.resets(), 0) | {"calm": 1, "lost": 1}
    last = rotations.database("calm").password
    rotations.destroy()
    assert rotations.stack.resources() == []
    assert rotations.database("calm").password != last
    assert rotations.emulator.resets == 3


def update_whose_engine_is_killed(rotations: Rotations, *names: str) -> None:
    """Kill the engine while the resets of some rotations are in flight."""
    for name in names:
        rotations.declare(name, triggers={"a": 3, "b": 1}, rotate_on_delete=name == "calm" or None)
        rotations.fault(name, Fault.delay(10, applied=True), "reset")
    rotations.write()
    run = Run(rotations.stack, "up", *YES)
    databases = [rotations.database(name) for name in names]
    resets = [each.resets + 1 for each in databases]
    assert run.wait_until(lambda: [each.resets for each in databases] == resets)
    plugins = run.providers()
    assert plugins
    run.kill_engine()
    assert wait_for(lambda: all_gone(plugins), 10)
    run.wait()
    rotations.emulator.clear()


def test_an_import_adopts_the_password_and_a_database_declared_twice_fails_in_the_preview(
    rotations: Rotations,
) -> None:
    stack = rotations.stack
    by_command = rotations.declare("by_command")
    stack.pulumi(
        *("import", *YES, "--generate-code=false", "--protect=false", "--stack", stack.name),
        *(NATIVE.type, "by_command", by_command.id),
    )
    assert changed(rotations.up()) == {}
    by_option = rotations.database("by_option")
    rotations.declare(
        "by_option", triggers={"a": 1}, rotation_days=30, opts=options(f"import_={by_option.id!r}")
    )
    rotations.declare("by_command", triggers={"a": 1})
    rotations.up()
    assert_live(rotations, "by_command", "by_option")
    assert_nothing_left_to_do(rotations)
    assert rotations.out("by_option")["next_rotation_at"] > rotations.out("by_option")["adopted_at"]
    assert rotations.emulator.resets == 0
    rotations.declare("again", of="by_command")
    rotations.write()
    assert "is the database of another resource in this program" in errors_of(stack, "preview")
    rotations.withdraw("again")
    for name in ("by_command", "by_option"):
        rotations.declare(name, triggers={"a": 2})
    rotations.up()
    assert rotations.resets() == {"by_command": 1, "by_option": 1}
    assert_live(rotations, "by_command", "by_option")


@pytest.mark.parametrize("through_refresh", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_dynamic_resource_moves_by_its_alias_without_a_reset_and_back_by_an_export(
    rotations: Rotations, through_refresh: bool
) -> None:
    rotations.use(DYNAMIC)
    rotations.declare("calm", triggers={"a": 1}, rotation_days=30, rotate_on_delete=True)
    rotations.declare("unclear", triggers={"a": 1})
    rotations.up()
    rotations.emulator.clear()
    lose_the_outcome(rotations, "unclear")
    rotations.declare("unclear", triggers={"a": 2})
    rotations.failing_up()
    rotations.emulator.clear()
    before = rotations.stack.folder / "before.json"
    rotations.stack.on_stack("stack", "export", "--file", str(before))

    rotations.use(NATIVE)
    planned = steps(rotations.preview("--json"))
    assert {planned[name]["op"] for name in ("calm", "unclear")} == {"update"}
    if through_refresh:
        rotations.refresh("--run-program")
    rotations.up()
    assert rotations.emulator.resets == 0
    assert_live(rotations, "calm", "unclear")
    assert_nothing_left_to_do(rotations)
    for name in ("calm", "unclear"):
        resource = state_of(rotations, name)
        assert resource["type"] == NATIVE.type
        assert "__provider" not in resource["outputs"]
        assert resource["outputs"]["rotationCount"] == rotations.out(name)["rotation_count"]
        assert not [each for each in resource["outputs"] if "_" in each.strip("_")], name
    assert state_of(rotations, "calm")["inputs"]["rotateOnDelete"] is True

    rotations.use(DYNAMIC)
    rotations.write()
    rotations.stack.on_stack("stack", "import", "--file", str(before))
    rotations.up()
    assert_live(rotations, "calm", "unclear")
    assert_nothing_left_to_do(rotations)
    assert rotations.emulator.resets == 0


def test_a_changed_config_counts_at_once_and_a_wrong_one_is_one_line(rotations: Rotations) -> None:
    emulator, stack = rotations.emulator, rotations.stack
    database = rotations.declare("cache", triggers={"a": 1})
    for name in ("UPSTASH_EMAIL", "UPSTASH_API_KEY"):
        stack.environment[name] = None
    stack.set_config("upstash-rotation:email", emulator.email)
    stack.set_config("upstash-rotation:apiKey", emulator.api_key, secret=True)
    stack.set_config("upstash-rotation:maxConcurrency", "3")
    rotations.up()
    rotations.declare("cache", triggers={"a": 2})
    stack.set_config("upstash-rotation:apiKey", "wrong-key-canary", secret=True)
    rotations.write()
    assert "(401)" in errors_of(stack, "up")
    stack.set_config("upstash-rotation:apiKey", emulator.api_key, secret=True)
    stack.set_config("upstash-rotation:apikey", "typo-canary", secret=True)
    (line,) = errors_of(stack, "preview").splitlines()
    assert "config upstash-rotation:apikey is not a setting. The settings are email, " in line
    stack.on_stack("config", "rm", "upstash-rotation:apikey")
    assert database.resets == 1
    rotations.up()
    assert database.resets == 2
    stored = stack.stored_text()
    for secret in (emulator.api_key, "wrong-key-canary", "typo-canary", database.password):
        assert secret not in stored


@pytest.mark.soak
def test_options_of_the_engine_do_what_they_do_with_other_resources(rotations: Rotations) -> None:
    names = ("replaced", "target", "other", "renamed", "deleted", "failing")
    for name in names:
        rotations.declare(name, triggers={"a": 1})
    rotations.up()
    rotations.emulator.clear()
    rotations.up("--replace", rotations.urn("replaced"))
    assert rotations.resets() == dict.fromkeys(names, 0) | {"replaced": 1}
    for name in ("target", "other"):
        rotations.declare(name, triggers={"a": 2})
    rotations.up("--target", rotations.urn("target"))
    assert (rotations.database("target").resets, rotations.database("other").resets) == (1, 0)

    alias = options("aliases=[pulumi.Alias(name='renamed')]")
    rotations.declare("new_name", of="renamed", triggers={"a": 1}, opts=alias)
    rotations.withdraw("renamed")
    rotations.declare("failing", triggers={"a": 2})
    rotations.fault("failing", Fault.status(403), "reset")
    rotations.failing_up()  # with --continue-on-error
    assert rotations.database("other").resets == 1
    assert rotations.database("renamed").resets == rotations.database("failing").resets == 0

    rotations.database("deleted").delete()
    rotations.refresh()
    held = [each["urn"].rpartition("::")[2] for each in rotations.stack.resources()]
    assert "deleted" not in held
    assert "new_name" in held
    rotations.withdraw("deleted")
    rotations.up()
    assert_live(rotations, "replaced", "target", "other", "failing")
    assert_nothing_left_to_do(rotations)


REPLACED_FIRST = """
class Provider(pulumi.dynamic.ResourceProvider):
    def create(self, props):
        return pulumi.dynamic.CreateResult("of " + props["id"], {{**props, "of": props["id"]}})
    def diff(self, id, olds, news):
        changes = olds["id"] != news["id"]
        return pulumi.dynamic.DiffResult(changes, ["id"] if changes else [], [])
class Maker(pulumi.dynamic.Resource):
    def __init__(self, id):
        first = pulumi.ResourceOptions(delete_before_replace=True)
        super().__init__(Provider(), "maker", {{"id": id, "of": None}}, first)
maker = Maker({id!r})
"""


@pytest.mark.soak
@through(DYNAMIC, NATIVE)
def test_a_database_that_is_deleted_before_its_replacement_takes_its_rotation_along(
    rotations: Rotations,
) -> None:
    old, new = rotations.database("old"), rotations.database("new")
    rotations.head = REPLACED_FIRST.format(id=old.id)
    rotations.tail = exported("cache", database_id=Code("maker.of"))
    rotations.up()
    rotations.head = REPLACED_FIRST.format(id=new.id)
    text = rotations.up()
    # Pulumi asks the provider about the new id before it has checked the rotation.
    assert text.index(" cache deleted original") < text.index(" cache creating replacement"), text
    assert (old.resets, new.resets) == (1, 1)
    assert rotations.out("cache")["password"] == new.password


@pytest.mark.soak
@pytest.mark.parametrize("ending", ["none", "interrupt", "interrupt twice", "engine"])
def test_no_plugin_outlives_its_run(rotations: Rotations, ending: Ending | str) -> None:
    for number in range(3):
        name = f"r{number}"
        rotations.declare(name)
        rotations.fault(name, Fault.delay(2, applied=True), "reset")
    rotations.write()
    run = Run(rotations.stack, "up", *YES)
    assert run.wait_until(lambda: rotations.emulator.resets > 0)
    plugins = run.providers()
    assert len(plugins) == 1
    if ending.startswith("interrupt"):
        run.interrupt()
    if ending == "interrupt twice":
        time.sleep(0.5)
        run.interrupt()
    if ending == "engine":
        run.kill_engine()
    run.wait()
    assert wait_for(lambda: all_gone(plugins), 10)


@pytest.mark.soak
def test_the_files_and_streams_that_a_run_writes_show_no_secret(
    new_stack: StackFactory, upstash_emulator: Emulator
) -> None:
    trigger = "trigger-canary-e99a18c428"
    rotations = Rotations(new_stack(), upstash_emulator, front_end=NATIVE)
    secret = Code(f"{{'who': pulumi.Output.secret({trigger!r})}}")
    database = rotations.declare("cache", triggers=secret)
    events = rotations.stack.folder / "events.json"
    first = database.password
    rotations.stack.environment["PULUMI_DEBUG_COMMANDS"] = "true"  # for --event-log
    text = rotations.up("-v=8", "--logtostderr", "--logflow", "--event-log", str(events))
    canaries = (first, database.password, database.rest_token, upstash_emulator.api_key, trigger)
    for place, shown in {"the streams": text, "the events": events.read_text()}.items():
        assert shown
        assert not [each for each in canaries if each in shown], place
    events.unlink()
    stored = rotations.stack.stored_text()
    assert not [each for each in canaries if each in stored]


# --- two accounts at once ---

ACCOUNTS = ("one", "two")


class TwoAccounts:
    """Two accounts, each with an emulator, a program's databases, and a stack of its own."""

    def __init__(self, emulators: Mapping[str, Emulator], folder: Path) -> None:
        self.databases = {
            name: [each.add_database(f"{name}{number}") for number in range(4)]
            for name, each in emulators.items()
        }
        self.emulators = emulators
        self.folder = folder

    def project(self, name: str, release: int) -> Path:
        """Return a folder with the program that rotates the databases of an account."""
        folder = self.folder / f"{name}{release}"
        text = "".join(
            f"pulumi.export({each.name!r}, RedisPasswordRotation({each.name!r}, "
            f"database_id={each.id!r}, triggers={{'release': {release}}}).password)\n"
            for each in self.databases[name]
        )
        write_project(folder, text, NATIVE)
        return folder

    def config(self, name: str) -> dict[str, automation.ConfigValue]:
        emulator = self.emulators[name]
        settings = {"email": emulator.email, "apiKey": emulator.api_key, "apiUrl": emulator.url}
        return {
            f"upstash-rotation:{key}": automation.ConfigValue(value, secret=key == "apiKey")
            for key, value in settings.items()
        }

    def run(self, environment: Mapping[str, str]) -> None:
        """Rotate all databases three times, the accounts at once."""
        with ThreadPoolExecutor(len(ACCOUNTS)) as pool:
            list(pool.map(lambda name: self._run(name, environment), ACCOUNTS))

    def _run(self, name: str, environment: Mapping[str, str]) -> None:
        emulator = self.emulators[name]
        state = self.folder / f"state-{name}"
        state.mkdir()
        for release in (1, 2):
            stack = automation.create_or_select_stack(
                name,
                work_dir=str(self.project(name, release)),
                opts=automation.LocalWorkspaceOptions(
                    env_vars={
                        "PULUMI_BACKEND_URL": f"file://{state}",
                        "PULUMI_CONFIG_PASSPHRASE": "two accounts",
                        "PULUMI_HOME": str(self.folder / f"home-{name}"),
                        "PULUMI_SKIP_UPDATE_CHECK": "true",
                        "SSL_CERT_FILE": str(emulator.ca_bundle),
                        **environment,
                    }
                ),
            )
            stack.set_all_config(self.config(name))
            outputs = stack.up().outputs
            for database in self.databases[name]:
                assert database.resets == release
                assert outputs[database.name].secret
                assert outputs[database.name].value == database.password
            stack.refresh()
        stack.destroy()


@pytest.fixture
def two_accounts(tmp_path: Path) -> Iterator[TwoAccounts]:
    with Emulator(databases=0) as one, Emulator(databases=0) as two:
        yield TwoAccounts(dict(zip(ACCOUNTS, (one, two), strict=True)), tmp_path)


@contextmanager
def attached(folder: Path, certificates: str) -> Iterator[int]:
    """Run the plugin as a debugger does; yield its port."""
    log = (folder / "plugin.log").open("wb")
    with (
        log,
        subprocess.Popen(
            [PLUGIN],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**_environment(), "SSL_CERT_FILE": certificates},
        ) as plugin,
    ):
        assert plugin.stdout is not None
        try:
            yield int(plugin.stdout.readline())
        finally:
            plugin.terminate()
            assert plugin.wait(10) == 0


def _environment() -> dict[str, str]:
    names = ("UPSTASH_EMAIL", "UPSTASH_API_KEY", "UPSTASH_API_URL")
    return {name: value for name, value in os.environ.items() if name not in names}


@pytest.mark.soak
@pytest.mark.parametrize("attach", [False, True])
def test_two_stacks_of_two_accounts_at_once_do_not_mix(
    two_accounts: TwoAccounts, tmp_path: Path, attach: bool
) -> None:
    if not attach:
        two_accounts.run({})
        return
    bundle = tmp_path / "both.pem"
    bundle.write_text(
        "".join(Path(each.ca_bundle).read_text() for each in two_accounts.emulators.values())
    )
    with attached(tmp_path, str(bundle)) as port:
        two_accounts.run({"PULUMI_DEBUG_PROVIDERS": f"upstash-rotation:{port}"})
