"""What a program asks: is a database in a shard?"""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation import in_shard
from pulumi_upstash_rotation.resources.shards import shard_of


@given(
    st.from_regex(re.compile(r"[A-Za-z0-9_-]{1,128}"), fullmatch=True),
    st.integers(1, 64),
)
def test_each_database_is_in_exactly_one_shard(database_id: str, count: int) -> None:
    found = [n for n in range(1, count + 1) if in_shard(database_id, f"{n}/{count}")]
    assert found == [shard_of(database_id, count).number]


@pytest.mark.parametrize("shard", ["", "3", "0/4", "1/10000", 3, None])
def test_another_form_is_one_clear_error(shard: Any) -> None:
    with pytest.raises(pulumi.RunError, match=r"^shard must be NUMBER/COUNT, such as 3/16, "):
        in_shard("id", shard)
