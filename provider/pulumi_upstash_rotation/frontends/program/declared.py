"""What every declared rotation has in the program's process: its checks, its next rotation."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi

from pulumi_upstash_rotation.errors import DuplicateDeclarationError
from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.resources.declarations import DECLARATIONS
from pulumi_upstash_rotation.rotation.inputs import find_problems
from pulumi_upstash_rotation.rotation.next_rotation import next_rotation_at
from pulumi_upstash_rotation.values import is_json, mark_unknown

if TYPE_CHECKING:
    from pulumi_upstash_rotation.rotation.inputs import Check

_Given = TypeVar("_Given")
"""Any value that a program gives."""


def check_sendable(
    checks: Mapping[str, Check], inputs: Mapping[str, Any], resource_name: str
) -> None:
    """Reject values that Pulumi cannot send. Pulumi's own error would show the value.

    The provider reports all other problems, in one step.

    Raises:
        pulumi.RunError: An argument holds a value that is not JSON.
    """
    known = mark_unknown(inputs, lambda value: isinstance(value, pulumi.Output | Awaitable))
    given = {name: check for name, check in checks.items() if name in known}
    for problem in find_problems(given, known):
        if not is_json(known[problem.argument]):
            raise pulumi.RunError(f"{resource_name}: {problem}")


def declare(
    key: tuple[str, str], resource: pulumi.Resource, resource_name: str
) -> pulumi.Resource | None:
    """Record that the program declares a rotation, and return the program if there is one."""
    program = sdk.running_program()
    if program is not None:
        DECLARATIONS.add(program, key, resource, resource_name)
    return program


def check_declared_once(  # noqa: PLR0913  the texts of two resources
    given: _Given,
    key: tuple[str, Any],
    resource: pulumi.Resource,
    resource_name: str,
    *,
    label: str,
    harm: str,
) -> _Given:
    """Return what a program gave if no other resource of the program rotates the same.

    Pulumi calls this just before it registers the resource. By then the program has ended and has
    declared everything. So neither of two duplicates is reset. Only an id that becomes known
    later can come after the first reset.

    Raises:
        pulumi.RunError: Another resource rotates the same.
    """
    kind, what = key
    if not isinstance(what, str):
        return given  # the provider reports any other type
    program = declare((kind, what), resource, resource_name)
    if program is not None:
        try:
            DECLARATIONS.check_once(program, (kind, what), label, harm)
        except DuplicateDeclarationError as error:
            raise pulumi.RunError(str(error)) from None
    return given


def next_rotation(
    rotated_at: pulumi.Output[str | None],
    adopted_at: pulumi.Output[str | None],
    time_reasons: pulumi.Output[Sequence[Any]],
) -> pulumi.Output[str | None]:
    """Return the time of the next rotation: see `next_rotation_at()`.

    Args:
        rotated_at: Output of the rotation.
        adopted_at: Output of the rotation.
        time_reasons: The arguments `rotation_days` and `rotation_schedule`.
    """

    def moment(values: Sequence[Any]) -> str | None:
        rotated, adopted, (rotation_days, rotation_schedule) = values
        arguments = {"rotation_days": rotation_days, "rotation_schedule": rotation_schedule}
        return next_rotation_at(rotated or adopted, arguments)

    return pulumi.Output.all(rotated_at, adopted_at, time_reasons).apply(moment)
