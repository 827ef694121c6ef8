"""The command line. It prints export lines for a shell, and runs until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import os
import queue
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .emulator import Emulator
from .errors import EmulatorError
from .redis_processes.binary import find_redis_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_API_KEY_VARIABLE: Final = "UPSTASH_EMULATOR_API_KEY"
_DEFAULT_PORT: Final = 8080
_LAST_PORT: Final = 65_535
_MOST_DATABASES: Final = 10_000
_LISTED: Final = 16
_ENV_FILE_MARK: Final = "# written by upstash_emulator, removed when it stops\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until a signal ends it, and return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="upstash_emulator: %(message)s", level=logging.WARNING)
    # Not an Event: its set() would wait for a lock that the interrupted wait() may hold.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: signals.put(received))
    try:
        _require_loopback(options)
        with _emulator(options) as emulator, _env_file(options.env_file, emulator):
            sys.stdout.write(_welcome(emulator, options))
            sys.stdout.flush()
            signals.get()
    except EmulatorError as error:
        sys.stderr.write(f"upstash_emulator: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m upstash_emulator",
        description="A local Upstash for tests, in front of real Redis servers.",
        epilog=f"The API key is random at each start, unless ${_API_KEY_VARIABLE} sets it.",
    )
    add = parser.add_argument
    add(
        "--databases",
        type=_between(0, _MOST_DATABASES),
        default=2,
        metavar="N",
        help="number of databases (default: %(default)s)",
    )
    add(
        "--port",
        type=_between(0, _LAST_PORT),
        default=_DEFAULT_PORT,
        metavar="N",
        help="port of the Developer API, 0 for any free one (default: %(default)s)",
    )
    add("--host", default="127.0.0.1", help="address of the Developer API (default: %(default)s)")
    add(
        "--allow-other-machines",
        action="store_true",
        help="allow a --host that other machines can reach",
    )
    add("--email", help="user name of the Developer API (default: developer@example.com)")
    add(
        "--latency",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="minimum time for a response of the Developer API",
    )
    add(
        "--requests-per-second",
        type=int,
        default=0,
        metavar="N",
        help="limit of the Developer API; it rejects other requests with 429 (default: none)",
    )
    add(
        "--reset-response",
        choices=("documented", "with-credentials"),
        default="documented",
        help="response to a reset, as documented or with credentials, as until 2025",
    )
    add("--no-redis-servers", action="store_true", help="run the APIs only, for fleets of any size")
    add("--no-tls", action="store_true", help="serve redis:// databases, without TLS")
    add(
        "--env-file",
        type=Path,
        metavar="PATH",
        help="also write the exports to this file, and remove it at the end",
    )
    return parser


def _between(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least} to {most}")
        return int(text)

    return parse


def _require_loopback(options: argparse.Namespace) -> None:
    try:
        local = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        local = options.host == "localhost"
    if not local and not options.allow_other_machines:
        raise EmulatorError(
            f"other machines can reach --host {options.host}, and the control API needs no "
            "password. Add --allow-other-machines to allow that"
        )


def _emulator(options: argparse.Namespace) -> Emulator:
    return Emulator(
        databases=options.databases,
        latency_seconds=options.latency,
        requests_per_second=options.requests_per_second,
        redis_servers=not options.no_redis_servers,
        tls=not options.no_tls,
        reset_response=options.reset_response.replace("-", "_"),
        host=options.host,
        port=options.port,
        email=options.email,
        api_key=os.environ.get(_API_KEY_VARIABLE) or None,
    )


def _exports(emulator: Emulator) -> str:
    variables = emulator.environment.items()
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables)


def _welcome(emulator: Emulator, options: argparse.Namespace) -> str:
    """Return the first output: the exports, the databases, and how to stop the emulator."""
    databases = emulator.databases
    number = f"{len(databases)} database{'' if len(databases) == 1 else 's'}"
    lines = [
        f"Upstash emulator: {number}, {_redis(options)}. Paste into another shell:",
        "",
        _exports(emulator),
    ]
    width = max((len(database.name) for database in databases), default=0)
    for database in databases[:_LISTED]:
        address = database.rest_url if options.no_redis_servers else database.url
        lines.append(f"{database.name:<{width}}  {database.id}  {address}")
    if len(databases) > _LISTED:
        lines.append(f"… and {len(databases) - _LISTED} more: {emulator.url}/emulator")
    lines += ["", "Ctrl-C stops it and leaves nothing behind.", ""]
    return "\n".join(lines)


def _redis(options: argparse.Namespace) -> str:
    if options.no_redis_servers:
        return "without Redis"
    binary = find_redis_binary()
    if options.no_tls:
        return f"Redis {binary.version} without TLS"
    return f"Redis {binary.version} over TLS"


@contextlib.contextmanager
def _env_file(path: Path | None, emulator: Emulator) -> Iterator[None]:
    """Keep the exports in a file that only this user can read. It is complete when it appears."""
    if path is None:
        yield
        return
    if path.exists() and not path.read_text(errors="replace").startswith(_ENV_FILE_MARK):
        raise EmulatorError(
            f"{path} exists and is not a file of the emulator; choose another --env-file"
        )
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_text(_ENV_FILE_MARK + _exports(emulator))
        draft.replace(path)
    except OSError as error:
        raise EmulatorError(f"cannot write {path}: {error.strerror}") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
