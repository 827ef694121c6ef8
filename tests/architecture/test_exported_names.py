"""What programs import."""

from __future__ import annotations

from importlib.metadata import version

import pytest

import pulumi_upstash_rotation


def test_all_is_the_public_names_sorted() -> None:
    names = [*pulumi_upstash_rotation._MODULES, "__version__"]
    assert pulumi_upstash_rotation.__all__ == sorted(names)
    assert dir(pulumi_upstash_rotation) == pulumi_upstash_rotation.__all__


@pytest.mark.parametrize("name", pulumi_upstash_rotation.__all__)
def test_every_public_name_can_be_loaded(name: str) -> None:
    assert getattr(pulumi_upstash_rotation, name) is getattr(pulumi_upstash_rotation, name)


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RedisPassword'"):
        _ = pulumi_upstash_rotation.RedisPassword


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
        "in_shard",
        "list_databases",
    ]


def test_version_is_the_distributions() -> None:
    assert pulumi_upstash_rotation.__version__ == version("pulumi-upstash-rotation")
