"""The commands: what they read and show, and their exit statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation import __version__
from pulumi_upstash_rotation.frontends.cli import commands
from pulumi_upstash_rotation.frontends.cli.commands import cli
from pulumi_upstash_rotation.frontends.cli.formats import FORMATS
from pulumi_upstash_rotation.frontends.cli.states import StateError
from pulumi_upstash_rotation.resources import handler_of

from ...support.clock import START
from ...support.exported import (
    PACKAGES,
    ROTATED,
    TOKEN,
    acl_user,
    checkpoint,
    exported,
    resource,
    secret,
    secret_in_clear,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pulumi_upstash_rotation.frontends.cli.states import StateResource

SHARDS: Final = ["shard-1", "shard-2"]
STATE: Final = exported(resource(ROTATED, {"rotation_days": 30}))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the tests' clock stand still, in an empty folder."""
    monkeypatch.setattr(commands, "time_now", lambda: START)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(cli, arguments, input=stdin, prog_name="upstash-rotation")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def names(result: Result) -> list[str]:
    return [each["name"] for each in json.loads(result.stdout)["credentials"]]


def write(name: str, *resources: object, written: Callable[..., str] = exported) -> str:
    Path(name).write_text(written(*resources))
    return name


# Sources


def test_files_are_read_in_their_order() -> None:
    files = [
        write("b.json", resource(ROTATED, name="b")),
        write("a.json", *acl_user(), written=checkpoint),
        "-",
    ]
    assert names(run("report", "--format=json", *files, stdin=STATE)) == ["b", "app", "cache"]


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, Path | None]]:
    """The stacks that a command has exported."""
    found: list[tuple[str | None, Path | None]] = []

    def from_stack(stack: str | None, folder: Path | None) -> list[StateResource]:
        found.append((stack, folder))
        if stack == "absent":
            raise StateError("stack absent: `pulumi stack export` failed: no stack named 'absent'")
        return []

    def stacks_named(names: Sequence[str], folder: Path | None) -> list[str]:
        assert folder is None or folder == Path()
        return [each for name in names for each in (SHARDS if name == "shard-*" else [name])]

    monkeypatch.setattr(commands, "from_stack", from_stack)
    monkeypatch.setattr(commands, "stacks_named", stacks_named)
    return found


@pytest.mark.parametrize("command", ["report", "due"])
@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ([], [(None, None)]),
        (["-C", "."], [(None, Path())]),
        (["-s", "dev", "--stack", "org/shop/prod"], [("dev", None), ("org/shop/prod", None)]),
        (["-s", "shard-*", "-C", "."], [(shard, Path()) for shard in SHARDS]),
    ],
)
def test_stacks_are_exported(
    command: str,
    arguments: list[str],
    read: list[tuple[str | None, Path | None]],
    stacks: list[tuple[str | None, Path | None]],
) -> None:
    assert run(command, *arguments).exit_code == 0
    assert sorted(stacks, key=str) == sorted(read, key=str)


# Errors


@pytest.mark.parametrize("command", ["report", "due"])
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["absent.json"], "absent.json: cannot be read (No such file or directory)"),
        (["."], ".: cannot be read (Is a directory)"),
        (["-"], "standard input: is not JSON; expects what `pulumi stack export` prints, or a "),
        (["-s", "absent"], "stack absent: `pulumi stack export` failed: no stack named 'absent'"),
        (["\x1b[31m\n"], "\\u001b[31m\\u000a: cannot be read (No such file or directory)"),
    ],
)
@pytest.mark.usefixtures("stacks")
def test_error_is_one_line(command: str, arguments: list[str], line: str) -> None:
    result = run(command, *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"upstash-rotation: {line}")
    assert result.stderr.count("\n") == 1


def test_one_bad_state_shows_no_report_of_the_others() -> None:
    result = run("report", write("a.json", resource(ROTATED)), "absent.json")
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["report", "a.json", "--stack", "dev"], "FILES are states"),
        (["due", "a.json", "--cwd", "."], "FILES are states"),
        (["report", "--cwd", "absent"], "absent"),
        (["report", "--format", "xml"], "'xml' is not one of 'table', 'markdown', 'json'"),
        (["report", "--max-age", "0"], "0.0 is not in the range x>0"),
        (["report", "--max-age", "ten"], "ten"),
        (["report", "--max-age", "nan"], "must be a number of days"),
        (["rotate"], "No such command 'rotate'"),
    ],
)
def test_wrong_usage_is_exit_status_2(arguments: list[str], text: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


def test_version_is_the_packages() -> None:
    assert run("--version").stdout == f"{__version__}\n"


# Exit statuses


@pytest.mark.parametrize(
    ("max_age", "status"),
    [("10", 0), ("9.99", 3), ("1e300", 0), ("inf", 0), (None, 0)],
)
def test_credential_that_is_older_is_exit_status_3(max_age: str | None, status: int) -> None:
    result = run("report", "-", *(["--max-age", max_age] if max_age else []), stdin=STATE)
    assert result.exit_code == status
    assert "cache-1" in result.stdout
    line = "upstash-rotation: older than 9.99 days, or of unknown age: shop/dev cache\n"
    assert result.stderr == (line if status else "")


@pytest.mark.parametrize(("max_age", "status"), [("10", 0), ("9.99", 3)])
def test_age_of_an_adopted_credential_counts_from_the_adoption(max_age: str, status: int) -> None:
    outputs = {**ROTATED, "adopted_at": ROTATED["rotated_at"], "rotated_at": None}
    state = exported(resource(outputs))
    assert run("report", "-", "--max-age", max_age, stdin=state).exit_code == status


@pytest.mark.parametrize(
    "outputs",
    [
        {"rotated_at": None},
        {"rotated_at": secret()},
        {"rotated_at": "2027-01-01T00:00:00Z"},
    ],
)
def test_credential_of_unknown_age_is_exit_status_3(outputs: dict[str, Any]) -> None:
    state = exported(resource({**ROTATED, **outputs}))
    assert run("report", "-", stdin=state).exit_code == 0
    assert run("report", "-", "--max-age=1000", stdin=state).exit_code == 3


@pytest.mark.parametrize(
    ("inputs", "status", "text"),
    [
        ({"rotation_days": 10}, 7, "shop/dev cache: age\n"),
        ({"rotation_days": 11}, 0, "Nothing is due.\n"),
    ],
)
def test_something_due_is_exit_status_7(inputs: dict[str, Any], status: int, text: str) -> None:
    result = run("due", "-", stdin=exported(resource(ROTATED, inputs)))
    assert (result.exit_code, result.stdout, result.stderr) == (status, text, "")


def test_due_as_json() -> None:
    result = run("due", "--json", "-", stdin=exported(resource(ROTATED, {"rotation_days": 10})))
    (found,) = json.loads(result.stdout)["due"]
    assert (found["name"], found["reasons"], result.exit_code) == ("cache", ["age"], 7)


@pytest.mark.parametrize(
    ("outputs", "inputs"), [({}, {"rotation_days": secret()}), ({"rotated_at": secret()}, {})]
)
def test_due_says_what_it_cannot_know(outputs: Any, inputs: Any) -> None:
    result = run("due", "-", stdin=exported(resource({**ROTATED, **outputs}, inputs)))
    assert (result.exit_code, result.stdout) == (0, "Nothing is due.\n")
    line = "upstash-rotation: shop/dev cache: its age or schedule is secret, so not known\n"
    assert result.stderr == line


# Secrets


CANARY: Final = "canary-d41d8cd98f"
SECRETS: Final = {
    kind: sorted(handler_of(kind).secret_in_state)
    for kind in ("RedisPasswordRotation", "RedisAclToken", "RedisAclUser", "RedisAclRetirement")
}
FORMS: Final[list[Callable[[str], object]]] = [
    str,
    secret,
    secret_in_clear,
    lambda text: {text: [text, secret_in_clear(text)]},
    lambda text: [{text: text}],
]
"""How a state may hold a secret: in clear, encrypted, decrypted, or inside other values."""


@st.composite
def states_with_secrets(draw: st.DrawFn) -> str:
    """Draw a state with a canary in every position that is secret, or that a user made secret."""
    front_end = draw(st.sampled_from(sorted(PACKAGES)))

    def planted(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
        marked = draw(st.sets(st.sampled_from(sorted(values)), max_size=4))
        return {
            **values,
            **{name: draw(st.sampled_from(FORMS))(CANARY) for name in SECRETS[kind]},
            **{name: draw(st.sampled_from(FORMS[1:]))(CANARY) for name in sorted(marked)},
        }

    inputs = {"rotation_days": 1, "rotation_schedule": "0 3 * * *", "database_id": "an-id"}
    made = [
        resource(
            planted(kind, {**TOKEN, "pending_rotation": "age"}),
            planted(kind, inputs),
            kind=kind,
            front_end=front_end,
        )
        for kind in SECRETS
    ]
    begun = [{"resource": each, "type": "updating"} for each in draw(st.permutations(made))[:2]]
    return draw(st.sampled_from([exported(*made, pending_operations=begun), checkpoint(*made)]))


@given(states_with_secrets(), st.sampled_from([*FORMATS, "due", "due --json"]))
def test_no_secret_shows_in_any_format(state: str, format_: str) -> None:
    command = [*format_.split(), "-"] if "due" in format_ else ["report", "-", f"-f{format_}"]
    assert CANARY in state
    result = run(*command, stdin=state)
    assert result.exit_code in {0, 7}
    assert "dev" in result.stdout
    assert CANARY not in result.stdout + result.stderr
