"""Sessions: what one engine configured never reaches another one."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_upstash_rotation.frontends.engine import log
from pulumi_upstash_rotation.frontends.native import session
from pulumi_upstash_rotation.frontends.native.session import Row, Session, Sessions
from pulumi_upstash_rotation.resources.seam import Run


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Run]:
    """The records of runs, by the engine's address."""
    found: dict[str, Run] = {}
    monkeypatch.setattr(
        session, "shared_run", lambda address: found.setdefault(address, Run({("of", address)}))
    )
    return found


def test_only_a_diff_after_a_check_belongs_to_an_update() -> None:
    of = Session()
    assert not of.was_checked("a")
    of.checked("a")
    assert not of.was_checked("b")
    assert of.was_checked("a")
    assert not of.was_checked("a")  # a refresh after the update


def test_session_of_a_connection_is_its_own() -> None:
    sessions = Sessions(None)
    one, other = sessions.start("peer-1", "host:1"), sessions.start("peer-2", "host:2")
    assert sessions.of("peer-1") is one
    assert sessions.of("peer-2") is other
    assert (one.address, other.address) == ("host:1", "host:2")
    assert one.run is not other.run
    assert sessions.all() == [one, other]


def test_connection_that_is_made_again_keeps_the_only_session() -> None:
    sessions = Sessions(None)
    one = sessions.start("peer-1", "host:1")
    assert sessions.of("peer-2") is one
    assert sessions.of("peer-3") is one
    assert sessions.of("peer-1") is one


def test_unknown_connection_gets_none_of_several_sessions() -> None:
    """It may be another engine's, with another account."""
    sessions = Sessions(None)
    known = [sessions.start("peer-1", "host:1"), sessions.start("peer-2", "host:2")]
    assert sessions.of("peer-3") not in known
    assert sessions.of("peer-3").config is None


def test_handshake_starts_anew_on_a_known_connection() -> None:
    sessions = Sessions(None)
    first = sessions.start("peer-1", "host:1")
    first.cancelled.set()
    second = sessions.start("peer-1", "host:1")
    assert not second.cancelled.is_set()
    assert sessions.of("peer-1") is second


def test_session_shares_the_record_of_its_engines_run(runs: dict[str, Run]) -> None:
    sessions = Sessions("host:0")
    assert sessions.start("peer-1").run is runs["host:0"]
    assert sessions.start("peer-2", "host:2").run is runs["host:2"]
    assert Sessions("host:0").of("peer-1").run is runs["host:0"]


def test_run_stays_when_the_same_engine_attaches_again() -> None:
    of = Sessions(None).start("peer-1", "host:1")
    of.run.failed.add(("x",))
    run = of.run
    of.belong_to("host:1")
    of.belong_to("")
    assert (of.address, of.run) == ("host:1", run)


def test_no_secret_of_a_config_is_in_a_repr() -> None:
    assert "canary" not in repr(Session(config={"apiKey": "key-canary"}))


def test_lines_go_to_the_row_and_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(log, "show", lambda *line: shown.append(line))
    row = Row("the-urn", "host:1")
    row.info("rotation_days is due")
    row.warning("rotate_on_delete is True for 'rotation_days'")
    assert shown == [
        ("info", "rotationDays is due", "the-urn", "host:1"),
        ("warning", "rotateOnDelete is true for 'rotation_days'", "the-urn", "host:1"),
    ]
