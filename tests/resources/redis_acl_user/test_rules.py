"""Which ACL rules a program may declare, and why not the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.resources.redis_acl_user.rules import (
    MAX_RULE_LENGTH,
    MAX_RULES,
    rules_problem,
)

ALLOWED = 'must be a list of Redis ACL rules, such as ["~app:*", "+@read", "+ping"]'
SPACES = "a rule has no spaces or control characters. Write each rule as its own item"
NO_RULE = "it is no ACL rule. A rule is, for example, ~app:*, &news, +get, -@dangerous"
NO_PASSWORD = "the resource adds its own token, and Upstash rejects other passwords"
NO_REMOVAL = "it would remove a token that clients may use"
NO_DIGEST = "Upstash rejects it. Only a token from ACL GENTOKEN can be added"
NO_RESET = "it would remove the tokens that clients use"
NO_SUBCOMMAND = "Upstash has no rules for subcommands"
NO_PERMISSION = "Upstash has no separate permissions to read and write keys. Use ~PATTERN"


@pytest.mark.parametrize(
    "rules",
    [
        [],
        ("~app:*", "+@read", "+@write", "+ping"),
        ["on", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands"],
        ["ON", "AllKeys", "+GET", "-@Dangerous", "+json.set", "+bf.add", "+client-info"],
        ["~"],  # @upstash/ratelimit needs it
        ["&news:*", "~{a}[b]?", "~ü", "~a>b", "~a|b"],
        ["~a", "~*", "allkeys", "~*"],
        ["~*", "resetkeys", "~a"],
        ["&a", "allchannels", "&*", "resetchannels", "&b"],
        ["-@all", "+@all"],
        ["+get"] * MAX_RULES,
        ["~" + "x" * (MAX_RULE_LENGTH - 1)],
    ],
)
def test_rules_that_upstash_documents_are_allowed(rules: Any) -> None:
    assert rules_problem(rules) is None


@pytest.mark.parametrize(
    ("rule", "shown", "reason"),
    [
        ("nopass", "'nopass'", "Upstash rejects it, because every user needs a token"),
        ("NoPass", "'NoPass'", "Upstash rejects it, because every user needs a token"),
        ("reset", "'reset'", NO_RESET),
        ("resetpass", "'resetpass'", NO_RESET),
        ("RESETPASS", "'RESETPASS'", NO_RESET),
        ("off", "'off'", "it would lock out the clients of this user"),
        (">canary", "'>...'", NO_PASSWORD),
        ("<canary", "'<...'", NO_REMOVAL),
        ("#canary", "'#...'", NO_DIGEST),
        ("!canary", "'!...'", NO_REMOVAL),
        (">", "'>'", NO_PASSWORD),
        ("+config|get", "'+config|get'", NO_SUBCOMMAND),
        ("-config|set", "'-config|set'", NO_SUBCOMMAND),
        ("(~a +get)", "'(~a +get)'", SPACES),
        ("(~a", "'(~a'", "Upstash has no selectors"),
        ("%R~a", "'%R~a'", NO_PERMISSION),
        ("%RW~a", "'%RW~a'", NO_PERMISSION),
        ("+get ", "'+get '", SPACES),
        (" +get", "' +get'", SPACES),
        ("~a b", "'~a b'", SPACES),
        ("~a\u00a0b", r"'~a\xa0b'", SPACES),
        ("+get\n", r"'+get\n'", SPACES),
        ("~a\x00", r"'~a\x00'", SPACES),
        ("~a\ud800", r"'~a\ud800'", SPACES),
        ("on >canary ~*", "'on >...'", SPACES),
        ("~*\n>canary", r"'~*\n>...'", SPACES),
        ("", "''", NO_RULE),
        ("+", "'+'", NO_RULE),
        ("get", "'get'", NO_RULE),
        ("+@", "'+@'", NO_RULE),
        ("+gét", r"'+g\xe9t'", NO_RULE),
        ("allkeyss", "'allkeyss'", NO_RULE),
        (
            "~" + "x" * MAX_RULE_LENGTH,
            f"'~{'x' * 63}'",
            f"it is longer than {MAX_RULE_LENGTH} characters",
        ),
    ],
)
def test_rule_that_is_not_allowed_is_shown_with_the_reason_and_without_a_password(
    rule: str, shown: str, reason: str
) -> None:
    for rules in ([rule], ["+get", rule, "nopass"]):
        assert rules_problem(rules) == f"must not have {shown}: {reason}"


@pytest.mark.parametrize(
    ("rules", "late", "before"),
    [
        (["~*", "~a"], "~a", "~*"),
        (["allkeys", "~a"], "~a", "allkeys"),
        (["ALLKEYS", "+get", "~a"], "~a", "ALLKEYS"),
        (["&*", "&a"], "&a", "&*"),
        (["allchannels", "&a"], "&a", "allchannels"),
        (["~*", "resetchannels", "~a"], "~a", "~*"),
    ],
)
def test_pattern_after_one_for_everything_is_a_problem(
    rules: list[str], late: str, before: str
) -> None:
    """Redis rejects it."""
    problem = f"must not have '{late}' after '{before}', which already allows it"
    assert rules_problem(rules) == problem


@pytest.mark.parametrize("rules", [None, "", "+get", {"+get"}, {"+get": 1}, 7, [1], [None], [b"+"]])
def test_other_values_are_a_problem(rules: Any) -> None:
    assert rules_problem(rules) == ALLOWED


def test_too_many_rules_are_a_problem() -> None:
    assert rules_problem(["+get"] * (MAX_RULES + 1)) == f"{ALLOWED}, at most {MAX_RULES}"


@given(st.lists(st.sampled_from("<>#!").flatmap(lambda sign: st.just(f"{sign}canary")) | st.text()))
def test_no_text_shows_what_may_be_a_password(rules: list[str]) -> None:
    problem = rules_problem(rules) or ""
    assert "canary" not in problem
    assert "\n" not in problem
