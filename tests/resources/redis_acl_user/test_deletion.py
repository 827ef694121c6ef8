"""The deletion of a user: it spares the tokens of others and of a successor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from pulumi_upstash_rotation.errors import ApiError, DatabaseNotFoundError
from pulumi_upstash_rotation.resources.redis_acl_user.access import REPEATED
from pulumi_upstash_rotation.resources.redis_acl_user.deletion import delete_user
from pulumi_upstash_rotation.resources.redis_acl_user.state import UserState

from ...support.account import ScriptedUpstash
from ...support.payloads import DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from ...support.scripted_acl import ScriptedAcl, other_digest, sha256, token_canary

A, B = map(token_canary, (1, 2))
FOREIGN: Final = "gwAAAA-canary-foreign"
STATE: Final = UserState(
    database_id=DATABASE_ID,
    username="app",
    database_name="MyRedis",
    customer_id="example@upstash.com",
    token=A,
)
USER: Final = f"ACL user 'app' of Redis database 'MyRedis' ({DATABASE_ID})"
BOTH_DIGESTS: Final = pytest.mark.parametrize("digest", [sha256, other_digest])


def account(*live: str, faults: Any = (), digest: Any = sha256, **options: Any) -> ScriptedUpstash:
    acl = ScriptedAcl({"app": live} if live else {}, made=4, faults=faults, digest=digest)
    return ScriptedUpstash(**{"get": WITH_CREDENTIALS, "acl": acl, **options})


def delete(upstash: ScriptedUpstash, state: UserState) -> None:
    delete_user(state, upstash.operation())


@BOTH_DIGESTS
@pytest.mark.parametrize("live", [(A,), (A, B)])
def test_user_whose_tokens_are_all_ours_is_deleted(live: tuple[str, ...], digest: Any) -> None:
    state = replace(STATE, token=B, previous_tokens=(A,))
    upstash = account(*live, digest=digest)
    delete(upstash, state)
    assert upstash.acl.users == {}
    assert upstash.reporter.lines == []


@BOTH_DIGESTS
@pytest.mark.parametrize("fault", [None, "twice"])
def test_successor_of_the_same_name_keeps_its_token(digest: Any, fault: str | None) -> None:
    """After a rename without an alias, the new resource has the user."""
    upstash = account(A, FOREIGN, digest=digest, faults=[None, fault])
    delete(upstash, STATE)
    assert upstash.acl.live() == [FOREIGN]
    assert upstash.reporter.warnings == [
        f"{USER} was not deleted, because it has tokens that are not this resource's. 1 token of "
        "this resource removed"
    ]


def test_user_of_others_is_left_alone() -> None:
    upstash = account(FOREIGN)
    delete(upstash, STATE)
    assert upstash.acl.live() == [FOREIGN]
    assert upstash.calls == ["get", "acl getuser"]
    assert upstash.reporter.warnings[0].endswith("0 tokens of this resource removed")


def test_token_whose_login_gets_no_response_is_not_left_behind() -> None:
    upstash = account(A, digest=other_digest, token_accepted=[None])
    with pytest.raises(ApiError, match="does not show which tokens are live"):
        delete(upstash, STATE)


def test_user_or_database_that_is_gone_is_no_error() -> None:
    missing = DatabaseNotFoundError("not found (404)", "nothing", status=404)
    for upstash in (account(), account(get=missing)):
        delete(upstash, STATE)
        assert upstash.reporter.lines == []
    with pytest.raises(ApiError, match="but the list of databases has it"):
        delete(account(get=missing, listed=[[DOCUMENTED]]), STATE)


@pytest.mark.parametrize("live", [(A,), (A, FOREIGN)])
@pytest.mark.parametrize("fault", ["before", "after"])
def test_failed_delete_states_the_effect_and_is_repeated(live: tuple[str, ...], fault: str) -> None:
    upstash = account(*live, faults=[None, fault])
    with pytest.raises(ApiError) as raised:
        delete(upstash, STATE)
    effect = "nothing has changed" if fault == "before" else REPEATED
    assert str(raised.value).endswith(f"; {effect}")
    assert upstash.reporter.warnings == [], "nothing that may not be true"
    delete(upstash, STATE)
    assert A not in upstash.acl.live()
