"""What surrounds a call of the engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.frontends.engine import context, shadows
from pulumi_upstash_rotation.frontends.engine.context import new_context, new_operation
from pulumi_upstash_rotation.resources.seam import Operation

from ...support.account import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable


URN = "urn:pulumi:dev::test::upstash:RedisPasswordRotation::cache"


def no_settings() -> NoReturn:
    raise ConfigurationError("no credentials")


def test_context_of_a_preview_is_no_operation() -> None:
    assert not isinstance(new_context(RecordingReporter(), URN), Operation)


def test_operation_needs_no_settings_before_its_first_call() -> None:
    account = new_operation(RecordingReporter(), URN, no_settings).account
    with pytest.raises(ConfigurationError, match="no credentials"):
        account.api.get_database("id")


def new_api(monkeypatch: pytest.MonkeyPatch, open_api: Callable[[], Any]) -> Any:
    account = replace(
        new_operation(RecordingReporter(), URN, no_settings).account, open_api=open_api
    )
    monkeypatch.setattr(context, "open_account", lambda *_: account)
    context._check_libraries.cache_clear()
    return new_operation(RecordingReporter(), URN, no_settings).account.api


def test_api_whose_libraries_are_right_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    assert new_api(monkeypatch, lambda: "the api") == "the api"


HIDING = "requests.py hides the library requests. Rename it"


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (HIDING, f"{HIDING}; nothing has changed"),
        (None, "a library cannot be imported (AttributeError); nothing has changed"),
    ],
)
def test_library_that_cannot_be_imported_is_one_line_before_any_request(
    hidden: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise AttributeError("canary")

    monkeypatch.setattr(shadows, "hidden", lambda **_: hidden)
    with pytest.raises(ConfigurationError) as raised:
        new_api(monkeypatch, fail)
    assert str(raised.value) == message


def test_file_that_stands_for_a_library_is_an_error_even_if_it_can_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shadows, "hidden", lambda **_: HIDING)
    with pytest.raises(ConfigurationError, match=f"^{HIDING}; nothing has changed$"):
        new_api(monkeypatch, lambda: "the api")


def test_error_of_ours_while_the_api_opens_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="^no credentials$"):
        new_api(monkeypatch, no_settings)


def test_contexts_of_one_process_share_its_run() -> None:
    """A provider's process lives for one run of the engine."""
    reporter = RecordingReporter()
    preview, operation = new_context(reporter, URN), new_operation(reporter, URN, no_settings)
    assert preview.run is operation.run
    assert preview.resource == operation.resource == URN
    assert preview.reporter is operation.reporter is reporter


def test_now_is_the_present_in_utc() -> None:
    now = new_context(RecordingReporter(), URN).now()
    assert now.tzinfo is timezone.utc
    assert abs(now - datetime.now(timezone.utc)) < timedelta(minutes=1)
