"""ACL users as Upstash documents them, over REST and over Redis."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upstash_emulator import Emulator, EmulatorError, Fault

from ..support import Api, Error, Rest, opens, redis_client, rest_client, wait_until

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase

WRONG = "WRONGPASS invalid password"


def shown(run: Rest, name: str = "app") -> dict[str, object]:
    """The response to `ACL GETUSER`, by field."""
    reply = run("ACL", "GETUSER", name)
    assert isinstance(reply, list)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_generating_a_token_changes_nothing(run: Rest, database: EmulatedDatabase) -> None:
    first, second = run("ACL", "GENTOKEN", "app"), run("acl", "gentoken", "app")
    assert isinstance(first, str)
    assert len(first) == 123
    assert first.startswith("gwAAAA")
    assert first != second
    assert run("ACL", "GETUSER", "app") is None
    assert run("PING", token=first) == WRONG
    assert database.acl_users == []


@pytest.mark.parametrize("password", ["", "secret", "a" * 200, "password123"])
def test_weak_password_is_rejected(run: Rest, password: str) -> None:
    assert str(run("ACL", "GENTOKEN", "app", password)).startswith("ERR insecure password")


def test_token_of_a_user_opens_rest_and_redis(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    token = run.user("app", "~*", "+@all", "-flushall")
    with rest_client(emulator, database, token) as client:
        assert client.set("key", "value") is True
    with redis_client(emulator, database, token, user="app") as client:
        assert client.get("key") == b"value"
    assert not opens(emulator, database, token)
    assert str(run("FLUSHALL", token=token)).startswith("NOPERM")
    assert run("ACL", "WHOAMI") == "default"


@pytest.mark.parametrize(
    ("rules", "field", "value"),
    [
        (["on"], "flags", ["on"]),
        (["on", "off"], "flags", ["off"]),
        (["~cache:*", "~a"], "keys", ["cache:*", "a"]),
        (["~"], "keys", [""]),
        (["allkeys"], "keys", ["*"]),
        (["~a", "resetkeys", "~b"], "keys", ["b"]),
        (["&news:*"], "channels", ["news:*"]),
        (["allchannels"], "channels", ["*"]),
        (["allchannels"], "flags", ["off", "allchannels"]),
        (["&a", "resetchannels", "&b"], "channels", ["b"]),
        (["+get", "+mget"], "commands", ["-@all", "+get", "+mget"]),
        (["+@all", "-set"], "commands", ["+@all", "-set"]),
        (["allcommands"], "commands", ["+@all"]),
        (["+@all", "nocommands"], "commands", ["-@all"]),
        (["+@read", "+@read"], "commands", ["-@all", "+@read"]),
        (["+@all", "-@admin"], "commands", ["+@all", "-@admin"]),
        (["on", "~a", "&b", "+@all", "reset"], "flags", ["off"]),
        (["on", "~a", "&b", "+@all", "reset"], "keys", []),
        (["on", "~a", "&b", "+@all", "reset"], "channels", []),
        (["on", "~a", "&b", "+@all", "reset"], "commands", ["-@all"]),
        ([], "flags", ["off"]),
        ([], "passwords", []),
    ],
)
def test_documented_rule_is_accepted_and_shown(
    run: Rest, rules: list[str], field: str, value: list[str]
) -> None:
    assert run("ACL", "SETUSER", "app", *rules) == "OK"
    fields = shown(run)
    assert list(fields) == ["flags", "passwords", "commands", "keys", "channels"]
    found = str(fields[field]).split() if field == "commands" else fields[field]
    assert sorted(found) == sorted(value)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("nopass", "every user needs a password"),
        (">plain-password-that-is-long-enough", "must be generated with ACL GENTOKEN"),
        ("#" + "0" * 64, "must be added with >token"),
        ("!" + "0" * 63, "Syntax error"),
        ("!" + "F" * 64, "Syntax error"),
        ("+config|get", "subcommands are not supported"),
        ("-client|list", "subcommands are not supported"),
        ("(~a +get)", "Syntax error"),
        ("(~a)", "selectors are not supported"),
        ("clearselectors", "Syntax error"),
        ("%R~a", "Syntax error"),
        ("sanitize-payload", "Syntax error"),
        ("on ", "Syntax error"),
        (" on", "Syntax error"),
        ("~a ", "Syntax error"),
        ("+get\n", "Syntax error"),
        ("", "Syntax error"),
        (">", "Syntax error"),
        ("ON", "Syntax error"),
        ("+nosuchcommand", "Unknown command"),
        ("+@nosuchcategory", "Unknown command"),
        ("<absent", "does not exist"),
        ("!" + "0" * 64, "does not exist"),
    ],
)
def test_other_rule_is_rejected_and_nothing_is_applied(run: Rest, rule: str, reason: str) -> None:
    run.user("app")
    before = shown(run)
    error = run("ACL", "SETUSER", "app", "off", "resetpass", rule, "~more", "-@all")
    assert str(error).startswith(f"ERR Error in ACL SETUSER modifier '{rule}': ")
    assert reason in str(error)
    assert shown(run) == before
    assert isinstance(run("ACL", "SETUSER", "other", rule), Error)
    assert run("ACL", "GETUSER", "other") is None


def test_token_belongs_to_one_user_of_one_database(run: Rest, emulator: Emulator) -> None:
    token = run.user("app")
    assert "ACL GENTOKEN for this user" in str(run("ACL", "SETUSER", "other", f">{token}"))
    with pytest.raises(EmulatorError, match="ACL GENTOKEN"):
        emulator.databases[1].acl("SETUSER", "app", f">{token}")


def test_user_has_several_passwords_and_loses_one_at_a_time(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    first = run.user("app")
    second, third = (str(run("ACL", "GENTOKEN", "app")) for _ in range(2))
    assert run("ACL", "SETUSER", "app", f">{second}", f">{third}", f">{second}") == "OK"
    assert shown(run)["passwords"] == [digest(each) for each in (first, second, third)]
    assert [run("PING", token=each) for each in (first, second, third)] == ["PONG"] * 3
    run("ACL", "SETUSER", "app", f"<{first}")
    run("ACL", "SETUSER", "app", f"!{digest(second)}")
    assert [run("PING", token=each) for each in (first, second, third)] == [WRONG, WRONG, "PONG"]
    assert [opens(emulator, database, each, "app") for each in (first, third)] == [False, True]
    run("ACL", "SETUSER", "app", "resetpass")
    assert run("PING", token=third) == WRONG


def test_digests_with_the_other_reading_are_not_those_of_the_tokens(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    first = run.user("app")
    second, third = (str(run("ACL", "GENTOKEN", "app")) for _ in range(2))
    run("ACL", "SETUSER", "app", f">{second}", f">{third}")
    emulator.acl_digests_are_of_tokens = False
    passwords = shown(run)["passwords"]
    assert isinstance(passwords, list)
    assert len({*passwords, *map(digest, (first, second, third))}) == 6
    lines = run("ACL", "LIST")
    assert isinstance(lines, list)
    assert [part[1:] for part in lines[2].split() if part.startswith("#")] == passwords
    assert digest(database.password) not in lines[0]
    for wrong in (digest(second), "0" * 64):
        error = run("ACL", "SETUSER", "app", f"!{wrong}")
        assert str(error).startswith(f"ERR Error in ACL SETUSER modifier '!{wrong}': ")
    assert run("ACL", "SETUSER", "app", f"!{passwords[1]}") == "OK"
    assert shown(run)["passwords"] == [passwords[0], passwords[2]]
    assert [run("PING", token=each) for each in (first, second, third)] == ["PONG", WRONG, "PONG"]
    run("ACL", "SETUSER", "app", f"<{third}")
    app = database.user("app")
    assert app is not None
    assert (app.tokens, app.passwords) == ((first,), (digest(first),))
    emulator.clear(restore=True)
    assert emulator.acl_digests_are_of_tokens


def test_user_that_is_off_cannot_log_in(run: Rest) -> None:
    token = run.user("app")
    run("ACL", "SETUSER", "app", "off")
    assert run("PING", token=token) == WRONG
    run("ACL", "SETUSER", "app", "on")
    assert run("PING", token=token) == "PONG"


def test_protected_users_cannot_be_changed(run: Rest) -> None:
    assert run("ACL", "SETUSER", "default", "on") == "ERR The 'default' user cannot be modified"
    assert run("ACL", "DELUSER", "default") == "ERR The 'default' user cannot be removed"
    run.user("app")
    assert isinstance(run("ACL", "DELUSER", "app", "default_ro"), Error)
    assert isinstance(run("ACL", "SETUSER", "default_ro", "off"), Error)
    assert run("ACL", "USERS") == ["default", "default_ro", "app"]


def test_deletion_returns_the_number_of_users_that_existed(run: Rest) -> None:
    token = run.user("app")
    run("ACL", "SETUSER", "other")
    assert run("ACL", "DELUSER", "app", "other", "app", "absent") == 2
    assert run("ACL", "GETUSER", "app") is None
    assert run("PING", token=token) == WRONG
    assert run("ACL", "USERS") == ["default", "default_ro"]


def test_deleted_user_comes_back_without_its_passwords(run: Rest) -> None:
    token = run.user("app")
    run("ACL", "DELUSER", "app")
    run("ACL", "SETUSER", "app", "on", "+@all")
    assert shown(run)["passwords"] == []
    assert run("PING", token=token) == WRONG


def test_lists_show_the_users_as_set_and_nothing_of_the_emulator(
    run: Rest, database: EmulatedDatabase
) -> None:
    token = run.user("app", "~cache:*", "+@all")
    lines = run("ACL", "LIST")
    assert isinstance(lines, list)
    assert [line.split()[1] for line in lines] == ["default", "default_ro", "app"]
    assert lines[0] == (
        f"user default on #{digest(database.password)} #{digest(database.rest_token)} ~* &* +@all"
    )
    assert lines[2].split()[:4] == ["user", "app", "on", f"#{digest(token)}"]
    assert "-@admin" not in lines[2]
    assert isinstance(run("ACL", "CAT"), list)
    assert "get" in str(run("ACL", "CAT", "read"))
    assert isinstance(run("ACL", "CAT", "nosuch"), Error)


def test_other_subcommands_reply_as_documented(run: Rest) -> None:
    assert len(str(run("ACL", "GENPASS"))) == 64
    assert len(str(run("ACL", "GENPASS", "5"))) == 2
    assert run("ACL", "LOG") == run("ACL", "LOG", "10") == []
    assert run("ACL", "LOG", "RESET") == run("ACL", "LOAD") == run("ACL", "SAVE") == "OK"
    for wrong in (["ACL"], ["ACL", "NOSUCH"], ["ACL", "SETUSER"], ["ACL", "GETUSER", "a", "b"]):
        assert "unknown subcommand or wrong number of arguments" in str(run(*wrong))


def test_rest_token_has_the_permissions_of_its_user(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    token = run.user("app", "~*", "+@all", "-flushall")
    fresh = str(run("ACL", "RESTTOKEN", "app", token))
    assert fresh != token
    assert run("PING", token=fresh) == "PONG"
    assert str(run("FLUSHALL", token=fresh)).startswith("NOPERM")
    assert not opens(emulator, database, fresh, "app")
    assert "ACL GENTOKEN" in str(run("ACL", "SETUSER", "app", f">{fresh}"))
    assert run("PING", token=token) == "PONG"
    run("ACL", "SETUSER", "app", f"<{token}")
    assert run("PING", token=fresh) == WRONG


def test_rest_token_is_made_for_the_password_that_a_token_wraps(run: Rest) -> None:
    password = "correct horse battery staple"
    token = run("ACL", "GENTOKEN", "app", password)
    error = 'ERR Wrong password or user "app" does not exist'
    assert run("ACL", "RESTTOKEN", "app", password) == error
    run("ACL", "SETUSER", "app", "on", "+ping", f">{token}")
    assert run("PING", token=str(run("ACL", "RESTTOKEN", "app", password))) == "PONG"
    assert run("ACL", "RESTTOKEN", "app", "another password") == error
    run("ACL", "SETUSER", "app", "resetpass")
    assert run("ACL", "RESTTOKEN", "app", password) == error


def test_rest_token_of_the_default_user_ends_with_a_reset(
    run: Rest, database: EmulatedDatabase
) -> None:
    fresh = str(run("ACL", "RESTTOKEN", "default", database.password))
    assert run("ACL", "USERS", token=fresh) == ["default", "default_ro"]
    database.reset_in_console()
    assert run("ACL", "USERS", token=fresh) == WRONG


def test_reset_spares_acl_users(run: Rest, emulator: Emulator, database: EmulatedDatabase) -> None:
    token = run.user("app")
    with redis_client(emulator, database, token, user="app") as client:
        connection = client.connection_pool.get_connection()
        old = database.rest_token
        database.reset_in_console()
        connection.send_command("PING")
        assert connection.read_response() == b"PONG"
        connection.disconnect()
    assert run("PING", token=token) == "PONG"
    assert run("ACL", "USERS", token=old) == WRONG
    assert run("ACL", "USERS") == ["default", "default_ro", "app"]


def test_reset_with_the_other_reading_drops_the_tokens_of_acl_users(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    token = run.user("app", "~cache:*", "+@all")
    before = shown(run)
    emulator.reset_spares_acl_users = False
    database.reset_in_console()
    assert run("PING", token=token) == WRONG
    assert not opens(emulator, database, token, "app")
    assert shown(run) == {**before, "passwords": []}
    emulator.clear(restore=True)
    assert emulator.reset_spares_acl_users


def test_reset_that_propagates_slowly_drops_the_tokens_at_its_end(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    token = run.user("app")
    emulator.reset_spares_acl_users = False
    database.reset_in_console(Fault.slow_propagation(0.2))
    assert wait_until(lambda: run("PING", token=token) == WRONG)


def test_restored_database_has_no_acl_users(
    run: Rest, emulator: Emulator, database: EmulatedDatabase
) -> None:
    token = run.user("app")
    emulator.clear(restore=True)
    assert run("PING", token=token) == WRONG
    assert run("ACL", "USERS") == ["default", "default_ro"]
    assert isinstance(run("ACL", "SETUSER", "app", f">{token}"), Error)
    assert database.acl_users == []


def test_python_sees_the_users_and_their_live_tokens(run: Rest, database: EmulatedDatabase) -> None:
    first = run.user("app", "~cache:*", "&news", "+@all")
    second = database.acl("GENTOKEN", "app")
    assert database.acl("SETUSER", "app", f">{second}") == "OK"
    run("ACL", "SETUSER", "web")
    app = database.user("app")
    assert app is not None
    assert (app.name, app.enabled, app.tokens) == ("app", True, (first, second))
    assert (app.commands, app.keys, app.channels) == ("+@all", ("cache:*",), ("news",))
    assert first not in repr(app)
    assert [user.name for user in database.acl_users] == ["app", "web"]
    assert database.acl("DELUSER", "web") == 1
    assert database.user("web") is None
    with pytest.raises(EmulatorError, match="'default' user cannot be modified"):
        database.acl("SETUSER", "default")


def test_emulator_without_redis_servers_has_no_acl_users() -> None:
    with Emulator(redis_servers=False) as emulator, Api(emulator) as api:
        run = Rest(api, emulator, emulator.databases[0])
        assert "without redis-servers" in str(run("ACL", "GENTOKEN", "app"))
        emulator.reset_spares_acl_users = False
        emulator.databases[0].reset_in_console()
        emulator.clear(restore=True)


SWITCHES = ("on", "off", "reset", "resetpass")
PATTERNS = ("~a", "allkeys", "resetkeys", "&c", "allchannels", "resetchannels")
COMMANDS = ("+get", "-get", "+config", "+acl", "allcommands", "nocommands")
CATEGORIES = ("+@read", "-@read", "+@admin", "-@admin", "+@dangerous")
RULES = st.sampled_from(SWITCHES + PATTERNS + COMMANDS + CATEGORIES)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=st.lists(st.lists(RULES, max_size=5), max_size=4))
def test_user_never_administers_the_server_whatever_its_rules_are(
    run: Rest, database: EmulatedDatabase, changes: list[list[str]]
) -> None:
    database.acl("DELUSER", "app")
    for rules in changes:
        run("ACL", "SETUSER", "app", *rules)  # Redis rejects a pattern after allkeys
    token = str(run("ACL", "GENTOKEN", "app"))
    run("ACL", "SETUSER", "app", "on", f">{token}")
    for forbidden in (["CONFIG", "GET", "*"], ["ACL", "LIST"], ["ACL", "GENTOKEN", "app"]):
        assert str(run(*forbidden, token=token)).startswith("NOPERM")


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_tokens_are_live_from_their_addition_to_their_removal(
    run: Rest, emulator: Emulator, database: EmulatedDatabase, data: st.DataObject
) -> None:
    """A model of one user, against REST, Redis and the Python side."""
    database.acl("DELUSER", "app")
    tokens = [str(run("ACL", "GENTOKEN", "app")) for _ in range(3)]
    live: list[str] = []
    for _ in range(data.draw(st.integers(1, 6))):
        token = data.draw(st.sampled_from(tokens))
        change = data.draw(st.sampled_from(["add", "remove", "by digest", "replace", "delete"]))
        if change == "delete":
            existed = database.user("app") is not None
            assert run("ACL", "DELUSER", "app") == int(existed)
            live = []
            continue
        rules = {
            "add": [f">{token}"],
            "remove": [f"<{token}"],
            "by digest": [f"!{digest(token)}"],
            "replace": ["resetpass", f">{token}"],
        }[change]
        reply = run("ACL", "SETUSER", "app", "on", "+ping", *rules)
        known = token in live
        if change == "replace":
            live = [token]
        elif change == "add":
            live += [] if known else [token]
        else:
            assert (reply == "OK") is known
            live = [each for each in live if each != token]
    user = database.user("app")
    assert set(user.tokens if user else ()) == set(live)
    for token in tokens:
        assert run("PING", token=token) == ("PONG" if token in live else WRONG)
    assert opens(emulator, database, tokens[0], "app") == (tokens[0] in live)
