"""The three handlers with the real clients, against the emulator and a real redis-server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import redis

from pulumi_upstash_rotation.errors import ApiError
from pulumi_upstash_rotation.http.connection import trust_store
from pulumi_upstash_rotation.resources import handler_of
from pulumi_upstash_rotation.resources.seam import Operation, Run
from pulumi_upstash_rotation.upstash import redis_rest
from pulumi_upstash_rotation.upstash.account import open_account
from pulumi_upstash_rotation.upstash.settings import Settings
from upstash_emulator import Fault

from ...support.account import RecordingReporter
from ...support.assertions import connect
from ...support.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from upstash_emulator import EmulatedDatabase, Emulator

HANDED_ON: Final = ("token", "previous_tokens", "credential_fingerprint")
RULES: Final = ["~app:*", "+@read", "+set", "+ping"]


class Stack:
    """One user with a retirement, and the state of the three resources."""

    def __init__(self, emulator: Emulator, **arguments: Any) -> None:
        self.emulator = emulator
        self.database: EmulatedDatabase = emulator.databases[0]
        self.states: dict[str, Any] = {}
        self.reporter = RecordingReporter()
        self.release = 0
        self._arguments = arguments
        self._settings = Settings(emulator.email, emulator.api_key, emulator.url)

    @property
    def tokens(self) -> tuple[str, ...]:
        user = self.database.user("app")
        return user.tokens if user else ()

    @property
    def url(self) -> str:
        return str(self.states["User"]["redis_url"])

    def up(self, **rules: Any) -> None:
        address = {"database_id": self.database.id, "username": "app"}
        account = open_account(lambda: self._settings, self.reporter.info)
        clock = Clock()
        operation = Operation(clock.now, self.reporter, Run(), account, clock.sleep)
        self._step("Token", {**address, "triggers": {"release": self.release}}, operation)
        names = (*HANDED_ON, "redis_url", "rest_url")
        handed_on = {name: self.states["Token"][name] for name in names}
        given = {"rules": RULES, "retires": True, **self._arguments, **rules}
        self._step("User", {**address, **handed_on, **given}, operation)
        handed_on = {name: self.states["User"][name] for name in HANDED_ON}
        self._step("Retirement", {**address, **handed_on}, operation)

    def destroy(self) -> None:
        account = open_account(lambda: self._settings, self.reporter.info)
        operation = Operation(Clock().now, self.reporter, Run(), account, Clock().sleep)
        for name in ("Retirement", "User", "Token"):
            handler_of(f"RedisAcl{name}").delete(self.states[name], operation)

    def _step(self, name: str, arguments: Any, operation: Operation) -> None:
        handler, state = handler_of(f"RedisAcl{name}"), self.states.get(name)
        if state is None:
            self.states[name] = handler.create(arguments, operation).outputs
        elif handler.diff(state, arguments, operation).changes:
            self.states[name] = handler.update("id", state, arguments, operation).outputs


@pytest.fixture
def stack(upstash_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstash_emulator.ca_bundle))
    trust_store.cache_clear()  # another test of this process may have read it
    instant: ModuleType | Any = Clock()
    instant.monotonic = instant
    monkeypatch.setattr(redis_rest, "time", instant)
    monkeypatch.setattr(redis_rest, "cancellation", instant)
    yield Stack(upstash_emulator)
    trust_store.cache_clear()


def pings(stack: Stack, url: str) -> bool:
    with connect(url, stack.emulator) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


def test_rotation_hands_the_new_token_on_and_retires_the_old_one(stack: Stack) -> None:
    stack.up()
    first = stack.url
    assert pings(stack, first)
    assert stack.states["User"]["verified"]
    with connect(first, stack.emulator) as kept:
        assert kept.set("app:key", "value")
        stack.release = 1
        stack.emulator.clear()
        stack.up()
        operations = [call.operation for call in stack.emulator.calls]
        assert kept.get("app:key") == b"value", "its connection stays open"
    assert operations == [
        "get",
        *("acl gentoken", "acl getuser"),
        *("acl setuser", "acl getuser"),
        "acl getuser",
        *("acl setuser", "acl getuser"),
    ]
    assert stack.tokens == (stack.states["Token"]["token"],)
    assert (pings(stack, first), pings(stack, stack.url)) == (False, True)
    assert stack.reporter.warnings == []


def test_rules_change_without_a_token(stack: Stack) -> None:
    stack.up()
    token = stack.tokens
    stack.up(rules=["~other:*", "+get"])
    user = stack.database.user("app")
    assert user is not None
    assert (user.tokens, user.keys, user.commands) == (token, ("other:*",), "-@all +get")
    with pytest.raises(ApiError, match=r"ERR Error in ACL SETUSER modifier '\+nonsense'"):
        stack.up(rules=["+nonsense"])
    assert stack.database.user("app") == user
    stack.destroy()
    assert stack.database.user("app") is None


@pytest.mark.parametrize("operation", ["acl gentoken", "acl setuser", "acl getuser"])
@pytest.mark.parametrize("applied", [False, True])
def test_lost_response_is_repeated_and_not_doubted(
    stack: Stack, operation: Any, *, applied: bool
) -> None:
    stack.up()
    first, stack.release = stack.url, 1
    stack.emulator.fault(Fault.closed(applied=applied), operation=operation, times=2)
    stack.up()
    assert stack.tokens == (stack.states["Token"]["token"],)
    assert (pings(stack, first), pings(stack, stack.url)) == (False, True)


def test_digests_that_are_not_of_tokens_lead_to_logins(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.emulator, "acl_digests_are_of_tokens", False)
    stack.up()
    foreign = stack.database.acl("GENTOKEN", "app")
    stack.database.acl("SETUSER", "app", f">{foreign}")
    for stack.release in (1, 2):
        stack.up()
        assert {*stack.tokens} == {stack.states["Token"]["token"], foreign}
    assert len(stack.reporter.warnings) == 2
    assert "has 1 token that this resource has not made" in stack.reporter.warnings[0]
    stack.destroy()
    assert stack.tokens == (foreign,)


def test_reset_between_two_steps_is_noticed(stack: Stack) -> None:
    """The Standard token that the run has read is no longer live."""
    stack.up()
    stack.database.reset_in_console()
    stack.release = 1
    stack.up()
    assert stack.tokens == (stack.states["Token"]["token"],)


def test_destroy_keeps_the_token_of_a_successor(stack: Stack) -> None:
    stack.up()
    foreign = stack.database.acl("GENTOKEN", "app")
    stack.database.acl("SETUSER", "app", f">{foreign}")
    stack.destroy()
    assert stack.tokens == (foreign,)
