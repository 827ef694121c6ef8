"""Where states come from: exported files, or Pulumi itself. It never asks for secrets in clear."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from pulumi_upstash_rotation.errors import RotationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAX_BYTES: Final = 256 << 20
"""Largest state that is read. JSON takes a multiple of that in memory."""
_VERSIONS: Final = range(5)
"""Versions of a state whose layout is known. Pulumi writes 3 and 4."""
_SHAPE: Final = "expects what `pulumi stack export` prints, or a state file of a local backend"
_MAX_MESSAGE: Final = 300
_PATTERN: Final = re.compile(r"[*?[]")
"""What no name of a stack contains."""


@dataclass(frozen=True)
class StateResource:
    """A resource in a state.

    Attributes:
        urn: Its URN.
        type: Its type token.
        inputs: The arguments of the last update. A secret value is a map: see `is_secret()`.
        outputs: Its outputs, likewise.
        operation: An operation on it that the engine began and did not finish, such as `updating`.
            None without one.
    """

    urn: str
    type: str
    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)
    operation: str | None = None

    @property
    def stack(self) -> str:
        """Name of its stack."""
        return self._part(0).removeprefix("urn:pulumi:")

    @property
    def project(self) -> str:
        """Name of its project."""
        return self._part(1)

    @property
    def name(self) -> str:
        """Its name in the stack."""
        return self._part(3)

    def _part(self, index: int) -> str:
        return self.urn.split("::", 3)[index]


class StateError(RotationError):
    """A state cannot be read. The text names it and says what is allowed."""


_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"


def is_secret(value: object) -> bool:
    """Return whether a value in a state is a secret, encrypted or in clear.

    Pulumi marks other special values, such as assets, in the same way. They count as secret, too.
    """
    return isinstance(value, Mapping) and _SIGNATURE in value


def from_file(name: str, file: BinaryIO) -> list[StateResource]:
    """Return the resources of an exported state.

    Args:
        name: What errors call the file.
        file: The open file.

    Raises:
        StateError: It is no state.
        OSError: The file cannot be read.
    """
    return _resources(name, file.read(MAX_BYTES + 1))


def from_stack(stack: str | None, folder: Path | None) -> list[StateResource]:
    """Return the resources of a stack, as `pulumi stack export` prints them.

    This needs no passphrase, because the secrets stay encrypted.

    Args:
        stack: Name of the stack. None for the current one.
        folder: The project's folder. None for the current one.

    Raises:
        StateError: Pulumi is not installed, or it cannot export the stack.
    """
    name = "the current stack" if stack is None else f"stack {stack}"
    selected = [] if stack is None else [f"--stack={stack}"]
    return _resources(name, _pulumi(name, folder, "stack export", *selected))


def stacks_named(names: Sequence[str], folder: Path | None) -> list[str]:
    """Return the names of stacks, each once. `*`, `?` and `[...]` select from those of the project.

    Args:
        names: Names and patterns. A pattern without `/` is compared with the last part of a name.
        folder: The project's folder. None for the current one.

    Raises:
        StateError: Pulumi is not installed, it cannot list the stacks, or none matches a pattern.
    """
    patterns = [name for name in names if _PATTERN.search(name)]
    existing = _stacks_of_project(patterns[0], folder) if patterns else []
    found: list[str] = []
    for name in names:
        matching = [each for each in existing if _matches(each, name)]
        if name in patterns and not matching:
            raise StateError(f"stack {name}: no stack matches. `pulumi stack ls` lists the stacks")
        found += matching if name in patterns else [name]
    return list(dict.fromkeys(found))


def _stacks_of_project(pattern: str, folder: Path | None) -> list[str]:
    """Return the names of all stacks, in their natural order: `shard-2` before `shard-10`."""
    name = f"stack {pattern}"
    try:
        listed = [
            str(each["name"]) for each in json.loads(_pulumi(name, folder, "stack ls --json"))
        ]
    except (ValueError, TypeError, KeyError):
        raise StateError(f"{name}: `pulumi stack ls` did not print a list of stacks") from None
    digits = re.compile(r"(\d+)")
    return sorted(
        listed,
        key=lambda each: [int(part) if part.isdecimal() else part for part in digits.split(each)],
    )


def _matches(stack: str, pattern: str) -> bool:
    return fnmatchcase(stack if "/" in pattern else stack.rpartition("/")[2], pattern)


def _pulumi(name: str, folder: Path | None, command: str, *options: str) -> bytes:
    """Run a command of Pulumi and return what it prints.

    Args:
        name: What errors call the stack.
        folder: The project's folder. None for the current one.
        command: The command.
        options: What follows our own options.
    """
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise StateError(
            f"{name}: pulumi is not on PATH. Install it, or name a file with what "
            "`pulumi stack export` prints"
        )
    try:
        done = subprocess.run(  # noqa: S603  the command is ours, and a name is one argument
            [pulumi, *command.split(), "--non-interactive", "--color", "never", *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise StateError(f"{name}: cannot run {pulumi} ({error.strerror})") from None
    if done.returncode:
        problem = _problem(done.stderr.decode(errors="replace"))
        raise StateError(f"{name}: `pulumi {command}` failed: {problem}")
    return done.stdout


def _problem(shown: str) -> str:
    """Return the error that a command of Pulumi shows, as one line."""
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines[-1:] or ["it shows no reason"])[0][:_MAX_MESSAGE]


def _resources(name: str, content: bytes) -> list[StateResource]:
    if len(content) > MAX_BYTES:
        raise StateError(f"{name}: is larger than {MAX_BYTES >> 20} MiB")
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise StateError(f"{name}: is not JSON; {_SHAPE}") from None
    try:
        return list(_parse(parsed))
    except _ShapeError as error:
        raise StateError(f"{name}: {error}; {_SHAPE}") from None


class _ShapeError(ValueError):
    """A value has not the shape of a state."""


def _parse(parsed: object) -> Iterator[StateResource]:
    """Yield the resources of a state that the program still declares, as far as the state shows.

    Of a replaced resource that waits for its deletion, the new one counts. A resource that the
    program only reads is not the stack's own.
    """
    deployment = _deployment(_map(parsed, "is not a state"))
    begun = {}
    for each in _list(deployment, "pending_operations"):
        operation = _map(each, "has a pending operation that is no map")
        resource = _resource(operation.get("resource"), _text(operation, "type"))
        begun[resource.urn] = resource
    for each in _list(deployment, "resources"):
        resource = _resource(each, None)
        if each.get("custom") is True and not each.get("delete") and not each.get("external"):
            pending = begun.pop(resource.urn, None)
            yield replace(resource, operation=pending.operation) if pending else resource
    yield from begun.values()


def _deployment(state: Mapping[str, Any]) -> Mapping[str, Any]:
    version = state.get("version")
    if "deployment" in state:
        deployment = state["deployment"]
    elif "checkpoint" in state:
        deployment = _map(state["checkpoint"], "has a checkpoint that is no map").get("latest")
    else:
        raise _ShapeError("has neither a deployment nor a checkpoint")
    if isinstance(version, bool) or version not in _VERSIONS:
        raise _ShapeError(f"its version is not one of 0 to {_VERSIONS[-1]}")
    # A stack that was never updated has none.
    return {} if deployment is None else _map(deployment, "has a deployment that is no map")


def _resource(value: object, operation: str | None) -> StateResource:
    resource = _map(value, "has a resource that is no map")
    urn, type_ = _text(resource, "urn"), _text(resource, "type")
    if urn.count("::") < len(("project", "type", "name")) or not urn.startswith("urn:pulumi:"):
        raise _ShapeError("has a resource whose urn is none")
    inputs, outputs = (
        _map(resource.get(name) or {}, f"has a resource whose {name} are no map")
        for name in ("inputs", "outputs")
    )
    return StateResource(urn, type_, inputs, outputs, operation)


def _map(value: object, problem: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _ShapeError(problem)
    return value


def _list(deployment: Mapping[str, Any], name: str) -> Iterable[Any]:
    value = deployment.get(name)
    if value is not None and not isinstance(value, list):
        raise _ShapeError(f"its {name} are no list")
    return value or ()


def _text(resource: Mapping[str, Any], name: str) -> str:
    value = resource.get(name)
    if not isinstance(value, str):
        raise _ShapeError(f"has a resource whose {name} is no text")
    return value
