"""What programs import."""

from __future__ import annotations

from importlib.metadata import version
from types import ModuleType

import pulumi_upstash_rotation


def test_all_is_the_public_names_sorted() -> None:
    public = [
        name
        for name, value in vars(pulumi_upstash_rotation).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    ]
    assert pulumi_upstash_rotation.__all__ == sorted([*public, "__version__"])


def test_public_names_are_unchanged() -> None:
    """Programs of users import them."""
    assert pulumi_upstash_rotation.__all__ == [
        "DatabaseSummary",
        "RedisAclRetirement",
        "RedisAclUser",
        "RedisPasswordRotation",
        "RequiredCredentials",
        "SecurityAddons",
        "__version__",
        "list_databases",
    ]


def test_version_is_the_distributions() -> None:
    assert pulumi_upstash_rotation.__version__ == version("pulumi-upstash-rotation")
