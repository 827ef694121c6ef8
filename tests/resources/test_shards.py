"""Which shard of a fleet has a database: its id alone decides."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.resources.shards import Shard, parse_shard, shard_of

IDS = st.from_regex(re.compile(r"[A-Za-z0-9_-]{1,128}"), fullmatch=True)
COUNTS = st.integers(1, 64)


@given(IDS, COUNTS)
def test_one_more_shard_moves_databases_to_the_new_shard_only(database_id: str, count: int) -> None:
    before, after = shard_of(database_id, count), shard_of(database_id, count + 1)
    assert after.number in {before.number, count + 1}


@given(IDS, COUNTS)
def test_the_case_of_an_id_does_not_matter(database_id: str, count: int) -> None:
    assert shard_of(database_id.upper(), count) == shard_of(database_id.lower(), count)


def test_shards_are_of_about_the_same_size() -> None:
    sizes = [0] * 17
    for number in range(1024):
        sizes[shard_of(f"database-{number}", 16).number] += 1
    assert sum(sizes) == 1024
    assert min(sizes[1:]) > 32
    assert max(sizes) < 128


def test_a_shard_stays_the_same_in_all_versions() -> None:
    # A change would move databases between the stacks of users.
    found = [shard_of(f"96ad0856-03b1-4ee7-9666-e81abd0349e{n}", 16).number for n in range(8)]
    assert found == [11, 2, 2, 16, 12, 13, 5, 2]


@given(COUNTS, st.data())
def test_text_of_a_shard_is_read_back(count: int, data: st.DataObject) -> None:
    shard = Shard(data.draw(st.integers(1, count)), count)
    assert parse_shard(str(shard)) == shard


@pytest.mark.parametrize(
    "text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "1/4 ", "01/4", "1/10000", "٣/٤"]
)
def test_another_form_is_no_shard(text: str) -> None:
    assert parse_shard(text) is None
