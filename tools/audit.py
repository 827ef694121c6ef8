"""`make audit`: fail if a pinned dependency has a known vulnerability."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> int:
    """Check every pinned version with pip-audit and return the exit status."""
    options = ["--format=json", "--no-deps", "--disable-pip", "--progress-spinner=off"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *options, "--requirement", str(CONSTRAINTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        dependencies = []
    return report(dependencies)


def report(dependencies: list[dict[str, object]]) -> int:
    """Print the findings of pip-audit and return the exit status."""
    checked = [each for each in dependencies if "skip_reason" not in each]
    if not checked:
        print("audit: the vulnerability database could not be reached; nothing was checked")
        return 0
    bad = [each for each in checked if each.get("vulns")]
    for each in bad:
        print(f"audit: {each['name']} {each['version']}: {_names(each['vulns'])}")
    print(f"audit: {len(bad)} of {len(checked)} dependencies have a known vulnerability")
    return 1 if bad else 0


def _names(vulnerabilities: object) -> str:
    assert isinstance(vulnerabilities, list)  # noqa: S101  pip-audit's format
    return ", ".join(str(each["id"]) for each in vulnerabilities)


if __name__ == "__main__":
    sys.exit(main())
