"""What holds for every resource behind every front end.

A new front end is an entry in `front_ends.FRONT_ENDS`, a new resource one in `resources.RESOURCES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_upstash_rotation.values import UNKNOWN, has_unknown

from ..support.payloads import DATABASE_ID, JSON
from .front_ends import FRONT_ENDS, FrontEnd, Observed
from .resources import RESOURCES, ResourceCase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..support.account import ScriptedUpstash

ENTRIES = [(front_end, case) for front_end in FRONT_ENDS for case in RESOURCES]
PENDING = [entry for entry in ENTRIES if entry[1].pending]
REPEATING = [entry for entry in ENTRIES if not entry[1].pending]
REVOKING = [entry for entry in ENTRIES if entry[1].revoking]


def only(entries: list[tuple[str, ResourceCase]]) -> pytest.MarkDecorator:
    """Let a test have a stack for each of these entries."""
    return pytest.mark.parametrize("stack", entries, ids=id_of, indirect=True)


def id_of(entry: tuple[str, ResourceCase]) -> str:
    return f"{entry[0]}-{entry[1].name}"


ARGUMENTS = st.sampled_from(sorted({name for case in RESOURCES for name in case.bad}))
OUTPUTS = st.sampled_from(
    sorted(
        {name for case in RESOURCES for name in (*case.secret, *case.pending, *case.arguments)}
        | {name for case in RESOURCES for name in case.earlier_names.values()}
    )
)


class Stack:
    """One resource behind one front end, and the state that its runs leave."""

    def __init__(self, front_end: type[FrontEnd], case: ResourceCase) -> None:
        self._front_end = front_end
        self.case = case
        self.state: Mapping[str, Any] = {}

    def run(self, upstash: ScriptedUpstash | None = None, *, credentials: bool = True) -> FrontEnd:
        """Return the front end for a new run of the engine."""
        upstash = upstash or self.case.working()
        return self._front_end(self.case.name, upstash, credentials=credentials)

    def create(
        self,
        upstash: ScriptedUpstash | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Observed:
        return self._keep(self.run(upstash).create(arguments or self.case.arguments))

    def update(
        self, arguments: Mapping[str, Any], upstash: ScriptedUpstash | None = None
    ) -> Observed:
        return self._keep(self.run(upstash).update(self.case.id, self.state, arguments))

    def read(self, upstash: ScriptedUpstash | None = None) -> Observed:
        upstash = upstash or self.case.settled()
        return self._keep(self.run(upstash).read(self.case.id, self.state))

    def name_outputs_as_an_earlier_version(self) -> None:
        names = self.case.earlier_names
        self.state = {names.get(name, name): value for name, value in self.state.items()}

    def _keep(self, observed: Observed) -> Observed:
        if observed.outputs is not None:
            self.state = observed.outputs
        return observed


@pytest.fixture(params=ENTRIES, ids=id_of)
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack without the resource yet."""
    front_end, case = request.param
    return Stack(FRONT_ENDS[front_end], case)


# --- check ---


def test_check_of_allowed_arguments_reports_nothing(stack: Stack) -> None:
    observed = stack.run().check(stack.case.arguments)
    assert (observed.problems, observed.failure, observed.calls) == ((), None, ())


def test_check_names_every_bad_argument_and_shows_no_value(stack: Stack) -> None:
    bad = stack.case.bad
    observed = stack.run().check(bad)
    assert sorted(problem.partition(" ")[0] for problem in observed.problems) == sorted(bad)
    for problem in observed.problems:
        assert " must be " in problem
        assert "\n" not in problem
        assert "canary" not in problem
    assert observed.calls == ()


def test_check_of_unknown_arguments_reports_nothing(stack: Stack) -> None:
    assert stack.run().check(dict.fromkeys(stack.case.bad, UNKNOWN)).problems == ()


# --- preview: no call, and no account within reach ---


def test_preview_of_a_creation_makes_no_call(stack: Stack) -> None:
    for arguments in (stack.case.arguments, dict.fromkeys(stack.case.arguments, UNKNOWN)):
        observed = stack.run(credentials=True).preview_create(arguments)
        assert (observed.failure, observed.problems, observed.calls) == (None, (), ())
        assert observed.outputs is None or has_unknown(observed.outputs)


def test_preview_of_an_update_makes_no_call(stack: Stack) -> None:
    stack.create()
    case = stack.case
    changed = [name for name in case.due if case.due[name] != case.arguments.get(name)]
    for arguments in (case.due, {**case.due, **dict.fromkeys(changed, UNKNOWN)}):
        observed = stack.run().preview_update(stack.case.id, stack.state, arguments)
        assert (observed.failure, observed.calls) == (None, ())
        assert observed.outputs is None or has_unknown(observed.outputs)


def test_preview_of_an_update_that_is_not_due_plans_the_state(stack: Stack) -> None:
    stack.create()
    observed = stack.run().preview_update(stack.case.id, stack.state, stack.case.arguments)
    assert (observed.failure, observed.calls, observed.changes) == (None, (), False)
    assert observed.outputs is None or observed.outputs == stack.state


def test_diff_needs_no_credentials_makes_no_call_and_reports_the_reason(stack: Stack) -> None:
    stack.create()
    run = stack.run(credentials=False)
    assert not run.diff(stack.case.id, stack.state, stack.case.arguments).changes
    observed = run.diff(stack.case.id, stack.state, stack.case.due)
    assert (observed.changes, observed.replaces, observed.calls) == (True, (), ())
    assert len(observed.lines) == (1 if stack.case.reported else 0)
    for severity, line in observed.lines:
        assert (severity, "canary" in line) == ("info", False)
        assert stack.case.reported
        assert stack.case.reported in line


def test_diff_with_another_identity_replaces(stack: Stack) -> None:
    stack.create()
    arguments, reasons = stack.case.replacing
    observed = stack.run().diff(stack.case.id, stack.state, arguments)
    assert (observed.changes, observed.replaces, observed.calls) == (True, reasons, ())


def test_diff_of_bad_arguments_fails_in_one_line_without_a_value(stack: Stack) -> None:
    stack.create()
    observed = stack.run().diff(stack.case.id, stack.state, stack.case.bad)
    assert observed.failure is not None
    assert " must be " in observed.failure
    assert "canary" not in observed.failure


# --- operations: the calls that they make, and no others ---


def test_create_makes_its_calls_and_has_the_id(stack: Stack) -> None:
    observed = stack.create()
    assert (observed.failure, observed.id) == (None, stack.case.id)
    assert list(observed.calls) == stack.case.calls["create"]
    assert observed.lines == ()


def test_update_that_is_due_makes_its_calls(stack: Stack) -> None:
    created = stack.create()
    updated = stack.update(stack.case.due, stack.case.again())
    assert (updated.failure, updated.id) == (None, stack.case.id)
    assert list(updated.calls) == stack.case.calls["update"]
    assert updated.outputs != created.outputs
    assert not stack.run().diff(stack.case.id, stack.state, stack.case.due).changes


def test_update_that_is_not_due_makes_no_call_and_needs_no_credentials(stack: Stack) -> None:
    stack.create()
    run = stack.run(credentials=False)
    observed = run.update(stack.case.id, stack.state, stack.case.arguments)
    assert (observed.failure, observed.calls, observed.outputs) == (None, (), stack.state)


def test_update_that_changes_only_what_is_stored_makes_no_call(stack: Stack) -> None:
    stack.create()
    for arguments in (stack.case.stored, stack.case.arguments):
        assert stack.run().diff(stack.case.id, stack.state, arguments).changes
        observed = stack.update(arguments)
        assert (observed.failure, observed.calls) == (None, ())
        assert not stack.run().diff(stack.case.id, stack.state, arguments).changes


def test_read_makes_its_call_and_changes_nothing(stack: Stack) -> None:
    stack.create()
    before = stack.state
    observed = stack.read()
    assert (observed.failure, observed.id, observed.outputs) == (None, stack.case.id, before)
    assert list(observed.calls) == stack.case.calls["read"]


@only([entry for entry in ENTRIES if entry[1].calls["read"]])
def test_read_of_a_deleted_resource_finds_nothing(stack: Stack) -> None:
    stack.create()
    observed = stack.read(stack.case.empty())
    assert (observed.failure, observed.id, observed.outputs) == (None, None, None)


@only([entry for entry in ENTRIES if not entry[1].found_by_id])
def test_read_without_a_state_finds_nothing_and_makes_no_call(stack: Stack) -> None:
    observed = stack.run().read(stack.case.id, {"database_id": DATABASE_ID})
    assert (observed.failure, observed.id, observed.calls) == (None, None, ())


@only([entry for entry in ENTRIES if entry[1].found_by_id])
def test_read_without_a_state_finds_the_resource_and_not_nothing(stack: Stack) -> None:
    """So does `get()`: the state has only arguments then."""
    only_id = {"database_id": DATABASE_ID}
    observed = stack.run().read(stack.case.id, only_id)
    assert (observed.failure, observed.id) == (None, stack.case.id)
    assert list(observed.calls) == stack.case.calls["read"]
    gone = stack.run(stack.case.empty()).read(stack.case.id, only_id)
    assert gone.failure is not None


def test_delete_makes_its_calls_and_needs_no_credentials_without_one(stack: Stack) -> None:
    stack.create()
    calls = stack.case.calls["delete"]
    run = stack.run(stack.case.working(), credentials=bool(calls))
    observed = run.delete(stack.case.id, stack.state)
    assert (observed.failure, list(observed.calls)) == (None, calls)


@only(REVOKING)
def test_delete_that_revokes_makes_its_calls(stack: Stack) -> None:
    stack.create(arguments=stack.case.revoking)
    observed = stack.run().delete(stack.case.id, stack.state)
    assert (observed.failure, list(observed.calls)) == (None, stack.case.calls["revoking delete"])


@only(REVOKING)
def test_delete_of_a_resource_that_its_run_has_replaced_makes_no_call(stack: Stack) -> None:
    """The live credential is the replacement's by then."""
    assert stack.case.revoking
    stack.create(arguments=stack.case.revoking)
    run = stack.run()
    calls = run.create(stack.case.revoking).calls
    assert run.delete(stack.case.id, stack.state).calls == calls


# --- failures: one line, and a state that stays true ---


def operations_with_calls(
    stack: Stack, upstash: ScriptedUpstash | None = None, *, credentials: bool = True
) -> list[Observed]:
    """Return the results of all operations that make a call, each in a run of its own."""
    case, id_, state = stack.case, stack.case.id, stack.state
    operations: dict[str, Callable[[FrontEnd], Observed]] = {
        "create": lambda run: run.create(case.arguments),
        "update": lambda run: run.update(id_, state, case.due),
        "read": lambda run: run.read(id_, state),
        "revoking delete" if case.revoking else "delete": lambda run: run.delete(id_, state),
    }
    return [
        operation(stack.run(upstash or case.rejecting(), credentials=credentials))
        for name, operation in operations.items()
        if case.calls[name]
    ]


def test_rejected_operation_fails_in_one_line_and_keeps_the_state(stack: Stack) -> None:
    stack.create(arguments=stack.case.revoking)
    for observed in operations_with_calls(stack):
        assert observed.failure == "rejected (401); nothing"
        assert not observed.kept
        assert len(observed.calls) == 1


def test_operation_without_credentials_fails_in_one_line_before_any_call(stack: Stack) -> None:
    stack.create(arguments=stack.case.revoking)
    for observed in operations_with_calls(stack, stack.case.working(), credentials=False):
        assert observed.failure is not None
        assert "credentials" in observed.failure
        assert "\n" not in observed.failure
        assert (observed.kept, observed.calls) == (False, ())


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(arguments=st.dictionaries(ARGUMENTS, JSON), outputs=st.dictionaries(OUTPUTS, JSON))
def test_any_arguments_and_outputs_end_in_a_result_or_in_one_line(
    stack: Stack, arguments: dict[str, Any], outputs: dict[str, Any]
) -> None:
    """A harness lets no error pass but ours."""
    case = stack.case
    arguments = {**case.arguments, **arguments}
    for observed in (
        stack.run().check(arguments),
        stack.run().diff(case.id, outputs, arguments),
        stack.run().create(arguments),
        stack.run().update(case.id, outputs, arguments),
        stack.run().read(case.id, outputs),
        stack.run().delete(case.id, outputs),
    ):
        assert observed.failure is None or "unexpected" not in observed.failure


# --- failures without a pending rotation: the old state stays, and the next run repeats all ---


@only(REPEATING)
def test_update_with_an_indeterminate_outcome_is_repeated_by_the_next_one(stack: Stack) -> None:
    stack.create()
    before = stack.state
    observed = stack.update(stack.case.due, stack.case.losing())
    assert observed.failure is not None
    assert "no response came; " in observed.failure
    assert "canary" not in observed.failure
    assert (observed.kept, observed.outputs, stack.state) == (False, None, before)
    assert stack.run().diff(stack.case.id, stack.state, stack.case.due).changes
    assert stack.update(stack.case.due, stack.case.happened()).failure is None
    assert not stack.run().diff(stack.case.id, stack.state, stack.case.due).changes


@only([entry for entry in REPEATING if entry[1].calls["create"]])
def test_create_with_an_indeterminate_outcome_is_repeated_by_the_next_one(stack: Stack) -> None:
    observed = stack.create(stack.case.losing_first())
    assert observed.failure is not None
    assert "no response came; " in observed.failure
    assert "canary" not in observed.failure
    assert (observed.kept, observed.outputs) == (False, None)
    again = stack.create(stack.case.happened_first())
    assert (again.failure, again.id) == (None, stack.case.id)
    assert not stack.run().diff(stack.case.id, stack.state, stack.case.arguments).changes


# --- partial failures: what is pending is kept, and resolved later ---


@only(PENDING)
def test_create_with_an_indeterminate_outcome_keeps_id_and_outputs(stack: Stack) -> None:
    observed = stack.create(stack.case.losing_first())
    assert observed.failure is not None
    assert "may have changed" in observed.failure
    assert (observed.kept, observed.id) == (True, stack.case.id)
    assert stack.case.pending <= stack.state.keys()
    assert observed.secret >= {name for name, value in stack.state.items() if holds_canary(value)}


@only(PENDING)
def test_update_with_an_indeterminate_outcome_keeps_the_state(stack: Stack) -> None:
    stack.create()
    before = stack.state
    observed = stack.update(stack.case.due, stack.case.losing())
    assert observed.failure is not None
    assert "may have changed" in observed.failure
    assert (observed.kept, observed.id) == (True, stack.case.id)
    assert stack.state.keys() - before.keys() == stack.case.pending
    assert {name: stack.state[name] for name in before} == before


@only(PENDING)
@pytest.mark.parametrize("first", [False, True], ids=["update", "create"])
@pytest.mark.parametrize("earlier", [False, True], ids=["today's names", "earlier names"])
def test_pending_rotation_that_happened_is_resolved_by_the_next_update(
    stack: Stack, *, first: bool, earlier: bool
) -> None:
    arguments = leave_pending(stack, first=first, earlier=earlier)
    diff = stack.run().diff(stack.case.id, stack.state, arguments)
    assert diff.changes
    assert any("is unknown. `pulumi up` will check" in line for _, line in diff.lines)
    observed = stack.update(arguments, stack.case.happened())
    assert observed.failure is None
    assert list(observed.calls) == stack.case.calls["resolving update"]
    assert_resolved(stack)
    assert not stack.run().diff(stack.case.id, stack.state, arguments).changes


@only(PENDING)
@pytest.mark.parametrize("first", [False, True], ids=["update", "create"])
@pytest.mark.parametrize("earlier", [False, True], ids=["today's names", "earlier names"])
def test_pending_rotation_that_happened_is_resolved_by_the_next_read(
    stack: Stack, *, first: bool, earlier: bool
) -> None:
    arguments = leave_pending(stack, first=first, earlier=earlier)
    observed = stack.read(stack.case.happened())
    assert observed.failure is None
    assert list(observed.calls) == stack.case.calls["read"]
    assert_resolved(stack)
    assert not stack.run().diff(stack.case.id, stack.state, arguments).changes
    assert stack.update(arguments).calls == ()
    assert not stack.case.earlier_names.keys() & stack.state.keys()


@only(PENDING)
def test_pending_rotation_stays_pending_while_the_api_rejects(stack: Stack) -> None:
    arguments = leave_pending(stack, first=False, earlier=False)
    observed = stack.update(arguments, stack.case.rejecting())
    assert (observed.failure, observed.kept) == ("rejected (401); nothing", False)
    assert stack.case.pending <= stack.state.keys()


@only(PENDING)
def test_state_of_an_earlier_version_that_is_not_due_gets_todays_names(stack: Stack) -> None:
    stack.create()
    earlier = dict.fromkeys(stack.case.earlier_names.values())
    stack.state = {**stack.state, **earlier}
    observed = stack.update(stack.case.arguments)
    assert (observed.failure, observed.calls) == (None, ())
    assert not earlier.keys() & stack.state.keys()
    read = stack.read()
    assert read.outputs is not None
    assert not earlier.keys() & read.outputs.keys()


def leave_pending(stack: Stack, *, first: bool, earlier: bool) -> Mapping[str, Any]:
    """Leave a rotation pending, and return what is declared."""
    arguments = stack.case.arguments if first else stack.case.due
    if first:
        stack.create(stack.case.losing_first())
    else:
        stack.create()
        stack.update(arguments, stack.case.losing())
    if earlier:
        stack.name_outputs_as_an_earlier_version()
        assert not stack.case.pending & stack.state.keys()
    return arguments


def assert_resolved(stack: Stack) -> None:
    names = {*stack.case.pending, *stack.case.earlier_names.values()}
    assert not names & stack.state.keys()


# --- secrets and the wire ---


def test_outputs_that_must_be_secret_are_marked(stack: Stack) -> None:
    case = stack.case
    created = stack.create()
    updated = stack.update(case.due, case.losing() if case.pending else case.again())
    read = stack.read()
    for observed in (created, updated, read):
        assert observed.outputs is not None
        holding = {name for name, value in observed.outputs.items() if holds_canary(value)}
        assert bool(holding) == bool(case.secret)
        assert holding <= observed.secret
        assert case.secret <= observed.secret
        assert "canary" not in repr((observed.lines, observed.failure))


def test_outputs_survive_the_engines_wire_and_its_store(stack: Stack) -> None:
    """What a run gets back is what the run before has written."""
    stack.create()
    for _ in range(3):
        before = stack.state
        assert stack.read().outputs == before
        assert stack.update(stack.case.arguments).outputs == before


def holds_canary(value: object) -> bool:
    return "canary" in repr(value)
