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
    DatabaseNotFoundError,
    ServerError,
)
from pulumi_upstash_rotation.models import parse_database
from pulumi_upstash_rotation.rotation import (
    MAX_READS,
    MAX_RESETS,
    MAY_HAVE_CHANGED,
    NOT_SHOWN,
    adopt,
    look,
    refresh,
    revoke,
    rotate,
)
from pulumi_upstash_rotation.state import State

from .answers import CREDENTIALS, DATABASE_ID, DOCUMENTED, WITH_CREDENTIALS

if TYPE_CHECKING:
    from pulumi_upstash_rotation.models import Database

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
BEFORE = "old-canary"
UNCHANGED = {**WITH_CREDENTIALS, "password": BEFORE}


class ScriptedClient:
    """Answers each call with the next of its answers, the last one for ever, or raises it."""

    def __init__(self, *, reset: Any = DOCUMENTED, get: Any = WITH_CREDENTIALS) -> None:
        self.answers = {
            "reset": list(reset) if isinstance(reset, list) else [reset],
            "get": list(get) if isinstance(get, list) else [get],
        }
        self.calls: list[tuple[str, str]] = []
        self.told: list[str] = []

    def reset_password(self, database_id: str) -> Database:
        return self._answer("reset", database_id)

    def get_database(self, database_id: str) -> Database:
        return self._answer("get", database_id)

    def pause(self, seconds: float) -> None:
        assert seconds > 0

    def tell(self, message: str) -> None:
        self.told.append(message)

    def _answer(self, call: str, database_id: str) -> Database:
        self.calls.append((call, database_id))
        answers = self.answers[call]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return parse_database(answer)

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


def rotated(client: Any) -> Any:
    return rotate(client, DATABASE_ID, before=BEFORE, count=4, cause="age", now=NOW)


def test_a_reset_that_tells_the_password_is_one_call() -> None:
    client = ScriptedClient(reset=WITH_CREDENTIALS)
    rotation = rotated(client)
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert (rotation.rotated_at, rotation.count, rotation.cause) == (NOW, 5, "age")
    assert rotation.warnings == ()
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
    assert rotation.warnings == (f"the password was reset, but {NOT_SHOWN}",)


def test_after_a_reset_a_failing_read_back_is_a_warning() -> None:
    rotation = rotated(ScriptedClient(get=ServerError("it failed", status=500)))
    assert rotation.database.password is None
    assert rotation.warnings == (
        "the password was reset, but reading the new one failed: `pulumi refresh` tries again "
        "(it failed)",
    )


def test_after_a_reset_a_read_back_that_lags_is_waited_for() -> None:
    client = ScriptedClient(get=[UNCHANGED, UNCHANGED, WITH_CREDENTIALS])
    rotation = rotated(client)
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert rotation.warnings == ()
    assert client.operations == ["reset", "get", "get", "get"]


def test_after_a_reset_an_unreadable_read_back_is_made_again() -> None:
    client = ScriptedClient(get=[ApiContractError("garbage"), WITH_CREDENTIALS])
    rotation = rotated(client)
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert client.operations == ["reset", "get", "get"]


def test_after_a_reset_the_password_before_is_never_taken_for_the_new_one() -> None:
    client = ScriptedClient(get=UNCHANGED)
    rotation = rotated(client)
    assert rotation.database.known_credentials() == {}
    assert rotation.warnings == (
        "the password was reset, but reading the new one failed: `pulumi refresh` tries again "
        "(the API still shows the one before)",
    )
    assert client.operations == ["reset"] + ["get"] * MAX_READS


LOST = ApiOutcomeUnknownError("lost", "who knows")
FAILED = ServerError("failed", "who knows", status=500)
ODD = ApiContractError("odd", "who knows")
AWAY = ServerError("away", status=503)
MADE: dict[str, Any] = WITH_CREDENTIALS


@pytest.mark.parametrize(
    ("reset", "get", "before", "operations"),
    [
        # The read shows another password than before: it took place.
        (LOST, MADE, BEFORE, ["reset", "get"]),
        (FAILED, MADE, BEFORE, ["reset", "get"]),
        (ODD, MADE, BEFORE, ["reset", "get"]),
        # It shows the same: it did not, so again.
        ([LOST, MADE], UNCHANGED, BEFORE, ["reset", "get", "reset"]),
        ([FAILED, MADE], UNCHANGED, BEFORE, ["reset", "get", "reset"]),
        ([ODD, MADE], UNCHANGED, BEFORE, ["reset", "get", "reset"]),
        ([LOST, LOST, MADE], UNCHANGED, BEFORE, ["reset", "get", "reset", "get", "reset"]),
        ([LOST, LOST], [UNCHANGED, MADE], BEFORE, ["reset", "get", "reset", "get"]),
        # It shows one, with nothing to compare: enough after a success, not otherwise.
        (ODD, MADE, None, ["reset", "get"]),
        ([LOST, MADE], MADE, None, ["reset", "get", "reset"]),
        # It shows none, or can't be made: again.
        ([LOST, MADE], DOCUMENTED, BEFORE, ["reset", "get", "reset"]),
        ([ODD, MADE], DOCUMENTED, BEFORE, ["reset", "get", "reset"]),
        ([FAILED, MADE], AWAY, BEFORE, ["reset", "get", "reset"]),
    ],
)
def test_an_unknown_outcome_is_settled_by_reading_back(
    reset: Any, get: Any, before: str | None, operations: list[str]
) -> None:
    client: Any = ScriptedClient(reset=reset, get=get)
    rotation = rotate(client, DATABASE_ID, before=before, count=0, cause="create", now=NOW)
    assert rotation.database.password is not None
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert (rotation.count, rotation.warnings) == (1, ())
    assert client.operations == operations


@pytest.mark.parametrize("reset", [LOST, FAILED, ODD])
@pytest.mark.parametrize("get", [DOCUMENTED, AWAY])
def test_an_outcome_that_stays_unknown_says_so(reset: ApiError, get: Any) -> None:
    client: Any = ScriptedClient(reset=reset, get=get)
    with pytest.raises(ApiOutcomeUnknownError) as raised:
        rotated(client)
    assert str(raised.value) == f"{reset.problem}; {MAY_HAVE_CHANGED}"
    assert client.operations == ["reset", "get"] * MAX_RESETS


@pytest.mark.parametrize("reset", [LOST, FAILED, ODD])
def test_a_reset_that_surely_never_took_place_says_so(reset: ApiError) -> None:
    client: Any = ScriptedClient(reset=reset, get=UNCHANGED)
    with pytest.raises(ApiError) as raised:
        rotated(client)
    assert str(raised.value) == (
        f"{reset.problem}; reading it back shows that the password has not changed"
    )
    assert not isinstance(raised.value, ApiOutcomeUnknownError)
    assert client.operations == ["reset", "get"] * MAX_RESETS


@pytest.mark.parametrize(
    "error", [ApiConnectionError("x", passing=True), AuthenticationError("x", status=401)]
)
def test_a_refused_reset_is_final(error: ApiError) -> None:
    client: Any = ScriptedClient(reset=error)
    with pytest.raises(type(error)):
        rotated(client)
    assert client.operations == ["reset"]


@pytest.mark.parametrize(
    "refusal",
    [ApiConnectionError("gone", passing=True), AuthenticationError("gone", status=401)],
)
def test_a_refusal_after_a_lost_answer_leaves_the_outcome_unknown(refusal: ApiError) -> None:
    client: Any = ScriptedClient(reset=[LOST, refusal], get=AWAY)
    with pytest.raises(ApiOutcomeUnknownError) as raised:
        rotated(client)
    assert str(raised.value) == f"gone; {MAY_HAVE_CHANGED}"
    client = ScriptedClient(reset=[LOST, refusal], get=UNCHANGED)
    with pytest.raises(type(refusal)):
        rotated(client)


def test_a_suspended_database_is_not_reset() -> None:
    client: Any = ScriptedClient(get={**WITH_CREDENTIALS, "state": "suspended"})
    with pytest.raises(ApiError, match=r"is suspended .*; nothing has changed"):
        look(client, DATABASE_ID)
    assert client.operations == ["get"]


def test_adopting_reads_and_never_resets() -> None:
    client: Any = ScriptedClient()
    rotation = adopt(client, DATABASE_ID, now=NOW)
    assert rotation.database.password is not None
    assert (rotation.rotated_at, rotation.count, rotation.cause) == (NOW, 0, "adopted")
    assert client.calls == [("get", DATABASE_ID)]
    client = ScriptedClient(get=DOCUMENTED)
    assert adopt(client, DATABASE_ID, now=NOW).warnings == (
        f"the password was adopted, but {NOT_SHOWN}",
    )


KNOWN = State(
    DATABASE_ID,
    rotated_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    rotation_count=3,
    rotation_cause="age",
    credentials=CREDENTIALS,
)


def refreshed(get: Any, state: State = KNOWN) -> Any:
    client: Any = ScriptedClient(get=get)
    rotation = refresh(client, state, now=NOW)
    assert client.calls == [("get", DATABASE_ID)]
    return rotation


def test_a_refresh_brings_new_attributes_and_keeps_the_history() -> None:
    rotation = refreshed({**WITH_CREDENTIALS, "database_name": "renamed"})
    assert rotation.database.database_name == "renamed"
    assert (rotation.rotated_at, rotation.count) == (KNOWN.rotated_at, 3)
    assert rotation.cause == "age"


def test_a_refresh_adopts_a_password_that_others_have_reset() -> None:
    theirs = {"password": "theirs", "rest_token": None}
    rotation = refreshed({**WITH_CREDENTIALS, **theirs})
    assert rotation.database.password.get_secret_value() == "theirs"
    assert rotation.database.rest_token is None
    assert (rotation.rotated_at, rotation.count, rotation.cause) == (NOW, 3, "external")


def test_a_refresh_keeps_credentials_that_the_api_does_not_show() -> None:
    rotation = refreshed(DOCUMENTED)
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert rotation.database.rest_token.get_secret_value() == CREDENTIALS["rest_token"]
    assert rotation.cause == "age"


def test_a_refresh_finds_credentials_that_were_not_known() -> None:
    rotation = refreshed(WITH_CREDENTIALS, State(DATABASE_ID))
    assert rotation.database.password.get_secret_value() == CREDENTIALS["password"]
    assert (rotation.rotated_at, rotation.count, rotation.cause) == (None, 0, None)


def test_a_refresh_of_a_deleted_database_finds_nothing() -> None:
    assert refreshed(DatabaseNotFoundError("x", status=404)) is None


def test_a_refresh_that_cannot_read_changes_nothing() -> None:
    with pytest.raises(ServerError):
        refreshed(ServerError("x", status=500))


@pytest.mark.parametrize(
    ("get", "credentials", "resets", "warned"),
    [
        (WITH_CREDENTIALS, CREDENTIALS, True, False),
        ({**WITH_CREDENTIALS, "password": "theirs"}, CREDENTIALS, False, False),
        (DOCUMENTED, CREDENTIALS, False, True),
        (WITH_CREDENTIALS, {}, False, True),
        (DatabaseNotFoundError("x", status=404), CREDENTIALS, False, False),
    ],
)
def test_a_revocation_resets_only_the_password_that_it_knows(
    get: Any, credentials: dict[str, str], resets: bool, warned: bool
) -> None:
    client: Any = ScriptedClient(get=get)
    warnings = revoke(client, State(DATABASE_ID, credentials=credentials))
    assert client.calls == [("get", DATABASE_ID), ("reset", DATABASE_ID)][: 1 + resets]
    assert bool(warnings) == warned
    assert "canary" not in str(warnings)


def test_a_revocation_needs_no_readable_answer() -> None:
    client: Any = ScriptedClient(reset=ApiContractError("odd"))
    assert revoke(client, KNOWN) == ()
