"""The user: it gets the new token beside the earlier ones, and the declared rules."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pulumi_upstash_rotation.errors import ApiError, DatabaseNotFoundError
from pulumi_upstash_rotation.resources.redis_acl_user.access import REPEATED
from pulumi_upstash_rotation.resources.redis_acl_user.user import (
    ECHOED,
    RedisAclUserHandler,
)
from pulumi_upstash_rotation.resources.seam import Diff, Resource, Run
from pulumi_upstash_rotation.upstash.credentials import UserLogin
from pulumi_upstash_rotation.values import UNKNOWN, VERIFY_IS_FALSE, Verification

from ...support.account import USER_ACCEPTED, ScriptedUpstash
from ...support.payloads import DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from ...support.scripted_acl import ScriptedAcl, other_digest, sha256, token_canary

HANDLER: Final = RedisAclUserHandler()
LABEL: Final = f"Redis database 'MyRedis' ({DATABASE_ID})"
USER: Final = f"ACL user 'app' of {LABEL}"
A, B, C, D = map(token_canary, (1, 2, 3, 4))
FOREIGN: Final = "gwAAAA-canary-foreign"
RULES: Final = ["~app:*", "+get"]
BOTH_DIGESTS: Final = pytest.mark.parametrize("digest", [sha256, other_digest])


def account(*live: str, faults: Any = (), digest: Any = sha256, **options: Any) -> ScriptedUpstash:
    acl = ScriptedAcl({"app": live} if live else {}, made=4, faults=faults, digest=digest)
    if live:
        acl.users["app"].rules = tuple(RULES)
    return ScriptedUpstash(**{"get": WITH_CREDENTIALS, "acl": acl, **options})


def arguments_of(token: str, *previous: str, **others: Any) -> dict[str, Any]:
    return {
        "database_id": DATABASE_ID,
        "username": "app",
        "token": token,
        "previous_tokens": list(previous),
        "credential_fingerprint": f"of {token[-1:]}",
        "redis_url": f"rediss://app:{token}@host:6379",
        "rest_url": "https://host",
        "rules": RULES,
        **others,
    }


def create(upstash: ScriptedUpstash, token: str, *previous: str, **others: Any) -> dict[str, Any]:
    arguments = arguments_of(token, *previous, **others)
    return dict(HANDLER.create(arguments, upstash.operation()).outputs)


def update(
    upstash: ScriptedUpstash, outputs: Any, token: str, *previous: str, **others: Any
) -> dict[str, Any]:
    arguments = arguments_of(token, *previous, **others)
    return dict(HANDLER.update("id", outputs, arguments, upstash.operation()).outputs)


def read(upstash: ScriptedUpstash, outputs: Any) -> Resource | None:
    return HANDLER.read("id", outputs, upstash.operation())


def diff(outputs: Any, token: str, *previous: str, **others: Any) -> Diff:
    arguments = arguments_of(token, *previous, **others)
    return HANDLER.diff(outputs, arguments, ScriptedUpstash().preview())


@pytest.fixture
def stored() -> dict[str, Any]:
    return create(account(), A)


# --- create ---


def test_user_is_created_in_one_command_and_verified() -> None:
    upstash = account()
    made = HANDLER.create(arguments_of(A, verify_timeout=30), upstash.operation())
    assert made.id == f"{DATABASE_ID}/app"
    assert upstash.acl.commands == [
        ("ACL", "GETUSER", "app"),
        (
            *("ACL", "SETUSER", "app", "on", "resetkeys", "resetchannels", "nocommands"),
            *(*RULES, f">{A}"),
        ),
        ("ACL", "GETUSER", "app"),
    ]
    login = UserLogin(
        user="app",
        token=A,
        redis_url=f"rediss://app:{A}@host:6379",
        rest_url="https://host",
        label=USER,
    )
    assert (upstash.tried_users, upstash.prepared) == ([(login, 30)], 1)
    arguments = arguments_of(A)
    assert made.outputs == {
        **arguments,
        "previous_token": None,
        "shown_rules": {
            "flags": '["on"]',
            "commands": '"-@all +get"',
            "keys": '["app:*"]',
            "channels": "[]",
        },
        "database_name": "MyRedis",
        "customer_id": "example@upstash.com",
        "verified": True,
        "verification": USER_ACCEPTED.message,
        "schema_version": 1,
    }
    assert upstash.reporter.lines == []


@BOTH_DIGESTS
def test_user_that_exists_without_one_of_our_tokens_is_an_error(digest: Any) -> None:
    upstash = account(FOREIGN, digest=digest)
    with pytest.raises(ApiError) as raised:
        create(upstash, A)
    assert str(raised.value) == (
        f"{USER} exists, and none of its tokens is this resource's; nothing has changed. Choose "
        "another username, or set adopt_existing=True: the user then gets these rules and one more "
        "token"
    )
    assert upstash.acl.live() == [FOREIGN]


@BOTH_DIGESTS
def test_user_that_exists_is_taken_over_if_the_program_says_so(digest: Any) -> None:
    upstash = account(FOREIGN, digest=digest)
    outputs = create(upstash, A, adopt_existing=True)
    assert upstash.acl.live() == [FOREIGN, A]
    assert upstash.reporter.warnings == [
        f"{USER} has 1 token that this resource has not made. They stay"
    ]
    assert outputs["previous_token"] is None


@BOTH_DIGESTS
@pytest.mark.parametrize("live", [(A,), (B,), (B, A, FOREIGN)])
def test_user_that_has_one_of_our_tokens_is_ours(live: tuple[str, ...], digest: Any) -> None:
    """A run was killed before it could save the user."""
    upstash = account(*live, digest=digest)
    create(upstash, A, B, retires=True)
    assert {*upstash.acl.live()} == {*live, A}


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("number", [0, 1])
def test_failed_create_states_the_effect_and_is_repeated(fault: str, number: int) -> None:
    upstash = account(faults=[*[None] * number, fault])
    with pytest.raises(ApiError) as raised:
        create(upstash, A)
    effect = REPEATED if (fault, number) == ("after", 1) else "nothing has changed"
    assert str(raised.value).endswith(f"; {effect}")
    assert "canary" not in str(raised.value)
    create(upstash, A)
    assert upstash.acl.live() == [A]


def test_rule_that_upstash_rejects_is_its_own_text_without_the_token() -> None:
    for text, shown in (
        ("ERR Error in ACL SETUSER modifier '+x': Syntax error", None),
        (f"ERR Error in ACL SETUSER modifier '>{A}': no", "an error whose text holds a secret"),
    ):
        replies = [{"error": text}, {"result": None}]
        with pytest.raises(ApiError) as raised:
            create(account(faults=[None, lambda _, replies=replies: replies]), A)
        assert str(raised.value) == (
            f"cannot set the ACL user 'app' of {LABEL}: the database responded with "
            f"{shown or text}; the user has not changed"
        )


def test_user_that_the_database_does_not_show_is_an_error() -> None:
    replies = [{"result": "OK"}, {"result": None}]
    with pytest.raises(ApiError, match="the database does not show it; a part of it may be done"):
        create(account(faults=[None, lambda _: replies]), A)


# --- verification ---


def test_rejected_token_fails_and_states_that_nobody_is_cut_off() -> None:
    rejected = Verification(verified=False, message="Redis did not accept it", rejected=True)
    with pytest.raises(ApiError) as raised:
        create(account(user_verification=rejected), A)
    assert str(raised.value) == (
        f"{USER}: Redis did not accept it; earlier tokens are still live. Run `pulumi up` again"
    )


def test_verification_without_a_result_is_a_warning() -> None:
    silent = Verification(verified=False, message="not verified: Redis was silent")
    upstash = account(user_verification=silent)
    outputs = create(upstash, A)
    assert (outputs["verified"], outputs["verification"]) == (False, silent.message)
    assert upstash.reporter.warnings == [f"{USER}: {silent.message}"]


def test_verification_that_the_program_switches_off_is_recorded() -> None:
    upstash = account()
    outputs = create(upstash, A, verify=False)
    assert (outputs["verified"], outputs["verification"]) == (False, VERIFY_IS_FALSE)
    assert (upstash.tried_users, upstash.prepared, upstash.reporter.lines) == ([], 0, [])


# --- diff ---


def test_only_a_change_that_the_user_needs_is_one(stored: dict[str, Any]) -> None:
    assert diff(stored, A) == Diff(changes=False)
    assert diff(stored, A, verify=False, retires=True, adopt_existing=True) == Diff(changes=False)
    assert diff(stored, B, A) == Diff(changes=True)
    assert diff(stored, A, rules=[*RULES, "+ping"]) == Diff(changes=True)
    assert diff(stored, A, rules=[*reversed(RULES)]) == Diff(changes=True)
    for name in (*ECHOED, "rules"):
        unknown = {**arguments_of(A), name: UNKNOWN}
        assert HANDLER.diff(stored, unknown, ScriptedUpstash().preview()).changes, name


def test_another_user_or_database_is_another_resource(stored: dict[str, Any]) -> None:
    other = diff(stored, A, username="b", database_id="c")
    assert other == Diff(changes=True, replaces=("database_id", "username"))


# --- update ---


@BOTH_DIGESTS
def test_new_token_is_added_beside_the_earlier_ones(stored: dict[str, Any], digest: Any) -> None:
    upstash = account(A, FOREIGN, digest=digest)
    outputs = update(upstash, stored, B, A, retires=True)
    assert upstash.acl.live() == [A, FOREIGN, B]
    assert (outputs["token"], outputs["previous_token"]) == (B, A)
    assert upstash.calls == ["get", "acl setuser, acl getuser"]
    assert not diff(outputs, B, A).changes


def test_rules_change_in_one_command_without_a_token(stored: dict[str, Any]) -> None:
    """No client meets a user without permissions."""
    upstash = account(A)
    outputs = update(upstash, stored, A, rules=["~b", "+set"])
    changes = [command for command in upstash.acl.commands if command[1] == "SETUSER"]
    assert changes == [
        (
            *("ACL", "SETUSER", "app", "on", "resetkeys", "resetchannels", "nocommands"),
            *("~b", "+set"),
        )
    ]
    assert (upstash.acl.live(), upstash.tried_users) == ([A], [])
    assert (outputs["rules"], outputs["verified"]) == (["~b", "+set"], True)
    assert {name: outputs[name] for name in ECHOED if name in outputs} == {
        name: stored[name] for name in ECHOED if name in stored
    }, "so no consumer shows a change"


def test_token_that_somebody_removed_is_not_added_again_with_new_rules(
    stored: dict[str, Any],
) -> None:
    """It may have leaked."""
    upstash = account(FOREIGN)
    update(upstash, stored, A, rules=["+set"])
    assert upstash.acl.live() == [FOREIGN]
    assert upstash.reporter.warnings[1] == (
        f"the current token of {USER} was removed outside Pulumi, and was not added again. Run "
        "`pulumi refresh`, then `pulumi up` makes a new one"
    )


def test_deleted_user_is_made_again_with_new_rules(stored: dict[str, Any]) -> None:
    upstash = account()
    update(upstash, stored, A, rules=["+set"])
    assert (upstash.acl.live(), len(upstash.tried_users)) == ([A], 1)


def test_without_retirement_a_rotation_removes_all_but_the_token_in_the_state(
    stored: dict[str, Any],
) -> None:
    """A newer one comes from a killed run. No consumer has got it."""
    for live, previous, left in (
        ((A,), (A,), [A, B]),
        ((C, A), (A, C), [A, B]),
        ((A, C), (C, A), [A, B]),
        ((A, C, D, FOREIGN), (D, C, A), [A, FOREIGN, B]),
    ):
        upstash = account(*live)
        update(upstash, stored, B, *previous)
        assert upstash.acl.live() == left


def test_update_that_only_stores_sends_nothing(stored: dict[str, Any]) -> None:
    upstash = account()
    changed = update(upstash, stored, A, admin_token="admin-canary", rest_url="https://other")
    assert changed == {**stored, "admin_token": "admin-canary", "rest_url": "https://other"}
    assert update(upstash, changed, A) == stored
    assert upstash.calls == []


def test_preview_shows_what_is_not_known_yet(stored: dict[str, Any]) -> None:
    preview = ScriptedUpstash().preview()
    created = HANDLER.create(arguments_of(A), preview).outputs
    unknown = {"previous_token", "verified", "verification", "shown_rules"}
    assert {name for name, value in created.items() if value is UNKNOWN} == unknown
    updated = HANDLER.update("id", stored, arguments_of(B, A), preview).outputs
    assert {name for name, value in updated.items() if value is UNKNOWN} == unknown
    same = HANDLER.update("id", stored, arguments_of(A), preview)
    assert same == Resource("id", stored)


# --- read ---


def test_read_of_an_unchanged_user_changes_nothing(stored: dict[str, Any]) -> None:
    upstash = account(A, FOREIGN)
    assert read(upstash, stored) == Resource("id", stored)
    assert upstash.reporter.lines == []


def test_read_finds_rules_that_somebody_changed(stored: dict[str, Any]) -> None:
    upstash = account(A)
    upstash.acl.users["app"].rules = ("~*", "+get", "&news")
    found = read(upstash, stored)
    assert found == Resource("id", {**stored, "changed_outside": ["channels", "keys"]})
    assert HANDLER.diff(found.outputs, arguments_of(A), upstash.preview()) == Diff(
        changes=True, by_input=False
    )
    assert upstash.reporter.infos == [
        f"channels, keys of {USER} changed outside Pulumi. `pulumi up` sets the declared rules "
        "again"
    ]
    assert update(upstash, found.outputs, A) == stored
    assert upstash.acl.users["app"].rules == tuple(RULES)


def test_read_shows_which_earlier_token_is_live() -> None:
    rotated = update(account(A), create(account(), A), B, A, retires=True)
    assert rotated["previous_token"] == A
    for live, previous in (((B,), None), ((A, B), A)):
        found = read(account(*live), rotated)
        assert found == Resource("id", {**rotated, "previous_token": previous})


def test_user_that_somebody_deleted_is_made_again(stored: dict[str, Any]) -> None:
    upstash = account()
    assert read(upstash, stored) is None
    assert upstash.reporter.warnings == [
        f"{USER} was deleted outside Pulumi. `pulumi up` makes it again with the same token"
    ]


def test_database_that_is_certainly_gone_is_no_resource(stored: dict[str, Any]) -> None:
    missing = DatabaseNotFoundError("not found (404)", "nothing", status=404)
    assert read(account(get=missing), stored) is None
    with pytest.raises(ApiError, match="but the list of databases has it"):
        read(account(get=missing, listed=[[DOCUMENTED]]), stored)


# --- a successor of a replaced token or user ---


@BOTH_DIGESTS
def test_replaced_user_keeps_the_tokens_of_its_successor(digest: Any) -> None:
    """As after `pulumi up --replace`, or if a renamed resource adopts the token."""
    upstash, run = account(A, B, digest=digest), Run()
    state = create(upstash, B, A)
    arguments = arguments_of(C, B)
    assert HANDLER.check(arguments, upstash.preview(run)) == []
    HANDLER.create(arguments, upstash.operation(run))
    HANDLER.delete(state, upstash.operation(run))
    assert upstash.acl.live() == [B, C]


def test_tokens_that_a_replaced_token_has_forgotten_are_handed_on(stored: dict[str, Any]) -> None:
    """So the retirement still removes them."""
    first = stored["token"]
    upstash = account(first)
    made = update(upstash, stored, B)
    assert made["previous_tokens"] == [first]
    assert not diff(made, B).changes
    upstash.acl.users["app"].tokens.remove(first)
    assert update(upstash, made, C, B)["previous_tokens"] == [B]


def test_error_of_a_read_shows_no_token(stored: dict[str, Any]) -> None:
    error = {"error": f"ERR {stored['token']}"}
    with pytest.raises(ApiError, match="an error whose text holds a secret"):
        read(account(A, faults=[lambda _: [error]]), stored)
