"""The token: made and saved before any client can use it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from pulumi_upstash_rotation.errors import (
    ApiError,
    DatabaseNotFoundError,
    InvalidInputError,
)
from pulumi_upstash_rotation.resources.redis_acl_user.token import (
    CHANGED_BY_ROTATION,
    DUPLICATE,
    RedisAclTokenHandler,
)
from pulumi_upstash_rotation.resources.seam import Diff, Resource, Run
from pulumi_upstash_rotation.values import UNKNOWN

from ...support.account import ScriptedUpstash
from ...support.payloads import DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS
from ...support.scripted_acl import ScriptedAcl, token_canary

HANDLER: Final = RedisAclTokenHandler()
LABEL: Final = f"Redis database 'MyRedis' ({DATABASE_ID})"
USER: Final = f"ACL user 'app' of {LABEL}"
A, B, C, D = map(token_canary, (1, 2, 3, 4))
DAY: Final = 24 * 3600


def account(*live: str, made: int = 0, get: Any = WITH_CREDENTIALS, **options: Any) -> Any:
    faults = options.pop("faults", ())
    users = {"app": live} if live else {}
    return ScriptedUpstash(get=get, acl=ScriptedAcl(users, made=made, faults=faults), **options)


def arguments_of(release: Any = 1, **others: Any) -> dict[str, Any]:
    known = {"database_id": DATABASE_ID, "username": "app", "triggers": {"release": release}}
    return {**known, **others}


def create(upstash: ScriptedUpstash, **arguments: Any) -> Resource:
    return HANDLER.create(arguments_of(**arguments), upstash.operation())


def update(upstash: ScriptedUpstash, outputs: Any, release: Any = 2, **arguments: Any) -> Resource:
    return HANDLER.update("id", outputs, arguments_of(release, **arguments), upstash.operation())


def diff(upstash: ScriptedUpstash, outputs: Any, release: Any = 1, **arguments: Any) -> Diff:
    return HANDLER.diff(outputs, arguments_of(release, **arguments), upstash.preview())


@pytest.fixture
def stored() -> dict[str, Any]:
    return dict(create(account()).outputs)


# --- check ---


def test_adoption_without_a_token_is_a_problem() -> None:
    arguments = arguments_of(rotate_on_create=False)
    (problem,) = HANDLER.check(arguments, ScriptedUpstash().preview())
    assert str(problem) == (
        "existing_token must be given if rotate_on_create is False: the current token of the user, "
        "which the resource then adopts"
    )
    for given in ({"existing_token": "a"}, {"rotate_on_create": True}, {"existing_token": UNKNOWN}):
        assert not HANDLER.check({**arguments, **given}, ScriptedUpstash().preview())


def test_user_that_two_resources_declare_is_a_problem_of_the_second() -> None:
    """Each would retire the other's token."""
    upstash, run = ScriptedUpstash(), Run()
    first, second = (replace(upstash.preview(run), resource=name) for name in ("one", "two"))
    for _ in range(2):
        assert HANDLER.check(arguments_of(), first) == []
        assert [str(each) for each in HANDLER.check(arguments_of(), second)] == [
            f"username {DUPLICATE}"
        ]
    operation = replace(account().operation(run), resource="two")
    with pytest.raises(InvalidInputError, match="^username is the user of another resource"):
        HANDLER.create(arguments_of(), operation)
    with pytest.raises(InvalidInputError, match="changed nothing$"):
        HANDLER.update("id", {}, arguments_of(), operation)


@pytest.mark.parametrize("other", [{"username": "b"}, {"database_id": "b"}, {"username": UNKNOWN}])
def test_other_users_may_be_declared_beside_it(other: dict[str, Any]) -> None:
    upstash, run = ScriptedUpstash(), Run()
    for resource, changes in (("one", {}), ("two", other)):
        context = replace(upstash.preview(run), resource=resource)
        assert HANDLER.check(arguments_of(**changes), context) == []


# --- create ---


def test_first_token_is_made_and_nothing_else_changes() -> None:
    upstash = account()
    made = create(upstash)
    assert (made.id, upstash.acl.live()) == (f"{DATABASE_ID}/app", [])
    assert made.outputs == {
        "database_id": DATABASE_ID,
        "username": "app",
        "database_name": "MyRedis",
        "customer_id": "example@upstash.com",
        "token": A,
        "previous_tokens": [],
        "credential_fingerprint": made.outputs["credential_fingerprint"],
        "redis_url": f"rediss://app:{A}@beloved-stallion-58500.upstash.io:6379",
        "rest_url": "https://beloved-stallion-58500.upstash.io",
        "triggers": {"release": 1},
        "rotated_at": "2026-11-23T04:05:06Z",
        "rotation_count": 1,
        "rotation_cause": "create",
        "schema_version": 1,
    }


def test_adoption_makes_no_token() -> None:
    upstash = account(B, made=2)
    outputs = create(upstash, rotate_on_create=False, existing_token=B).outputs
    assert (outputs["token"], outputs["rotation_cause"], outputs["rotation_count"]) == (
        *(B, "adopted", 0),
    )
    assert (outputs["adopted_at"], "rotated_at" in outputs) == ("2026-11-23T04:05:06Z", False)
    assert upstash.calls == ["get", "acl getuser"]


@pytest.mark.parametrize("live", [(), (B,)])
def test_only_a_live_token_of_the_user_is_adopted(live: tuple[str, ...]) -> None:
    """A wrong one would stay in the state, because a corrected argument makes no token due."""
    upstash = account(*live, made=2)
    with pytest.raises(ApiError, match="existing_token is not one of its live tokens; nothing has"):
        create(upstash, rotate_on_create=False, existing_token=A)


@pytest.mark.parametrize(
    "changes", [{"endpoint": ""}, {"port": 0}, {"endpoint": "[::"}, {"endpoint": None}]
)
@pytest.mark.parametrize("adopts", [False, True])
def test_database_whose_url_is_not_known_fails_before_any_command(
    changes: dict[str, Any], *, adopts: bool
) -> None:
    """No consumer gets an empty URL."""
    upstash = account(get={**WITH_CREDENTIALS, **changes})
    adoption = {"rotate_on_create": False, "existing_token": A} if adopts else {}
    with pytest.raises(ApiError) as raised:
        create(upstash, **adoption)
    assert str(raised.value) == (
        f"the API does not return the endpoint and port of {LABEL}; nothing has changed"
    )
    assert upstash.calls == ["get"]


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ([{"error": "ERR unknown"}, {"result": None}], "the database responded with ERR unknown"),
        ([{"result": None}, {"result": None}], "its reply is not a token"),
        ([{"result": "é-canary"}, {"result": None}], "its reply is not a token"),
        ([{"result": "gwAAAA-canary"}, {"result": 7}], "its reply is not an ACL user"),
    ],
)
def test_odd_reply_is_one_line_and_nothing_has_changed(replies: Any, problem: str) -> None:
    with pytest.raises(ApiError) as raised:
        create(account(faults=[lambda _: replies]))
    assert str(raised.value) == (
        f"cannot make a token for the ACL user 'app' of {LABEL}: {problem}; nothing has changed"
    )


# --- diff ---


def test_new_trigger_makes_a_token_due_and_says_why(stored: dict[str, Any]) -> None:
    upstash = account()
    assert diff(upstash, stored, 2) == Diff(changes=True)
    assert upstash.reporter.infos == [
        f"a new token of {USER} is due: trigger: release. Earlier tokens stay live until they are "
        "retired"
    ]
    assert diff(upstash, stored, UNKNOWN).changes
    assert "a new token of ACL user 'app' of" in upstash.reporter.infos[1]
    assert "may be due" in upstash.reporter.infos[1]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"triggers": {}},
        {"triggers": None},
        {"rotation_days": 30},
        {"rotate_on_create": False, "existing_token": B},
    ],
)
def test_other_changes_make_no_token_due(stored: dict[str, Any], change: dict[str, Any]) -> None:
    upstash = account()
    assert diff(upstash, stored, **change) == Diff(changes=False)
    assert upstash.reporter.lines == []
    assert update(upstash, stored, 1, **change) == Resource("id", stored)


def test_age_makes_a_token_due_that_the_engine_cannot_see(stored: dict[str, Any]) -> None:
    upstash = account()
    upstash.clock.seconds = 2 * DAY
    assert diff(upstash, stored, rotation_days=2) == Diff(changes=True, by_input=False)


def test_changed_admin_token_is_stored_for_the_next_refresh(stored: dict[str, Any]) -> None:
    """Else a refresh would go on with the rejected one."""
    upstash = account(A, get=DOCUMENTED)
    upstash.acl.standard_token = "admin-canary"
    assert diff(upstash, stored, admin_token="admin-canary") == Diff(changes=True)
    updated = update(upstash, stored, 1, admin_token="admin-canary").outputs
    assert updated == {**stored, "admin_token": "admin-canary"}
    assert upstash.calls == []
    assert HANDLER.read("id", updated, upstash.operation()) == Resource("id", updated)
    assert update(upstash, updated, 1).outputs == stored


def test_preview_of_an_update_shows_what_is_not_known_yet(stored: dict[str, Any]) -> None:
    arguments = arguments_of(2)
    planned = HANDLER.update("id", stored, arguments, ScriptedUpstash().preview()).outputs
    unknown = {name for name, value in planned.items() if value is UNKNOWN}
    assert unknown == {*CHANGED_BY_ROTATION, "rest_url", "database_name", "customer_id"}
    assert (planned["database_id"], planned["username"]) == (DATABASE_ID, "app")


# --- update ---


def test_new_token_keeps_the_earlier_one(stored: dict[str, Any]) -> None:
    upstash = account(A, made=1)
    upstash.clock.seconds = 1
    outputs = update(upstash, stored).outputs
    assert (outputs["token"], outputs["previous_tokens"]) == (B, [A])
    assert (outputs["rotation_count"], outputs["rotation_cause"]) == (2, "trigger: release")
    assert (outputs["rotated_at"], outputs["triggers"]) == ("2026-11-23T04:05:07Z", {"release": 2})
    assert B in outputs["redis_url"]
    assert outputs["credential_fingerprint"] != stored["credential_fingerprint"]
    assert upstash.acl.live() == [A]


def test_earlier_tokens_that_are_no_longer_live_are_forgotten(stored: dict[str, Any]) -> None:
    state = {**stored, "token": C, "previous_tokens": [B, A]}
    outputs = update(account(A, C, made=3), state).outputs
    assert (outputs["token"], outputs["previous_tokens"]) == (D, [C, A])


def test_token_just_before_is_kept_even_if_it_is_not_live_yet(stored: dict[str, Any]) -> None:
    """A killed run may just be adding it."""
    state = {**stored, "token": B, "previous_tokens": [A]}
    outputs = update(account(A, made=2), state).outputs
    assert (outputs["token"], outputs["previous_tokens"]) == (C, [B, A])


def test_adopted_token_becomes_an_earlier_one() -> None:
    adopted = create(account(A, made=1), rotate_on_create=False, existing_token=A).outputs
    outputs = update(account(A, made=1), adopted).outputs
    assert (outputs["token"], outputs["previous_tokens"]) == (B, [A])
    assert "adopted_at" not in outputs


# --- read ---


def read(upstash: ScriptedUpstash, outputs: Any) -> Resource | None:
    return HANDLER.read("id", outputs, upstash.operation())


@pytest.mark.parametrize("live", [(), (A,), (A, B)], ids=["no user", "live", "two"])
def test_read_finds_the_stored_token(stored: dict[str, Any], live: tuple[str, ...]) -> None:
    """A user that is gone is made again with the same token."""
    upstash = account(*live)
    assert read(upstash, stored) == Resource("id", stored)
    assert upstash.reporter.lines == []


def test_token_that_somebody_removed_is_replaced(stored: dict[str, Any]) -> None:
    """It may have leaked."""
    upstash = account("foreign", made=1)
    found = read(upstash, stored)
    assert found == Resource("id", {**stored, "token_removed_outside": True})
    assert upstash.reporter.warnings == [
        f"the current token of {USER} is not live. `pulumi up` makes a new one"
    ]
    assert read(upstash, found.outputs) == found
    assert len(upstash.reporter.warnings) == 1, "it is reported once"
    assert diff(upstash, found.outputs) == Diff(changes=True, by_input=False)
    outputs = update(upstash, found.outputs, 1).outputs
    assert (outputs["token"], outputs["rotation_cause"]) == (B, "external")
    assert "token_removed_outside" not in outputs
    assert not diff(upstash, outputs).changes


def test_token_that_is_live_again_is_not_replaced(stored: dict[str, Any]) -> None:
    removed = {**stored, "token_removed_outside": True}
    assert read(account(A), removed) == Resource("id", stored)


def test_database_that_is_certainly_gone_is_no_resource(stored: dict[str, Any]) -> None:
    missing = DatabaseNotFoundError("not found (404)", "nothing", status=404)
    assert read(account(get=missing), stored) is None
    with pytest.raises(ApiError, match="but the list of databases has it"):
        read(account(get=missing, listed=[[DOCUMENTED]]), stored)


def test_delete_removes_what_a_failed_user_left(stored: dict[str, Any]) -> None:
    """The first run added the token and then failed. So the state has no user."""
    upstash = account(A)
    HANDLER.delete(stored, upstash.operation())
    assert "app" not in upstash.acl.users
    upstash = account("gwAAAA-theirs", A)
    HANDLER.delete(stored, upstash.operation())
    assert upstash.acl.live() == ["gwAAAA-theirs"]


def test_delete_touches_no_user_that_is_adopted_or_still_declared(stored: dict[str, Any]) -> None:
    upstash, run = account(A), Run()
    adopted = create(account(A, made=1), rotate_on_create=False, existing_token=A).outputs
    HANDLER.delete(adopted, upstash.operation())
    rotated = update(account(A, made=1), adopted).outputs
    HANDLER.delete(rotated, upstash.operation())
    assert HANDLER.check(arguments_of(), replace(upstash.preview(run), resource="new")) == []
    HANDLER.delete(stored, upstash.operation(run))
    assert upstash.acl.live() == [A]


def test_late_read_of_the_user_forgets_no_token(stored: dict[str, Any]) -> None:
    state = {**stored, "token": B, "previous_tokens": [A]}
    late = account(A, B, made=2, faults=[lambda replies: [replies[0], {"result": None}]])
    outputs = update(late, state).outputs
    assert (outputs["token"], outputs["previous_tokens"]) == (C, [B, A])


def test_repeated_reply_is_no_new_token(stored: dict[str, Any]) -> None:
    cached = account(A, faults=[lambda replies: [{"result": A}, replies[1]]])
    with pytest.raises(ApiError, match="its reply is an earlier token; nothing has changed"):
        update(cached, stored)


def test_state_without_a_token_gets_one(stored: dict[str, Any]) -> None:
    """Somebody has edited it."""
    del stored["token"]
    assert diff(account(), stored).changes
    outputs = update(account(made=1), stored, 1).outputs
    assert (outputs["token"], outputs["previous_tokens"], outputs["rotation_cause"]) == (
        *(B, [], "external"),
    )
