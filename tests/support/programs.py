"""Text of Pulumi programs that tests run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .front_ends import FrontEnd

ROOT = Path(__file__).parents[2]
IMPORTS = "import pulumi\nfrom {module} import RedisPasswordRotation\n"
NATIVE_MODULE = "native_rotation"


class Code(str):
    """Python text that stands in a program as it is, where other values stand as their repr."""

    __slots__ = ()


def write_project(folder: Path, text: str = "", front_end: FrontEnd | None = None) -> None:
    """Write a Pulumi project with one program for a front end, by default the dynamic one."""
    folder.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: test\nruntime: python\n")
    use_front_end(folder, front_end)
    write_program(folder, text)


def use_front_end(project: Path, front_end: FrontEnd | None) -> None:
    """Let programs of a project use a front end from now on."""
    module = project / f"{NATIVE_MODULE}.py"
    if front_end is None or front_end.module is None:
        module.unlink(missing_ok=True)
    else:
        module.write_text(front_end.module)


def write_program(project: Path, text: str) -> None:
    """Write a program's __main__.py; the imports that all of them need come with it."""
    (project / "__main__.py").write_text(IMPORTS.format(module=module_of(project)) + text)


def module_of(project: Path) -> str:
    """Return the module from which programs of a project import the class."""
    native = (project / f"{NATIVE_MODULE}.py").exists()
    return NATIVE_MODULE if native else "pulumi_upstash_rotation"


def rotation(name: str, **arguments: object) -> str:
    """Return the call that declares a rotation."""
    written = [
        f"{key}={value if isinstance(value, Code) else repr(value)}"
        for key, value in arguments.items()
    ]
    return f"RedisPasswordRotation({', '.join([repr(name), *written])})\n"


def exported(name: str, **arguments: object) -> str:
    """Return the lines that declare a rotation, as a variable, and export all that it tells."""
    return (
        f"{name} = {rotation(name, **arguments)}"
        f"pulumi.export({name!r}, {name}.attributes | {name}.credentials\n"
        f"    | {{'next_rotation_at': {name}.next_rotation_at}})\n"
    )


def options(text: str) -> Code:
    """Return resource options, such as `protect=True`, as the argument `opts`."""
    return Code(f"pulumi.ResourceOptions({text})")
