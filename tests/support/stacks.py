"""Stacks of tests: how they are made, what their commands show, and rotations side by side."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

from pulumi_stack import PulumiError, Stack

from .front_ends import BOTH, DYNAMIC, FrontEnd
from .programs import exported, use_front_end, write_program, write_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upstash_emulator import EmulatedDatabase, Emulator, Fault

TYPE = DYNAMIC.type
CREDENTIALS = ("password", "rest_token", "read_only_rest_token")
"""The fields of a database that hold credentials."""


class StackFactory(Protocol):
    def __call__(
        self,
        program: str | Path = "",
        environment: Mapping[str, str | None] | None = None,
    ) -> Stack: ...


def stack_factory(folder: Path, emulator: Emulator, front_end: FrontEnd = DYNAMIC) -> StackFactory:
    """Return a maker of stacks of a program (its text, or a folder) beside the emulator."""

    def make(
        program: str | Path = "", environment: Mapping[str, str | None] | None = None
    ) -> Stack:
        number = len(list(folder.iterdir()))
        project = folder / f"project{number}"
        if isinstance(program, Path):
            shutil.copytree(program, project)
        else:
            write_project(project, program, front_end)
        return Stack.create(
            project,
            folder / f"stack{number}",
            environment={**emulator.environment, **(environment or {})},
        )

    return make


# What a command shows


def failure_of(stack: Stack, command: str, *arguments: str) -> str:
    """Return the text of a command that has to fail, without a traceback."""
    with pytest.raises(PulumiError) as raised:
        getattr(stack, command)(*arguments)
    text = str(raised.value)
    assert "Traceback" not in text
    assert ".py" not in text
    return text


def errors_of(stack: Stack, command: str) -> str:
    """Return the error lines of a command that has to fail, each once."""
    _, _, text = failure_of(stack, command).partition("Diagnostics:")
    lines = [line.strip() for line in text.splitlines() if "error: " in line]
    ours = [line for line in lines if not re.match(r"error: (update|preview) failed$", line)]
    return "\n".join(dict.fromkeys(ours))


def diagnostics_of(text: str, name: str) -> list[str]:
    """Return the lines that the diagnostics of a command show for one resource."""
    _, _, rest = text.partition("Diagnostics:\n")
    lines: list[str] = []
    ours = False
    for line in rest.splitlines():
        if re.match(r"\S", line):
            break
        if match := re.match(r"  \S+ \((.+)\):$", line):
            ours = match[1] == name
        elif ours and line.strip():
            lines.append(line.strip())
    return lines


def changed(text: str) -> dict[str, set[str]]:
    """Return the rotations that a command changes or would change: name to what is done."""
    found: dict[str, set[str]] = {}
    types = "|".join(re.escape(each.type) for each in BOTH)
    for name, action in re.findall(
        rf"^ *[-+~]+ +(?:{types}) (\S+) (updat|creat|replac|delet)", text, re.MULTILINE
    ):
        found.setdefault(name, set()).add(action)
    return found


# Rotations side by side


@dataclass
class _Declared:
    database: EmulatedDatabase
    arguments: dict[str, Any]


@dataclass
class Rotations:
    """Rotations that one program declares, each of a database of its own.

    A case of a table is one of them: one `pulumi up` runs the whole table.

    Attributes:
        stack: The program's stack.
        emulator: Where the databases are.
        databases: The databases by name; other stacks may rotate the same ones.
        head: Text before the declarations.
        tail: Text after them.
        front_end: Which one the program uses.
    """

    stack: Stack
    emulator: Emulator
    databases: dict[str, EmulatedDatabase] = field(default_factory=dict)
    head: str = ""
    tail: str = ""
    front_end: FrontEnd = DYNAMIC
    _declared: dict[str, _Declared] = field(default_factory=dict)
    _outputs: dict[str, Any] | None = None

    # The program

    def declare(self, name: str, *, of: str | None = None, **arguments: Any) -> EmulatedDatabase:
        """Declare a rotation, or declare it differently; return its database.

        Args:
            name: The resource's name, and the variable that it is in the program.
            of: Name of the database, where it is not the resource's.
            arguments: Inputs of the rotation.
        """
        database = self.database(of or name)
        self._declared[name] = _Declared(database, arguments)
        return database

    def withdraw(self, *names: str) -> None:
        """Take declarations out of the program."""
        for name in names:
            del self._declared[name]

    def database(self, name: str) -> EmulatedDatabase:
        """Return the database of a rotation, a new one at first."""
        if name not in self.databases:
            self.databases[name] = self.emulator.add_database(name)
        return self.databases[name]

    def write(self) -> None:
        """Write the program as it is declared."""
        parts = (
            exported(name, database_id=each.database.id, **each.arguments)
            for name, each in self._declared.items()
        )
        write_program(self.stack.project, self.head + "".join(parts) + self.tail)

    def use(self, front_end: FrontEnd) -> None:
        """Let the program use a front end from now on."""
        self.front_end = front_end
        use_front_end(self.stack.project, front_end)

    # Commands

    def up(self, *arguments: str) -> str:
        """Run `pulumi up` on the program as it is declared."""
        return self._run("up", *arguments)

    def failing_up(self, *arguments: str) -> str:
        """Run an update that has to fail, to its end whatever fails; return what it shows."""
        self.write()
        self._outputs = None
        return failure_of(self.stack, "up", "--continue-on-error", *arguments)

    def preview(self, *arguments: str) -> str:
        """Run `pulumi preview` on the program as it is declared."""
        return self._run("preview", *arguments)

    def refresh(self, *arguments: str) -> str:
        """Run `pulumi refresh`."""
        return self._run("refresh", *arguments)

    def destroy(self, *arguments: str) -> str:
        """Run `pulumi destroy`."""
        return self._run("destroy", *arguments)

    def _run(self, command: str, *arguments: str) -> str:
        self.write()
        self._outputs = None
        text: str = getattr(self.stack, command)(*arguments)
        return text

    def forget_outputs(self) -> None:
        """Read the outputs anew: a command has run on the stack."""
        self._outputs = None

    def urn(self, name: str) -> str:
        return f"urn:pulumi:{self.stack.name}::test::{self.front_end.type}::{name}"

    # What is, and what goes wrong

    def out(self, name: str) -> dict[str, Any]:
        """Return the outputs of a rotation, secrets in clear."""
        if self._outputs is None:
            self._outputs = self.stack.outputs()
        outputs: dict[str, Any] = self._outputs[name]
        return outputs

    def resets(self) -> dict[str, int]:
        """Return how often each database was reset, by whomever, by the database's name."""
        return {name: each.resets for name, each in self.databases.items()}

    def calls(self, name: str) -> list[str]:
        """Return the operations that the API was asked for about a database."""
        id_ = self.databases[name].id
        return [call.operation for call in self.emulator.calls if call.database_id == id_]

    def fault(
        self, name: str, fault: Fault, operation: Literal["reset", "get"], times: int | None = 1
    ) -> None:
        """Make calls about one database go wrong."""
        self.emulator.fault(
            fault, operation=operation, times=times, database_id=self.database(name).id
        )

    def pass_a_year(self, *names: str) -> None:
        """Let the last rotation of some be a year longer ago."""
        urns = [self.urn(name) for name in names]

        def edit(resource: dict[str, Any]) -> None:
            if resource["urn"] in urns:
                self.front_end.edit(resource["outputs"], earlier)

        def earlier(outputs: dict[str, Any]) -> None:
            rotated_at = outputs["rotated_at"]
            outputs["rotated_at"] = str(int(rotated_at[:4]) - 1) + rotated_at[4:]

        self.stack.edit_state(edit)
        self._outputs = None


def delete_empty_attributes(stack: Stack) -> bool:
    """Delete an empty `.attrs` file beside the state, as docs/how-to/recover.md advises.

    A local folder as backend has one for each state. The engine writes it in place, so that a kill
    at this moment leaves it empty.
    """
    empty = [path for path in stack.folder.rglob("*.attrs") if path.stat().st_size == 0]
    for path in empty:
        path.unlink()
    return bool(empty)
