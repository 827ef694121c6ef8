"""The version of the plugin, as Pulumi compares versions."""

from __future__ import annotations

import re

from pulumi_upstash_rotation._version import __version__


def plugin_version() -> str:
    """Return the distribution's version as a semantic one: `1.2.0-dev.1` for `1.2.0.dev1`.

    Pulumi accepts no other.
    """
    return re.sub(r"^(\d+\.\d+\.\d+)\.?([a-z]+)(\d+)", r"\1-\2.\3", __version__)
