"""The retirement: earlier tokens die after every consumer has the current one."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pulumi_upstash_rotation.errors import ApiError
from pulumi_upstash_rotation.resources.redis_acl_user.access import REPEATED
from pulumi_upstash_rotation.resources.redis_acl_user.retirement import RedisAclRetirementHandler
from pulumi_upstash_rotation.resources.seam import Diff, Resource
from pulumi_upstash_rotation.values import UNKNOWN

from ...support.account import ScriptedUpstash
from ...support.payloads import DATABASE_ID, WITH_CREDENTIALS
from ...support.scripted_acl import ScriptedAcl, other_digest, sha256, token_canary

HANDLER: Final = RedisAclRetirementHandler()
LABEL: Final = f"Redis database 'MyRedis' ({DATABASE_ID})"
A, B, C = map(token_canary, (1, 2, 3))


def account(*live: str, faults: Any = (), digest: Any = sha256, **options: Any) -> ScriptedUpstash:
    users = {"app": live} if live else {}
    acl = ScriptedAcl(users, made=3, faults=faults, digest=digest)
    return ScriptedUpstash(get=WITH_CREDENTIALS, acl=acl, **options)


def arguments_of(token: str, *previous: str, **others: Any) -> dict[str, Any]:
    return {
        "database_id": DATABASE_ID,
        "username": "app",
        "token": token,
        "previous_tokens": list(previous),
        "credential_fingerprint": f"of {token[-1:]}",
        **others,
    }


def retire(upstash: ScriptedUpstash, token: str, *previous: str, **others: Any) -> Any:
    return HANDLER.create(arguments_of(token, *previous, **others), upstash.operation()).outputs


# --- what is removed ---


def test_first_run_removes_nothing_and_sends_nothing() -> None:
    upstash = account(A)
    assert retire(upstash, A) == {
        "database_id": DATABASE_ID,
        "username": "app",
        "credential_fingerprint": "of 1",
        "stale_consumers": [],
        "retired_tokens": 0,
        "schema_version": 1,
    }
    assert (upstash.calls, upstash.clock.sleeps) == ([], [])


@pytest.mark.parametrize("digest", [sha256, other_digest])
def test_every_earlier_token_goes_and_foreign_ones_stay(digest: Any) -> None:
    upstash = account(A, "foreign", B, C, digest=digest)
    outputs = retire(upstash, C, B, A)
    assert upstash.acl.live() == ["foreign", C]
    assert (outputs["retired_tokens"], outputs["retired_at"]) == (2, "2026-11-23T04:05:08Z")


@pytest.mark.parametrize(("given", "waited"), [({}, [2]), ({"grace_seconds": 0.5}, [0.5])])
def test_pause_comes_only_before_a_removal(given: dict[str, Any], waited: list[float]) -> None:
    """Clients that have just read the earlier token can still log in."""
    upstash = account(A, B)
    moments: list[tuple[list[str], list[float]]] = []
    upstash.acl.on_change = lambda: moments.append((upstash.acl.live(), [*upstash.clock.sleeps]))
    retire(upstash, B, A, **given)
    assert moments == [([A, B], []), ([B], waited), ([B], waited)]
    retire(upstash, B, A, **given)
    assert upstash.clock.sleeps == waited


@pytest.mark.parametrize("live", [(A,), ("foreign",), ()], ids=["earlier", "foreign", "no user"])
def test_nothing_is_removed_unless_the_current_token_is_live(live: tuple[str, ...]) -> None:
    upstash = account(*live)
    with pytest.raises(ApiError) as raised:
        retire(upstash, B, A)
    assert str(raised.value) == (
        f"the current token of ACL user 'app' of {LABEL} is not live; nothing was removed. Run "
        "`pulumi refresh`, then `pulumi up`"
    )
    assert upstash.acl.live() == [*live]


def test_token_whose_login_gets_no_response_is_not_recorded_as_gone() -> None:
    upstash = account(A, B, digest=other_digest, token_accepted=[True, None])
    with pytest.raises(ApiError, match="does not show which tokens are live"):
        retire(upstash, B, A)
    assert upstash.acl.live() == [A, B]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_failed_removal_states_the_effect_and_is_repeated(fault: str) -> None:
    upstash = account(A, B, faults=[None, fault])
    with pytest.raises(ApiError) as raised:
        retire(upstash, B, A)
    effect = "nothing has changed" if fault == "before" else REPEATED
    assert str(raised.value).startswith("cannot retire earlier tokens of the ACL user 'app' of ")
    assert str(raised.value).endswith(f"; {effect}")
    assert "canary" not in str(raised.value)
    retire(upstash, B, A)
    assert upstash.acl.live() == [B]


# --- stale consumers ---


def test_consumer_that_shows_an_earlier_token_keeps_all() -> None:
    upstash = account(A, B)
    outputs = retire(upstash, B, A, stale_consumers=["one", "two"])
    assert (outputs["stale_consumers"], outputs["retired_tokens"]) == (["one", "two"], 0)
    assert upstash.reporter.warnings == [
        "earlier tokens of 'app' stay, because outputs of one, two still show one. The next "
        "`pulumi up` that updates them removes the tokens"
    ]
    assert upstash.calls == []
    caught_up = arguments_of(B, A)
    assert HANDLER.diff(outputs, caught_up, upstash.preview()) == Diff(changes=True)
    HANDLER.update("id", outputs, caught_up, upstash.operation())
    assert upstash.acl.live() == [B]


# --- diff ---


def diff_of(outputs: Any, arguments: Any) -> tuple[bool, list[str]]:
    upstash = ScriptedUpstash()
    found = HANDLER.diff(outputs, arguments, upstash.preview())
    assert not found.replaces
    return found.changes, upstash.reporter.infos


def test_new_token_makes_a_retirement_due_and_says_so() -> None:
    outputs = retire(account(A), A)
    due = (
        "earlier tokens of ACL user 'app' of Redis database "
        f"'{DATABASE_ID}' are due for removal, after its consumers"
    )
    assert diff_of(outputs, arguments_of(B, A)) == (True, [due])
    unknown = {**arguments_of(A), "credential_fingerprint": UNKNOWN, "token": UNKNOWN}
    assert diff_of(outputs, unknown) == (True, [due])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"previous_tokens": [B]},
        {"grace_seconds": 9},
        {"admin_token": "a"},
        {"stale_consumers": []},
        {"stale_consumers": UNKNOWN},
    ],
)
def test_other_changes_make_nothing_due(change: dict[str, Any]) -> None:
    outputs = retire(account(A), A)
    arguments = arguments_of(A, **change)
    assert diff_of(outputs, arguments) == (False, [])
    upstash = ScriptedUpstash()
    assert HANDLER.update("id", outputs, arguments, upstash.preview()) == Resource("id", outputs)


def test_consumers_that_are_not_known_yet_may_have_caught_up() -> None:
    outputs = retire(account(A, B), B, A, stale_consumers=["one"])
    assert diff_of(outputs, arguments_of(B, A, stale_consumers=UNKNOWN))[0]
    assert diff_of(outputs, arguments_of(B, A, stale_consumers=["one", "two"]))[0]
    assert not diff_of(outputs, arguments_of(B, A, stale_consumers=["one"]))[0]


def test_another_user_is_another_resource() -> None:
    outputs, upstash = retire(account(A), A), ScriptedUpstash()
    other = arguments_of(A, username="b", database_id="c")
    found = HANDLER.diff(outputs, other, upstash.preview())
    assert found == Diff(changes=True, replaces=("database_id", "username"))


# --- preview, read, delete ---


def test_preview_shows_what_is_not_known_yet() -> None:
    preview = ScriptedUpstash().preview()
    planned = HANDLER.create(arguments_of(B, A), preview).outputs
    assert planned == {
        "database_id": DATABASE_ID,
        "username": "app",
        "credential_fingerprint": "of 2",
        "retired_at": UNKNOWN,
        "retired_tokens": UNKNOWN,
    }
    outputs = retire(account(A), A)
    updated = HANDLER.update("id", outputs, arguments_of(B, A), preview).outputs
    assert updated == {**outputs, **planned}


def test_read_and_delete_send_nothing() -> None:
    outputs, upstash = retire(account(A), A), account(A)
    assert HANDLER.read("id", outputs, upstash.operation()) == Resource("id", outputs)
    assert HANDLER.read("id", {}, upstash.operation()) is None
    HANDLER.delete(outputs, upstash.operation())
    assert upstash.calls == []


def test_state_holds_no_token() -> None:
    assert "canary" not in repr(retire(account(A, B), B, A))
