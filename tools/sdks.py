"""Write the SDKs of a Pulumi schema with Pulumi's own generators.

Usage: sdks.py SCHEMA OUT [LANGUAGE ...]. The languages are nodejs, go and python. Each SDK gets a
folder of its own in OUT.

Usage: sdks.py --add PROJECT. It does what `pulumi package add` does with this project's plugin. The
language hosts that `make hosts` builds cannot do it. PROJECT is in TypeScript or Go.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pulumi_hosts import HOSTS, build
from user_cache import UnavailableError, say

SCHEMA = Path(__file__).parents[1] / "provider/pulumi_upstash_rotation/frontends/native/schema.json"
SDK = "sdks/upstash-rotation"
MODULE = "example.com/pulumi-upstash-rotation/sdk/go"
# npm's lock is the user's choice, not this tool's.
NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")


def generate(*arguments: str) -> int:
    """Run the pinned generators. The first run builds them, together with the language hosts."""
    try:
        sdkgen = HOSTS.ensure(build) / "sdkgen"
    except UnavailableError as error:
        say(f"No generators: {error}.")
        return 1
    return subprocess.run([sdkgen, *arguments], check=False).returncode


def add(project: Path) -> int:
    """Write the SDK into a project, and make the project depend on it."""
    (language,) = re.findall(
        r"^runtime: (\w+)", (project / "Pulumi.yaml").read_text(), re.MULTILINE
    )
    schema = json.loads(SCHEMA.read_text()) | {"version": plugin_version()}
    schema["meta"] = {"supportPack": True}  # with a go.mod
    sdk = project / SDK
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schema.json"
        file.write_text(json.dumps(schema))
        if failed := generate(str(file), folder, language):
            return failed
        shutil.rmtree(sdk, ignore_errors=True)
        shutil.copytree(Path(folder) / language, sdk)
    return (link_node if language == "nodejs" else link_go)(project, sdk)


def plugin_version() -> str:
    """Return the version of the plugin on PATH."""
    command = ["pulumi-resource-upstash-rotation", "--version"]
    return subprocess.check_output(command, text=True).strip()


def link_node(project: Path, sdk: Path) -> int:
    """Install the SDK into a Node.js project, compiled."""
    package = json.loads((sdk / "package.json").read_text()) | {"main": "bin/index.js"}
    del package["devDependencies"]  # the project has TypeScript
    (sdk / "package.json").write_text(json.dumps(package, indent=4))
    for command in ((*NPM, f"./{SDK}"), ("npx", "tsc", "--project", SDK)):
        if failed := subprocess.run(command, cwd=project, check=False).returncode:
            return failed
    shutil.copy(sdk / "package.json", sdk / "bin")  # the SDK reads its version there
    return 0


def link_go(project: Path, _: Path) -> int:
    """Let a Go project use the SDK."""
    replace = ("go", "mod", "edit", f"-replace={MODULE}=./{SDK}")
    for command in (replace, ("go", "mod", "tidy")):
        if failed := subprocess.run(command, cwd=project, check=False).returncode:
            return failed
    return 0


def main(arguments: list[str]) -> int:
    """Write SDKs, or add one to a project."""
    if arguments[:1] == ["--add"]:
        return add(Path(arguments[1]))
    return generate(*arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
