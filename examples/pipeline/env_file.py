"""A file of environment variables for an application, kept up to date by Pulumi.

It stands for any resource of your stack that uses a password. That may be a Kubernetes Secret, the
environment of a function, or a variable of a pipeline.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic


class EnvFileProvider(dynamic.ResourceProvider):
    """Writes the file. It is in its own module, so that the state holds no pickle of its code."""

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Write the file for the first time."""
        return dynamic.CreateResult(props["path"], write(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Write the file again."""
        return dynamic.UpdateResult(write(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the file."""
        Path(props["path"]).unlink(missing_ok=True)


class EnvFile(dynamic.Resource, module="examples", name="EnvFile"):
    """A file of `NAME=value` lines that only its owner can read."""

    def __init__(
        self, name: str, path: pulumi.Input[str], variables: dict[str, pulumi.Input[str]]
    ) -> None:
        """Declare the file; its variables are secret."""
        secret = pulumi.Output.secret(variables)
        super().__init__(EnvFileProvider(), name, {"path": path, "variables": secret})


def write(props: dict[str, Any]) -> dict[str, Any]:
    """Write the file in one step, so that no reader finds half of it."""
    lines = [f"{name}={value}\n" for name, value in sorted(props["variables"].items())]
    draft = Path(props["path"] + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text("".join(lines))
    draft.replace(props["path"])
    return props
