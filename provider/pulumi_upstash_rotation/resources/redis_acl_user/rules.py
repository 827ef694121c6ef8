"""Which ACL rules a program may declare. Pure.

Upstash rejects some rules that Redis knows. Others would cut off clients that use a live token.
"""

from __future__ import annotations

import re
from typing import Final

MAX_RULES: Final = 1000
MAX_RULE_LENGTH: Final = 4096

_ALLOWED: Final = re.compile(
    r"on|allkeys|resetkeys|allchannels|resetchannels|allcommands|nocommands"
    r"|[~&]\S*|[+-]@?[\w.-]+",
    re.ASCII,
)
"""The rules that Upstash documents, without those about passwords."""
_REASONS: Final = (
    (r"nopass", "Upstash rejects it, because every user needs a token"),
    (r"reset|resetpass", "it would remove the tokens that clients use"),
    (r"off", "it would lock out the clients of this user"),
    (r">.*", "the resource adds its own token, and Upstash rejects other passwords"),
    (r"#.*", "Upstash rejects it. Only a token from ACL GENTOKEN can be added"),
    (r"<.*|!.*", "it would remove a token that clients may use"),
    (r"[+-].*\|.*", "Upstash has no rules for subcommands"),
    (r"\(.*", "Upstash has no selectors"),
    (r"%.*", "Upstash has no separate permissions to read and write keys. Use ~PATTERN"),
)
"""Rules that are not allowed, and why. The first match counts."""


def rules_problem(rules: object) -> str | None:
    """Return why a list of rules is not allowed, with the rule. None if it is allowed."""
    allowed = 'must be a list of Redis ACL rules, such as ["~app:*", "+@read", "+ping"]'
    if not isinstance(rules, list | tuple) or not all(isinstance(rule, str) for rule in rules):
        return allowed
    if len(rules) > MAX_RULES:
        return f"{allowed}, at most {MAX_RULES}"
    for rule in rules:
        if reason := _reason(rule):
            return f"must not have {_shown(rule)}: {reason}"
    return _order_problem(rules)


def _shown(rule: str) -> str:
    """Return a rule as a message may show it. What follows such a sign may be a password."""
    return ascii(re.sub("(?<=[><#!]).+", "...", rule[:64], flags=re.DOTALL))


def _reason(rule: str) -> str | None:
    if not rule.isprintable() or re.search(r"\s", rule):
        return "a rule has no spaces or control characters. Write each rule as its own item"
    if len(rule) > MAX_RULE_LENGTH:
        return f"it is longer than {MAX_RULE_LENGTH} characters"
    for pattern, reason in _REASONS:
        if re.fullmatch(pattern, rule, re.IGNORECASE):
            return reason
    if not _ALLOWED.fullmatch(rule.lower() if rule[:1] not in "~&" else rule):
        return "it is no ACL rule. A rule is, for example, ~app:*, &news, +get, -@dangerous"
    return None


def _order_problem(rules: list[str] | tuple[str, ...]) -> str | None:
    """Return the first pattern that follows one for everything. Redis rejects it."""
    for sign, everything, nothing in (
        ("~", "allkeys", "resetkeys"),
        ("&", "allchannels", "resetchannels"),
    ):
        all_by = None
        for rule in rules:
            if rule.lower() == nothing:
                all_by = None
            elif rule.startswith(sign) and rule != f"{sign}*" and all_by:
                return f"must not have {rule[:64]!a} after {all_by!a}, which already allows it"
            elif rule == f"{sign}*" or rule.lower() == everything:
                all_by = rule
    return None
