"""What surrounds a call of the engine."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NoReturn

import pytest

from pulumi_upstash_rotation.errors import ConfigurationError
from pulumi_upstash_rotation.frontends.engine.context import new_context, new_operation
from pulumi_upstash_rotation.resources.seam import Operation

from ...support.account import RecordingReporter


def no_settings() -> NoReturn:
    raise ConfigurationError("no credentials")


def test_context_of_a_preview_is_no_operation() -> None:
    assert not isinstance(new_context(RecordingReporter()), Operation)


def test_operation_needs_no_settings_before_its_first_call() -> None:
    account = new_operation(RecordingReporter(), no_settings).account
    with pytest.raises(ConfigurationError, match="no credentials"):
        account.api.get_database("id")


def test_contexts_of_one_process_share_its_run() -> None:
    """A provider's process lives for one run of the engine."""
    reporter = RecordingReporter()
    preview, operation = new_context(reporter), new_operation(reporter, no_settings)
    assert preview.run is operation.run
    assert preview.reporter is operation.reporter is reporter


def test_now_is_the_present_in_utc() -> None:
    now = new_context(RecordingReporter()).now()
    assert now.tzinfo is timezone.utc
    assert abs(now - datetime.now(timezone.utc)) < timedelta(minutes=1)
