"""An engine that calls the plugin, in an environment without an account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from pulumi_upstash_rotation.frontends.engine import log

from ...support.native import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_environment() -> Iterator[None]:
    others = {name: text for name, text in os.environ.items() if "UPSTASH" not in name}
    with patch.dict(os.environ, others, clear=True):
        yield


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a user sees."""
    shown: list[str] = []
    monkeypatch.setattr(log, "show", lambda *line: shown.append(f"{line[0]}: {line[1]}"))
    return shown


@pytest.fixture
def engine() -> Engine:
    return Engine()
