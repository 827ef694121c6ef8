"""The ACL commands of Upstash, and their replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from pulumi_upstash_rotation.upstash import acl

from ..support.payloads import JSON

SHOWN = {
    "flags": ["on"],
    "passwords": ["digest-1", "digest-2"],
    "commands": "-@all +get",
    "keys": ["app:*", "a"],
    "channels": [],
}


def test_commands() -> None:
    assert acl.generate_token("app") == ("ACL", "GENTOKEN", "app")
    assert acl.get_user("app") == ("ACL", "GETUSER", "app")
    assert acl.delete_user("app") == ("ACL", "DELUSER", "app")
    assert acl.remove_token("app", "t") == ("ACL", "SETUSER", "app", "<t")


@pytest.mark.parametrize(("token", "last"), [("t", (">t",)), (None, ())])
def test_all_rules_of_a_user_are_set_in_one_command(token: str | None, last: tuple[str]) -> None:
    assert acl.set_user("app", ["~a", "+get"], token) == (
        *("ACL", "SETUSER", "app", "on", "resetkeys", "resetchannels", "nocommands"),
        *("~a", "+get", *last),
    )


@pytest.mark.parametrize(
    "value", [None, "", 7, [], "a b", "********", "é", "a\x7f", "\ud800", "a" * 4097]
)
def test_reply_that_is_no_token(value: Any) -> None:
    """A later step would reject it, in every run."""
    with pytest.raises(ValueError, match="^no token$"):
        acl.parse_token(value)


def test_token() -> None:
    assert acl.parse_token("gwAAAA-_=") == "gwAAAA-_="


def test_user_of_a_list_and_of_a_map_is_the_same() -> None:
    listed = [part for item in SHOWN.items() for part in item]
    user = acl.parse_user(listed)
    assert user is not None
    assert user == acl.parse_user(SHOWN)
    assert user.digests == {"digest-1", "digest-2"}
    assert user.rules == {
        "flags": '["on"]',
        "commands": '"-@all +get"',
        "keys": '["a", "app:*"]',
        "channels": "[]",
    }
    assert "digest" not in repr(user)


def test_order_of_patterns_does_not_matter_and_that_of_commands_does() -> None:
    same = acl.parse_user({**SHOWN, "keys": ["a", "app:*"]})
    other = acl.parse_user({**SHOWN, "commands": "+get -@all"})
    assert same == acl.parse_user(SHOWN)
    assert other != acl.parse_user(SHOWN)


def test_user_that_does_not_exist() -> None:
    assert acl.parse_user(None) is None


@pytest.mark.parametrize(
    "value", ["OK", 1, [], {}, ["passwords"], ["passwords", "x"], [1, []], {"passwords": None}]
)
def test_reply_that_is_no_user(value: Any) -> None:
    with pytest.raises(ValueError, match="^no user$"):
        acl.parse_user(value)


@given(JSON)
def test_any_reply_is_a_user_none_or_an_error(value: Any) -> None:
    try:
        user = acl.parse_user(value)
    except ValueError:
        return
    assert user is None or isinstance(user, acl.AclUser)


def test_digest_is_the_one_that_redis_shows() -> None:
    assert acl.digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
