"""A temporary Pulumi stack. It runs the same `pulumi` commands as a user.

Its state, its Pulumi home and its passphrase are in one folder. So it does not touch the user's own
Pulumi. The demo and the end-to-end tests share this module.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PASSPHRASE = "correct horse battery staple"  # noqa: S105  of stacks that live for seconds


class PulumiError(Exception):
    """A pulumi command failed. The text is the command's output."""


def accept_interrupts() -> None:
    """Let programs that this process starts be interrupted, even if a shell runs it in background.

    There SIGINT is ignored, and every program inherits that: the engine, which ends its language
    host by SIGINT, would then wait for five seconds at the end of every command.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Stack:
    """One stack of one Pulumi project.

    Attributes:
        project: Folder with the Pulumi.yaml.
        folder: Folder of the state and the Pulumi home.
        environment: Variables for every command. They override those of this process. None
            removes one.
    """

    project: Path
    folder: Path
    name: str = "dev"
    environment: dict[str, str | None] = field(default_factory=dict, repr=False)

    @classmethod
    def create(
        cls,
        project: Path,
        folder: Path,
        name: str = "dev",
        environment: Mapping[str, str | None] | None = None,
    ) -> Stack:
        """Make a new stack on a file backend with an encrypted state."""
        (folder / "state").mkdir(parents=True, exist_ok=True)
        stack = cls(project, folder, name, dict(environment or {}))
        stack.pulumi("stack", "init", name)
        return stack

    @property
    def environ(self) -> dict[str, str]:
        """The environment for commands of this stack."""
        ours: dict[str, str | None] = {
            # The dynamic provider must run under this Python, not under the shell's virtual
            # environment.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_STACK": None,
            "UPSTASH_EMAIL": None,
            "UPSTASH_API_KEY": None,
            "UPSTASH_API_URL": None,
            **self.environment,
        }
        merged = {**os.environ, **ours}
        return {name: value for name, value in merged.items() if value is not None}

    @property
    def state_file(self) -> Path:
        """The file that holds the state."""
        (path,) = (self.folder / "state").rglob(f"stacks/**/{self.name}.json")
        return path

    def pulumi(self, *arguments: str, check: bool = True) -> str:
        """Run a pulumi command and return its output.

        Raises:
            PulumiError: It failed, and `check` is set.
        """
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise PulumiError(done.stdout)
        return done.stdout

    def on_stack(self, command: str, *arguments: str, check: bool = True) -> str:
        """Run a pulumi command that takes a stack."""
        return self.pulumi(command, *arguments, "--stack", self.name, check=check)

    def set_config(self, key: str, value: str, *, secret: bool = False, path: bool = False) -> None:
        """Set a value in the stack's config. Pulumi encrypts a secret one."""
        flags = [flag for flag, on in (("--secret", secret), ("--path", path)) if on]
        self.on_stack("config", "set", *flags, key, value)

    def up(self, *arguments: str, check: bool = True) -> str:
        """Run `pulumi up` without its preview."""
        return self.on_stack("up", "--yes", "--skip-preview", *arguments, check=check)

    def preview(self, *arguments: str, check: bool = True) -> str:
        """Run `pulumi preview`."""
        return self.on_stack("preview", *arguments, check=check)

    def refresh(self, *arguments: str, check: bool = True) -> str:
        """Run `pulumi refresh`."""
        return self.on_stack("refresh", "--yes", "--skip-preview", *arguments, check=check)

    def destroy(self, *arguments: str, check: bool = True) -> str:
        """Run `pulumi destroy`."""
        return self.on_stack("destroy", "--yes", "--skip-preview", *arguments, check=check)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets in clear."""
        text = self.on_stack("stack", "output", "--json", "--show-secrets")
        outputs: dict[str, Any] = json.loads(text)
        return outputs

    def stored_text(self) -> str:
        """Return the text of all files of this stack. Pulumi has encrypted the secrets in them."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        files += self.project.glob("Pulumi*.yaml")
        return "\n".join(path.read_bytes().decode(errors="replace") for path in files)

    def edit_state(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Export the state, change its resources, and import it. Secrets stay encrypted."""
        deployment = json.loads(self.on_stack("stack", "export"))
        for resource in deployment["deployment"].get("resources", []):
            edit(resource)
        edited = self.folder / "edited.json"
        edited.write_text(json.dumps(deployment))
        self.on_stack("stack", "import", "--file", str(edited))
        edited.unlink()

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in the state's file."""
        latest = json.loads(self.state_file.read_text())["checkpoint"]["latest"]
        resources: list[dict[str, Any]] = latest.get("resources", []) if latest else []
        return resources

    def remove(self) -> None:
        """Remove the stack, its state and its config."""
        self.on_stack("stack", "rm", "--yes", "--force")
