"""The retry table, row by row: as data, and on real connections."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pulumi_upstash_rotation.errors import (
    ApiError,
    IndeterminateOutcomeError,
    RateLimitedError,
    RequestNotSentError,
    ResponseStatusError,
    ServerError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.http import retries
from pulumi_upstash_rotation.http.client import MAX_ATTEMPTS, Request
from pulumi_upstash_rotation.http.retries import REJECTIONS, RETRIES, Effect, Outcome, may_retry

from ..support.servers import LocalServer, Response, closed_port, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import trustme

    from pulumi_upstash_rotation.http.client import HttpClient

    from ..support.clock import Clock

REPEATABLE = {Effect.READ, Effect.IDEMPOTENT}
EXPECTED = {
    Outcome.NOT_CONNECTED: {*REPEATABLE, Effect.NON_IDEMPOTENT},
    Outcome.NOT_TRUSTED: set[Effect](),
    Outcome.RATE_LIMITED: {*REPEATABLE, Effect.NON_IDEMPOTENT},
    Outcome.NO_RESPONSE: REPEATABLE,
    Outcome.SERVER_ERROR: REPEATABLE,
    Outcome.UNREADABLE: set[Effect](),
    Outcome.REJECTED: set[Effect](),
    Outcome.OTHER_STATUS: set[Effect](),
}
ERRORS: dict[Outcome, type[ApiError]] = {
    Outcome.NOT_CONNECTED: RequestNotSentError,
    Outcome.NOT_TRUSTED: RequestNotSentError,
    Outcome.RATE_LIMITED: RateLimitedError,
    Outcome.NO_RESPONSE: IndeterminateOutcomeError,
    Outcome.SERVER_ERROR: ServerError,
    Outcome.UNREADABLE: UnreadableResponseError,
    Outcome.REJECTED: ResponseStatusError,
    Outcome.OTHER_STATUS: ResponseStatusError,
}
RESPONSES = {
    Outcome.RATE_LIMITED: Response(429),
    Outcome.NO_RESPONSE: Response(closed=True),
    Outcome.SERVER_ERROR: Response(503),
    Outcome.UNREADABLE: Response(body=b"{", missing_bytes=9),
    Outcome.REJECTED: Response(400),
    Outcome.OTHER_STATUS: Response(303),
}

each_effect = pytest.mark.parametrize("effect", Effect, ids=lambda effect: effect.name)
each_outcome = pytest.mark.parametrize("outcome", Outcome, ids=lambda outcome: outcome.name)


def request_with(effect: Effect) -> Request:
    return Request("GET" if effect is Effect.READ else "POST", "/x", effect, "do it")


def test_the_table_has_each_outcome_once() -> None:
    assert [row.outcome for row in RETRIES] == list(Outcome)
    assert all(row.reason for row in RETRIES)


@each_outcome
@each_effect
def test_table_allows_a_retry_only_where_it_cannot_apply_twice(
    outcome: Outcome, effect: Effect
) -> None:
    assert may_retry(effect, outcome) == (effect in EXPECTED[outcome])


@each_outcome
@each_effect
def test_failed_request_is_retried_as_the_table_states(
    outcome: Outcome,
    effect: Effect,
    new_client: Callable[..., HttpClient],
    authority: trustme.CA,
    clock: Clock,
) -> None:
    tls = tls_context(authority) if outcome is Outcome.NOT_TRUSTED else None
    with ExitStack() as stack:
        server = stack.enter_context(LocalServer(tls))
        server.response = RESPONSES.get(outcome, Response())
        url = server.url
        if outcome is Outcome.NOT_CONNECTED:
            url = f"http://127.0.0.1:{stack.enter_context(closed_port())}"
        with pytest.raises(ApiError) as raised:
            new_client(url).send(request_with(effect))
    kind = ERRORS[outcome]
    if (outcome, effect) == (Outcome.OTHER_STATUS, Effect.NON_IDEMPOTENT):
        kind = IndeterminateOutcomeError
    assert type(raised.value) is kind
    if outcome is Outcome.RATE_LIMITED:  # for as long as the budget lasts
        assert len(server.received) > MAX_ATTEMPTS
        return
    attempts = MAX_ATTEMPTS if may_retry(effect, outcome) else 1
    assert len(clock.sleeps) == attempts - 1
    assert len(server.received) == (attempts if outcome in RESPONSES else 0)


@pytest.mark.parametrize(
    ("outcome", "effect"),
    [(row.outcome, effect) for row in RETRIES for effect in sorted(row.effects, key=str)],
    ids=lambda value: value.name,
)
def test_retried_request_succeeds_once_the_failure_is_over(
    outcome: Outcome,
    effect: Effect,
    new_client: Callable[..., HttpClient],
    authority: trustme.CA,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with LocalServer(tls_context(authority)) as server:
        if outcome is Outcome.NOT_CONNECTED:
            server.broken_connections = 2
        else:
            server.responses = [RESPONSES[outcome]] * 2
        assert new_client(server.url).send(request_with(effect)) == b"{}"
    assert len(server.received) == (1 if outcome is Outcome.NOT_CONNECTED else 3)
    assert len(clock.sleeps) == 2


def test_statuses_of_a_rejection_are_a_short_list_of_client_errors() -> None:
    """After any other one a reset may have been applied, so each new one needs a reason here."""
    documented = {400, 401, 403, 404, 405, 406}
    by_http = {407, 411, 413, 414, 415, 417, 421, 422, 426, 428, 431, 451}
    assert set(REJECTIONS) == documented | by_http
    assert all(REJECTIONS.values())


def test_documentation_of_the_module_ends_with_the_table() -> None:
    assert retries.__doc__ is not None
    assert retries.__doc__.strip().endswith(retries.table())
    for rule in RETRIES:
        assert f"| {rule.outcome.value} | " in retries.table()
