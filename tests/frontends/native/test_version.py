"""Pulumi reads the plugin's version as a semantic version."""

from __future__ import annotations

import pytest

from pulumi_upstash_rotation.frontends.native import version


@pytest.mark.parametrize(
    ("distribution", "plugin"),
    [
        ("1.2.0", "1.2.0"),
        ("0.3.1.dev0", "0.3.1-dev.0"),
        ("0.3.1rc2", "0.3.1-rc.2"),
        ("0.3.1rc2.dev1+local", "0.3.1-rc.2.dev1+local"),
    ],
)
def test_a_version_of_python_becomes_a_semantic_version(
    monkeypatch: pytest.MonkeyPatch, distribution: str, plugin: str
) -> None:
    monkeypatch.setattr(version, "__version__", distribution)
    assert version.plugin_version() == plugin
