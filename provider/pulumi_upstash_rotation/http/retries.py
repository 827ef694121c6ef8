"""Which failed attempts are retried. `RETRIES` is the table. This text and the docs copy it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

REJECTIONS: Final = {
    400: "the API documents it",
    401: "the API documents it",
    403: "the API documents it",
    404: "the API documents it",
    405: "the API documents it",
    406: "the API documents it",
    407: "a proxy did not forward the request",
    411: "HTTP: the server refuses to read the request",
    413: "HTTP: the server refuses to process the request",
    414: "HTTP: the server refuses to interpret the address",
    415: "HTTP: the server refuses the request's format",
    417: "HTTP: the server refuses an expectation, before it reads the request",
    421: "HTTP: the server does not serve this address",
    422: "HTTP: the server could not process the content",
    426: "HTTP: the server refuses this protocol",
    428: "HTTP: the server requires a condition first",
    431: "HTTP: the server refuses to process such headers",
    451: "HTTP: the server denies access",
}
"""Statuses after which a request was certainly not applied, and why that is certain.

429 has a rule of its own. After any other error status a request that is not idempotent may have
been applied. 408 and 499, for example, come from proxies that have forwarded the request. 409, 410
and 425 leave it open. Sources: the Developer API's documentation, RFC 9110 section 15.5, RFC 6585.
"""


class Effect(Enum):
    """The effect of a request at the server."""

    READ = "changes nothing"
    IDEMPOTENT = "has the same effect when it is applied again"
    NON_IDEMPOTENT = "has a new effect each time it is applied"


class Outcome(Enum):
    """How an attempt failed."""

    NOT_CONNECTED = "no connection: refused, timed out, no DNS, or closed during the handshake"
    NOT_TRUSTED = "certificate, TLS or proxy rejected"
    RATE_LIMITED = "status 429"
    NO_RESPONSE = "connection lost or read timeout after the request was sent"
    SERVER_ERROR = "status 5xx"
    UNREADABLE = "status 2xx, and the response broke off"
    REJECTED = f"status {', '.join(map(str, REJECTIONS))}"
    OTHER_STATUS = "any other status, such as 3xx, 408 or 499"


@dataclass(frozen=True)
class RetryRule:
    """One row of the table.

    Attributes:
        outcome: How the attempt failed.
        effects: Requests with one of these effects are retried.
        reason: Why.
    """

    outcome: Outcome
    effects: frozenset[Effect]
    reason: str


_ALL: Final = frozenset(Effect)
_REPEATABLE: Final = frozenset({Effect.READ, Effect.IDEMPOTENT})
_NONE: Final = frozenset[Effect]()

RETRIES: Final = (
    RetryRule(Outcome.NOT_CONNECTED, _ALL, "the request was not sent"),
    RetryRule(Outcome.NOT_TRUSTED, _NONE, "the request was not sent, and a retry cannot help"),
    RetryRule(Outcome.RATE_LIMITED, _ALL, "the server did not process the request"),
    RetryRule(Outcome.NO_RESPONSE, _REPEATABLE, "the request may have been applied"),
    RetryRule(Outcome.SERVER_ERROR, _REPEATABLE, "the request may have been applied"),
    RetryRule(Outcome.UNREADABLE, _NONE, "the request was applied"),
    RetryRule(Outcome.REJECTED, _NONE, "a retry cannot help; the request was not applied"),
    RetryRule(
        Outcome.OTHER_STATUS, _NONE, "a retry cannot help; the request may have been applied"
    ),
)
"""Every outcome once."""

_EFFECTS: Final = {row.outcome: row.effects for row in RETRIES}


def may_retry(effect: Effect, outcome: Outcome) -> bool:
    """Return whether a request with this effect is retried after this outcome."""
    return effect in _EFFECTS[outcome]


def table() -> str:
    """Return the table as Markdown."""
    rows = [("outcome of an attempt", *(effect.name for effect in Effect), "why"), ("---",) * 5]
    for rule in RETRIES:
        retried = ("retried" if effect in rule.effects else "no" for effect in Effect)
        rows.append((rule.outcome.value, *retried, rule.reason))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


__doc__ = f"{__doc__}\n\n{table()}\n"
