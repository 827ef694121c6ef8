"""The commands: which states they read, and their exit statuses."""

from __future__ import annotations

import functools
import math
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from pulumi_upstash_rotation._version import __version__
from pulumi_upstash_rotation.errors import RotationError
from pulumi_upstash_rotation.frontends.engine.context import now as time_now
from pulumi_upstash_rotation.resources.shards import MOST_SHARDS

from . import formats
from .credentials import credentials_in
from .due import due_now
from .fleet import fleet
from .main import NAME
from .states import StateError, from_file, from_stack, stacks_named
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .credentials import Credential
    from .states import StateResource

OK: Final = 0
ERROR: Final = 1
TOO_OLD: Final = 3
"""Exit status of `report --max-age`: a credential is older, or its age is not known."""
DUE: Final = 7
"""Exit status of `due`: something is due. `pulumi preview --expect-no-changes` has the same."""

AT_ONCE: Final = 4
"""Number of stacks that are read at the same time."""

_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_Command = TypeVar("_Command", bound="Callable[..., object]")


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Show the credentials that stacks rotate, and the databases of an account.

    No command changes anything or shows a secret.
    """


def _stacks(help_: str) -> Callable[[_Command], _Command]:
    """Add the options that name stacks."""

    def decorate(command: _Command) -> _Command:
        folder = click.option(
            "-C",
            "--cwd",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="The project's folder. The current one by default.",
        )
        stacks = click.option(
            "-s",
            "--stack",
            "stacks",
            multiple=True,
            metavar="NAME",
            help=f"{help_} Several are possible. A pattern, such as 'shard-*', names all stacks of "
            "the project that match.",
        )
        return stacks(folder(command))

    return decorate


def _sources(command: _Command) -> _Command:
    """Add the options that say which states a command reads."""
    stacks = _stacks("Read this stack instead of the current one.")
    return click.argument("files", nargs=-1, metavar="[FILES]...")(stacks(command))


def _exit_status(command: Callable[..., int]) -> Callable[..., NoReturn]:
    """Let a command end with the exit status that it returns. Show an error as one line."""

    @functools.wraps(command)
    def ending(*arguments: Any, **options: Any) -> NoReturn:  # noqa: ANN401  as the command
        try:
            status = command(*arguments, **options)
        except RotationError as error:
            _say(str(error))
            status = ERROR
        click.get_current_context().exit(status)

    return ending


@cli.command(
    epilog="""\b
Exit status:
  0  the report is complete
  1  a state cannot be read
  2  wrong usage
  3  a credential is older than --max-age, or its age is not known"""
)
@_sources
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(list(formats.FORMATS)),
    default="table",
    show_default=True,
    help="Format of the report.",
)
@click.option(
    "--max-age",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DAYS",
    help="End with exit status 3 if a credential is older, or if its age is not known.",
)
@_exit_status
def report(
    files: Sequence[str],
    stacks: Sequence[str],
    cwd: Path | None,
    format_: str,
    max_age: float | None,
) -> int:
    """Show one row for each credential.

    FILES are states that `pulumi stack export` has written, or state files of a local backend. - is
    the standard input. Without FILES the command runs `pulumi stack export` for the current stack.
    That needs no passphrase.

    The age of an adopted credential counts from the adoption, as its schedule does.
    """
    if max_age is not None and math.isnan(max_age):
        raise click.BadParameter("must be a number of days", param_hint="--max-age")
    credentials, now = _read(files, stacks, cwd), time_now()
    _show(formats.FORMATS[format_](formats.Report(credentials, now, _width())))
    if max_age is None:
        return OK
    ages = [(each, each.least_age(now)) for each in credentials]
    # A maximum of more days than a time can hold
    limit = timedelta(days=min(max_age, timedelta.max.days))
    bad = [formats.qualified_name(each) for each, age in ages if age is None or age > limit]
    if bad:
        _say(f"older than {max_age:g} days, or of unknown age: {', '.join(bad)}")
    return TOO_OLD if bad else OK


@cli.command(
    epilog="""\b
Exit status:
  0  nothing is due
  1  a state cannot be read
  2  wrong usage
  7  something is due"""
)
@_sources
@click.option("--json", "as_json", is_flag=True, help="Show JSON.")
@_exit_status
def due(files: Sequence[str], stacks: Sequence[str], cwd: Path | None, *, as_json: bool) -> int:
    """Show which credentials need a `pulumi up` now, and why.

    A rotation is due by age or schedule, or something is pending. The command runs no program, so
    it cannot see a changed trigger. `pulumi preview --expect-no-changes` can.

    It reads the same FILES and stacks as `report`.
    """
    credentials, now = _read(files, stacks, cwd), time_now()
    found = due_now(credentials, now)
    _show(formats.due_as_json(found, now) if as_json else formats.due_as_text(found))
    for each in credentials:
        if "next_rotation_at" in each.secret or each.secret & {"rotated_at", "adopted_at"}:
            _say(f"{formats.qualified_name(each)}: its age or schedule is secret, so not known")
    return DUE if found else OK


@cli.command(
    "list",
    epilog="""\b
Exit status:
  0  the list is complete
  1  the API did not return it, or a state cannot be read
  2  wrong usage""",
)
@click.option(
    "--prefix", default="", metavar="TEXT", help="Show only databases whose name starts with it."
)
@click.option(
    "--shards",
    type=click.IntRange(1, MOST_SHARDS),
    metavar="COUNT",
    help="Show the shard of each database, of so many shards.",
)
@_stacks("Show which of these stacks rotate each database, too.")
@click.option("--json", "as_json", is_flag=True, help="Show JSON.")
@_exit_status
def list_(
    prefix: str, shards: int | None, stacks: Sequence[str], cwd: Path | None, *, as_json: bool
) -> int:
    """Show the databases of the account that UPSTASH_EMAIL and UPSTASH_API_KEY name.

    It sends one request to Upstash, which changes nothing. A database without a stack is rotated by
    none of those that --stack names. With --shards you can plan a fleet before an update.
    """
    credentials = _read((), stacks, cwd) if stacks else []
    found = fleet(prefix, shards, credentials, _say)
    _show(formats.fleet_as_json(found) if as_json else formats.fleet_as_table(found, _width()))
    return OK


def _read(files: Sequence[str], stacks: Sequence[str], cwd: Path | None) -> list[Credential]:
    """Return the credentials of all named states.

    Raises:
        StateError: One of the states cannot be read.
    """
    if files and (stacks or cwd):
        raise click.UsageError("FILES are states, so --stack and --cwd do not go with them.")
    if files:
        states = [_from_file(name) for name in files]
    elif stacks:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            states = list(pool.map(lambda stack: from_stack(stack, cwd), stacks_named(stacks, cwd)))
    else:
        states = [from_stack(None, cwd)]
    return [credential for state in states for credential in credentials_in(state)]


def _from_file(name: str) -> list[StateResource]:
    if name == "-":
        return from_file("standard input", sys.stdin.buffer)
    try:
        with Path(name).open("rb") as file:
            return from_file(name, file)
    except OSError as error:
        raise StateError(f"{name}: cannot be read ({error.strerror})") from None


def _width() -> int | None:
    """Return the width of the terminal. None without one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _show(text: str) -> None:
    click.echo(text, nl=False)


def _say(message: str) -> None:
    """Show a line for people, apart from the output."""
    click.echo(f"{NAME}: {printable(message)}", err=True)
