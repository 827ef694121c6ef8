"""The rotation over a client that answers what a test wants."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_upstash_rotation.errors import (
    ApiConnectionError,
    ApiContractError,
    ApiError,
    ApiOutcomeUnknownError,
    AuthenticationError,
    ServerError,
)
from pulumi_upstash_rotation.models import parse_database
from pulumi_upstash_rotation.rotation import NO_CREDENTIALS, rotate

from .answers import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

if TYPE_CHECKING:
    from pulumi_upstash_rotation.models import Database

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)


class ScriptedClient:
    """Answers each call with the next of its answers, or raises it."""

    def __init__(self, *, reset: Any = DOCUMENTED, get: Any = WITH_CREDENTIALS) -> None:
        self.answers = {"reset": reset, "get": get}
        self.calls: list[tuple[str, str]] = []

    def reset_password(self, database_id: str) -> Database:
        return self._answer("reset", database_id)

    def get_database(self, database_id: str) -> Database:
        return self._answer("get", database_id)

    def _answer(self, call: str, database_id: str) -> Database:
        self.calls.append((call, database_id))
        answer = self.answers[call]
        if isinstance(answer, Exception):
            raise answer
        return parse_database(answer)


def rotated(client: Any) -> Any:
    return rotate(client, DATABASE_ID, now=NOW)


def test_a_reset_that_tells_the_password_is_one_call() -> None:
    client = ScriptedClient(reset=WITH_CREDENTIALS)
    rotation = rotated(client)
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert (rotation.rotated_at, rotation.warnings) == (NOW, ())
    assert client.calls == [("reset", DATABASE_ID)]


def test_a_reset_that_does_not_tell_it_is_read_back() -> None:
    client = ScriptedClient()
    rotation = rotated(client)
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert rotation.warnings == ()
    assert client.calls == [("reset", DATABASE_ID), ("get", DATABASE_ID)]


def test_credentials_that_nothing_tells_are_none_with_one_warning() -> None:
    rotation = rotated(ScriptedClient(get=DOCUMENTED))
    assert rotation.database.password is None
    assert rotation.database.database_name == DOCUMENTED["database_name"]
    assert rotation.warnings == (NO_CREDENTIALS,)


def test_after_a_reset_a_failing_read_back_is_a_warning() -> None:
    rotation = rotated(ScriptedClient(get=ServerError("it failed", status=500)))
    assert rotation.database.password is None
    assert rotation.warnings == (
        "the password was reset, but reading the new one failed: it failed",
    )


def test_an_unreadable_success_is_settled_by_reading() -> None:
    client = ScriptedClient(reset=ApiContractError("odd"))
    assert rotated(client).database.password.get_secret_value() == CREDENTIALS["password"]
    assert client.calls == [("reset", DATABASE_ID), ("get", DATABASE_ID)]


@pytest.mark.parametrize("get", [DOCUMENTED, ServerError("it failed", status=500)])
def test_an_unreadable_success_that_reading_does_not_settle_is_an_error(get: Any) -> None:
    with pytest.raises(ApiOutcomeUnknownError, match=r"^odd\. Run `pulumi up` again"):
        rotated(ScriptedClient(reset=ApiContractError("odd"), get=get))


@pytest.mark.parametrize(
    "error",
    [
        ApiConnectionError("x", passing=True),
        ApiOutcomeUnknownError("x"),
        AuthenticationError("x", status=401),
        ServerError("x", status=500),
    ],
)
def test_a_reset_that_failed_is_not_made_again(error: ApiError) -> None:
    client = ScriptedClient(reset=error)
    with pytest.raises(type(error)):
        rotated(client)
    assert client.calls == [("reset", DATABASE_ID)]
