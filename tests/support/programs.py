"""Text of Pulumi programs that tests run."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORTS = "import pulumi\nfrom pulumi_upstash_rotation import RedisPasswordRotation\n"


class Code(str):
    """Python text that stands in a program as it is, where other values stand as their repr."""

    __slots__ = ()


def write_project(folder: Path, text: str = "") -> None:
    """Write a Pulumi project with one program."""
    folder.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: test\nruntime: python\n")
    write_program(folder, text)


def write_program(project: Path, text: str) -> None:
    """Write a program's __main__.py; the imports that all of them need come with it."""
    (project / "__main__.py").write_text(IMPORTS + text)


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
