"""How the three resources reach the ACL of a database, and which of their tokens are live."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_upstash_rotation.errors import ApiError, DatabaseNotFoundError
from pulumi_upstash_rotation.resources.redis_acl_user.access import (
    LOGIN_SECONDS,
    MAX_TRIES,
    REPEATED,
    Access,
)
from pulumi_upstash_rotation.resources.seam import Run
from pulumi_upstash_rotation.upstash import acl
from pulumi_upstash_rotation.upstash.redis_rest import Reply

from ...support.account import ScriptedUpstash
from ...support.payloads import BEFORE_A_RESET, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from ...support.scripted_acl import REST_URL, ScriptedAcl, other_digest, token_canary

LABEL = f"Redis database 'MyRedis' ({DATABASE_ID})"
A, B, C = map(token_canary, (1, 2, 3))


def account(*live: str, get: Any = WITH_CREDENTIALS, **options: Any) -> ScriptedUpstash:
    scripted = {name: options.pop(name) for name in ("faults", "digest") if name in options}
    users = {"app": live} if live else {}
    return ScriptedUpstash(get=get, acl=ScriptedAcl(users, made=3, **scripted), **options)


def access_to(
    upstash: ScriptedUpstash, admin_token: str | None = None, run: Run | None = None
) -> Access:
    return Access(upstash.operation(run), DATABASE_ID, admin_token, tokens=[A, B, C])


def test_constructor_sends_nothing() -> None:
    upstash = account()
    access_to(upstash)
    assert upstash.calls == []


def test_database_is_read_once_in_a_run_and_process() -> None:
    upstash, run = account(A), Run()
    for _ in range(3):
        access = access_to(upstash, run=run)
        assert access.user("app") is not None
        assert access.database.label == LABEL
    assert upstash.calls == ["get", *["acl getuser"] * 3]
    assert upstash.acl.commands == [("ACL", "GETUSER", "app")] * 3


def test_token_that_a_reset_of_this_run_has_replaced_is_read_again() -> None:
    """A reset of a `RedisPasswordRotation` may come between two steps."""
    upstash, run = account(A, get=[BEFORE_A_RESET, WITH_CREDENTIALS]), Run()
    assert access_to(upstash, run=run).user("app") is not None
    assert upstash.calls == ["get", "acl getuser", "get", "acl getuser"]
    assert upstash.clock.sleeps == [0]


def test_read_that_is_15_seconds_late_is_waited_for() -> None:
    upstash = account(A, get=BEFORE_A_RESET)
    with pytest.raises(ApiError) as raised:
        access_to(upstash).user("app")
    assert str(raised.value) == (
        f"read the ACL user 'app' of {LABEL}: rejected the token (401); nothing has changed"
    )
    assert upstash.calls == ["get", "acl getuser"] * MAX_TRIES
    assert sum(upstash.clock.sleeps) == 15


def test_admin_token_is_used_instead_of_the_databases_own() -> None:
    upstash = account(A, get=DOCUMENTED)
    upstash.acl.standard_token = "admin-canary"
    assert access_to(upstash, "admin-canary").user("app") is not None


def test_admin_token_that_is_rejected_fails_at_once_with_advice() -> None:
    upstash = account(A)
    with pytest.raises(ApiError) as raised:
        access_to(upstash, "wrong-canary").user("app")
    assert str(raised.value) == (
        f"read the ACL user 'app' of {LABEL}: rejected the token (401). Check admin_token; "
        "nothing has changed"
    )
    assert (upstash.calls, upstash.clock.sleeps) == (["get", "acl getuser"], [])


@pytest.mark.parametrize(
    ("get", "problem"),
    [
        (
            DOCUMENTED,
            f"the API does not return the Standard token of {LABEL} (Credential Protection, or the "
            "type of account); nothing has changed. Give the token as admin_token",
        ),
        (
            {**WITH_CREDENTIALS, "state": "suspended"},
            f"{LABEL} is suspended; nothing has changed. Resume it in the Upstash console first",
        ),
        (
            {**WITH_CREDENTIALS, "endpoint": ""},
            f"the API does not return the endpoint of {LABEL}; nothing has changed",
        ),
    ],
)
def test_database_that_cannot_be_reached_is_one_line(get: Any, problem: str) -> None:
    upstash = account(A, get=get)
    with pytest.raises(ApiError) as raised:
        access_to(upstash).user("app")
    assert str(raised.value) == problem
    assert upstash.calls == ["get"]


def test_database_that_does_not_exist_is_that_error() -> None:
    missing = DatabaseNotFoundError("not found (404)", "nothing", status=404)
    with pytest.raises(DatabaseNotFoundError):
        access_to(account(get=missing)).user("app")


def test_failed_request_states_the_effect() -> None:
    for fault, effect in (("before", "nothing has changed"), ("after", REPEATED)):
        access = access_to(account(A, faults=[fault]))
        with pytest.raises(ApiError, match=f"; {effect}$"):
            access.run([acl.get_user("app")], "try it", if_maybe_applied=REPEATED)


def test_unreadable_response_is_repeated() -> None:
    """All these commands may be."""
    upstash = account(A, faults=[lambda _: "odd", lambda _: [1, 2]])
    assert access_to(upstash).user("app") is not None
    assert upstash.calls == ["get", "acl getuser"] * 3


def test_response_that_stays_unreadable_fails() -> None:
    upstash = account(A, faults=[lambda _: "odd"] * MAX_TRIES)
    with pytest.raises(ApiError, match="its response is not a list of replies; nothing has"):
        access_to(upstash).user("app")


def test_user_that_does_not_exist_is_none() -> None:
    assert access_to(account()).user("app") is None


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"error": "NOPERM no"}, "the database responded with NOPERM no"),
        ({"result": "odd-canary"}, "its reply is not an ACL user"),
        ({"result": {"flags": []}}, "its reply is not an ACL user"),
    ],
)
def test_reply_that_is_no_user_is_one_line(reply: dict[str, Any], problem: str) -> None:
    access = access_to(account(A, faults=[lambda _: [reply]]))
    with pytest.raises(ApiError) as raised:
        access.user("app")
    assert str(raised.value) == (
        f"cannot read the ACL user 'app' of {LABEL}: {problem}; nothing has changed"
    )


def test_reply_without_an_error_passes() -> None:
    access_to(account()).check(Reply("OK"), "try it")


# --- which tokens are live ---


def live(upstash: ScriptedUpstash, current: str, *previous: str) -> list[str]:
    access = access_to(upstash)
    return access.live(access.user("app"), current, previous)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ((), []),
        ((A,), [A]),
        ((A, B), [A, B]),
        ((B, A, "foreign"), [A, B]),
        ((A, "foreign"), [A]),
        ((B, C), [B, C]),
    ],
)
def test_digests_show_which_tokens_are_live(shown: tuple[str, ...], expected: list[str]) -> None:
    upstash = account(*shown)
    assert live(upstash, A, B, C, A) == expected
    assert upstash.tried_tokens == []


@pytest.mark.parametrize("shown", [(A,), (B, A, "foreign"), ("foreign",), (C,)])
def test_other_digests_lead_to_a_login_with_each_token(shown: tuple[str, ...]) -> None:
    upstash = account(*shown, digest=other_digest)
    assert live(upstash, A, B, C) == [token for token in (A, B, C) if token in shown]
    assert upstash.tried_tokens == [(REST_URL, token, LOGIN_SECONDS) for token in (A, B, C)]


def test_current_token_that_is_missing_is_tried_before_it_counts_as_removed() -> None:
    upstash = account(B, "foreign")
    assert live(upstash, A, B) == [B]
    assert [token for _, token, _ in upstash.tried_tokens] == [A]


def test_user_without_tokens_has_no_live_one() -> None:
    upstash = ScriptedUpstash(get=WITH_CREDENTIALS, acl=ScriptedAcl({"app": []}))
    assert live(upstash, A, B) == []
    assert upstash.tried_tokens == []


def test_login_without_a_usable_response_is_an_error_and_no_answer() -> None:
    """A token of ours must neither pass for a foreign one nor for one that is gone."""
    upstash = account(A, B, digest=other_digest, token_accepted=[True, None])
    with pytest.raises(ApiError) as raised:
        live(upstash, A, B)
    assert str(raised.value) == (
        f"{LABEL} does not show which tokens are live, and a login with one got no usable "
        f"response; {REPEATED}"
    )


# --- removal ---


def remove(upstash: ScriptedUpstash, *tokens: str, current: str = A) -> None:
    access_to(upstash).remove("app", tokens, current, "retire them")


def test_removal_is_one_request_with_a_command_for_each_token() -> None:
    upstash = account(A, B, C, "foreign")
    remove(upstash, B, C)
    assert upstash.acl.live() == [A, "foreign"]
    assert upstash.calls == ["get", "acl setuser, acl setuser, acl getuser"]


@pytest.mark.parametrize("digest", [acl.digest, other_digest])
def test_token_that_is_gone_meanwhile_is_no_error(digest: Any) -> None:
    """A repeated request finds it gone, too."""
    upstash = account(A, C, digest=digest, faults=["twice"])
    remove(upstash, B, C)
    assert upstash.acl.live() == [A]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"error": "ERR no"}, "the database responded with ERR no"),
        ({"error": f"ERR {B}"}, "the database responded with an error whose text holds a secret"),
        ({"result": "OK"}, "the database still shows one of its tokens"),
    ],
)
def test_token_that_stays_is_an_error(reply: dict[str, Any], problem: str) -> None:
    upstash = account(A, B)
    shown = upstash.acl._run(("ACL", "GETUSER", "app"))
    upstash.acl.faults = [lambda _: [reply, shown]]
    with pytest.raises(ApiError) as raised:
        remove(upstash, B)
    assert str(raised.value) == f"cannot retire them of {LABEL}: {problem}; {REPEATED}"
