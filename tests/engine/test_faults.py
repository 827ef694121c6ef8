"""No fault loses a password: what breaks, and what the stack holds in the end.

A case is a rotation of its own; one update meets every fault of a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upstash_emulator import Fault

from ..support.assertions import assert_live, assert_nothing_left_to_do
from ..support.front_ends import DYNAMIC, NATIVE, through
from ..support.messages import MAY_HAVE_CHANGED, RECONCILED_NOW
from ..support.stacks import CREDENTIALS, diagnostics_of

if TYPE_CHECKING:
    from ..support.stacks import Rotations

pytestmark = through(DYNAMIC, soak=NATIVE)

LOST = {
    "closed": Fault.closed(applied=True),
    "status_500": Fault.status(500, applied=True),
    "status_502": Fault.status(
        502, applied=True, body="<html>bad gateway</html>", content_type="text/html"
    ),
    "cut_off": Fault.cut_off(),
    "garbage": Fault.garbage(),
    "empty": Fault.garbage(b""),
    "null": Fault.body(None),
    "no_fields": Fault.body({}),
    "no_id": Fault.without("database_id"),
}
NOT_APPLIED = {
    "closed_before": Fault.closed(),
    "status_500_before": Fault.status(500),
    "status_503_before": Fault.status(503),
}


def test_a_reset_whose_response_is_lost_happens_exactly_once(rotations: Rotations) -> None:
    for name in LOST | NOT_APPLIED:
        rotations.declare(name, triggers={"a": 1})
    rotations.up()
    for name, fault in (LOST | NOT_APPLIED).items():
        rotations.fault(name, fault, "reset")
        rotations.declare(name, triggers={"a": 2})
    # Where no read can tell whether it happened, only another reset is safe.
    rotations.declare("protected").credential_protection = True
    rotations.fault("protected", Fault.closed(applied=True), "reset")
    rotations.up()
    assert rotations.resets() == dict.fromkeys(rotations.resets(), 2)
    assert {rotations.out(name)["rotation_count"] for name in LOST | NOT_APPLIED} == {2}
    assert rotations.out("protected")["rotation_count"] == 1
    assert_live(rotations, *rotations.resets())


NAMES = ("first", "same", "reverted", "protected")


def lose_the_outcome(rotations: Rotations, name: str) -> None:
    """Let resets be applied and their responses be lost, and no read show the password."""
    rotations.fault(name, Fault.closed(applied=True), "reset", None)
    rotations.fault(name, Fault.without(*CREDENTIALS), "get", None)


@pytest.fixture
def pending(rotations: Rotations) -> Rotations:
    """Rotations whose outcome is indeterminate; the API is well again."""
    for name in NAMES[1:]:
        rotations.declare(name, triggers={"a": 1})
    rotations.database("protected").credential_protection = True
    rotations.up()
    former = [rotations.database(name).password for name in NAMES]
    for name in NAMES:
        rotations.declare(name, triggers={} if name == "first" else {"a": 2})
        lose_the_outcome(rotations, name)
    shown = rotations.failing_up()
    for name in NAMES:
        assert MAY_HAVE_CHANGED in "\n".join(diagnostics_of(shown, name)), name
    stored = rotations.stack.stored_text()
    live = [rotations.database(name).password for name in NAMES]
    assert not [password for password in (*former, *live) if password in stored]
    rotations.emulator.clear()
    for name in ("reverted", "protected"):
        rotations.declare(name, triggers={"a": 1})
    return rotations


@pytest.mark.parametrize("command", ["up", pytest.param("refresh", marks=pytest.mark.soak)])
def test_a_pending_rotation_is_reconciled_by_the_next_run_even_if_the_program_was_reverted(
    pending: Rotations, command: str
) -> None:
    if command == "refresh":
        pending.refresh()
        assert pending.emulator.resets == 0
    else:
        preview = pending.preview()
        for name in NAMES:
            assert RECONCILED_NOW in "\n".join(diagnostics_of(preview, name)), name
    pending.up()
    assert pending.resets() == {
        "first": 1,  # a password that the state has never held
        "same": 0,
        "reverted": 1,  # program and database differ again, and that is a declared change
        "protected": 1,  # the API hides what happened
    }
    causes = {name: pending.out(name)["rotation_cause"] for name in NAMES}
    assert causes == dict.fromkeys(NAMES, "trigger: a") | {"first": "create"}
    assert pending.out("first")["rotation_count"] == 1
    assert_live(pending, *NAMES)
    assert_nothing_left_to_do(pending)
