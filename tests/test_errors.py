"""The error tree and the text of each error."""

from __future__ import annotations

import inspect
import re

import pytest

from pulumi_upstash_rotation import errors
from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DatabaseNotFoundError,
    DuplicateDeclarationError,
    IndeterminateOutcomeError,
    InvalidInputError,
    PartialFailureError,
    PermissionDeniedError,
    RateLimitedError,
    RequestNotSentError,
    ResponseStatusError,
    RotationError,
    ServerError,
    UnreadableResponseError,
)

ALL = [
    each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)
]


def test_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    parents = ["Exception"]
    drawn = {}
    for line in str(errors.__doc__).splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            drawn[match[2]] = parents[depth]
            parents[depth + 1 :] = [match[2]]
    assert drawn == {each.__name__: each.__base__.__name__ for each in ALL if each.__base__}


def test_every_error_is_a_rotation_error() -> None:
    assert all(issubclass(each, RotationError) for each in ALL)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigurationError("no credentials"), "no credentials"),
        (InvalidInputError("triggers", "must be a map"), "triggers must be a map"),
        (DuplicateDeclarationError("declared twice"), "declared twice"),
        (PartialFailureError("it failed", "id", {}), "it failed"),
        (ApiError("it failed"), "it failed"),
        (ApiError("it failed", "nothing has changed"), "it failed; nothing has changed"),
        (
            RequestNotSentError("cannot reset", "it has not changed", transient=True),
            "cannot reset; it has not changed",
        ),
        (
            IndeterminateOutcomeError("no response", "it may have changed"),
            "no response; it may have changed",
        ),
        (
            UnreadableResponseError("not JSON", "it may have changed"),
            "not JSON; it may have changed",
        ),
        (
            ServerError("it failed (500)", "it may have changed", status=500),
            "it failed (500); it may have changed",
        ),
    ],
)
def test_text_is_the_problem_and_what_it_means(error: RotationError, text: str) -> None:
    assert str(error) == text


def test_invalid_input_names_its_argument() -> None:
    assert InvalidInputError("verify", "must be True or False").argument == "verify"


def test_api_error_keeps_the_problem_apart_from_what_it_means() -> None:
    assert ApiError("it failed", "nothing has changed").problem == "it failed"


@pytest.mark.parametrize("transient", [False, True])
def test_request_that_was_not_sent_keeps_whether_a_retry_can_help(transient: bool) -> None:
    assert RequestNotSentError("x", transient=transient).transient is transient


def test_partial_failure_keeps_the_state_and_shows_none_of_it() -> None:
    error = PartialFailureError("it failed", "the-id", {"password": "canary"})
    assert (error.id, error.outputs) == ("the-id", {"password": "canary"})
    assert "canary" not in f"{error} {error!r}"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ResponseStatusError, 400),
        (AuthenticationError, 401),
        (PermissionDeniedError, 403),
        (DatabaseNotFoundError, 404),
        (RateLimitedError, 429),
        (ServerError, 503),
    ],
)
def test_status_error_keeps_the_status_and_the_wait(
    kind: type[ResponseStatusError], status: int
) -> None:
    error = kind("x", status=status)
    assert (error.status, error.retry_after_seconds) == (status, None)
    assert kind("x", status=status, retry_after_seconds=7).retry_after_seconds == 7
