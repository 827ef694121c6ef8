"""A policy pack for the credentials that pulumi-upstash-rotation rotates.

It stands alone, so copy this folder. It needs an environment of its own, because pulumi-policy and
the SDK of a program may need different versions of protobuf.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

DAY = timedelta(days=1)
DEFAULT_MAX_AGE_DAYS = 90
_TYPE = re.compile(r"(?:pulumi-python:dynamic/upstash|upstash-rotation:index):(Redis\w+)")
_CREDENTIALS = ("RedisPasswordRotation", "RedisAclToken")
_VERIFIED = ("RedisPasswordRotation", "RedisAclUser")
_PREVIEWED = object()
"""A value that a preview does not know yet, because the update will set it."""


class Resource(NamedTuple):
    """A resource of this package, written by a program in any language.

    Attributes:
        urn: Its URN.
        type: Name of its type, such as `RedisPasswordRotation`.
        properties: Its inputs or outputs. The names are in snake_case or in camelCase.
    """

    urn: str
    type: str
    properties: Mapping[str, Any]

    def get(self, name: str) -> Any:  # noqa: ANN401  whatever the state holds
        """Return a property by its name in snake_case. None without one."""
        camel = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
        try:
            return self.properties.get(name, self.properties.get(camel))
        except UnknownValueError:
            return _PREVIEWED

    def time(self, name: str) -> datetime | None:
        """Return a property that is a time in UTC. None if it is none."""
        try:
            found = datetime.strptime(str(self.get(name)), "%Y-%m-%dT%H:%M:%S%z")
        except ValueError:
            return None
        return found.astimezone(timezone.utc)


def _resource(urn: str, type_: str, properties: Mapping[str, Any]) -> Resource | None:
    match = _TYPE.fullmatch(type_)
    return Resource(urn, match[1], properties) if match else None


def _of_stack(args: StackValidationArgs, types: tuple[str, ...]) -> Iterator[Resource]:
    for each in args.resources:
        found = _resource(each.urn, each.resource_type, each.props)
        # Python's component of an ACL user has the type of the plugin's resource, but no outputs.
        if found and found.type in types and found.get("database_id") is not None:
            yield found


def age_problem(resource: Resource, most: float, now: datetime) -> str | None:
    """Return why a credential is too old. None if it is not.

    Args:
        resource: The credential.
        most: Its maximum age, in days.
        now: The time.
    """
    rotated_at, adopted_at = resource.get("rotated_at"), resource.get("adopted_at")
    if _PREVIEWED in (rotated_at, adopted_at):
        return None
    since = resource.time("rotated_at") or resource.time("adopted_at")
    if since is None:
        return "The age of the credential is not known. Rotate it once."
    days = (now - since) / DAY
    if days <= most:
        return None
    what = "last rotated" if rotated_at else "adopted and never rotated since"
    return f"The credential was {what} {days:.0f} days ago. At most {most:g} days are allowed."


def pending_problem(resource: Resource) -> str | None:
    """Return why the outcome of a rotation is open. None if it is not."""
    if resource.get("pending_rotation") in (None, _PREVIEWED):
        return None
    return "A rotation is pending, because its outcome is indeterminate. `pulumi up` resolves it."


def verification_problem(resource: Resource) -> str | None:
    """Return why a credential is not verified. None if it is."""
    if resource.get("verified") in (True, _PREVIEWED):
        return None
    message = str(resource.get("verification") or "it was not rotated yet")
    return f"The credential is not verified: {message.removeprefix('not verified: ')}."


def declaration_problem(resource: Resource) -> str | None:
    """Return why nothing makes a rotation due as time passes. None if something does."""
    if any(resource.get(name) is not None for name in ("rotation_days", "rotation_schedule")):
        return None
    return "Set rotation_days or rotation_schedule, so that the credential is rotated in time."


def _report_each(
    resources: Iterable[Resource],
    problem_of: Callable[[Resource], str | None],
    report: ReportViolation,
) -> None:
    for resource in resources:
        if problem := problem_of(resource):
            report(problem, resource.urn)


def _check_age(args: StackValidationArgs, report: ReportViolation) -> None:
    most, now = float(args.get_config()["maxAgeDays"]), datetime.now(timezone.utc)
    credentials = _of_stack(args, _CREDENTIALS)
    _report_each(credentials, lambda each: age_problem(each, most, now), report)


def _check_pending(args: StackValidationArgs, report: ReportViolation) -> None:
    _report_each(_of_stack(args, _CREDENTIALS), pending_problem, report)


def _check_verification(args: StackValidationArgs, report: ReportViolation) -> None:
    _report_each(_of_stack(args, _VERIFIED), verification_problem, report)


def _check_declaration(args: ResourceValidationArgs, report: ReportViolation) -> None:
    resource = _resource(args.urn, args.resource_type, args.props)
    if resource and resource.type in _CREDENTIALS and (problem := declaration_problem(resource)):
        report(problem)


PolicyPack(
    "upstash-rotation",
    [
        StackValidationPolicy(
            "credential-age",
            "Every credential was rotated within maxAgeDays.",
            _check_age,
            EnforcementLevel.MANDATORY,
            PolicyConfigSchema(
                {
                    "maxAgeDays": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "default": DEFAULT_MAX_AGE_DAYS,
                    }
                }
            ),
        ),
        StackValidationPolicy(
            "no-pending-rotation",
            "The outcome of every rotation is known.",
            _check_pending,
            EnforcementLevel.MANDATORY,
        ),
        StackValidationPolicy(
            "credential-verified",
            "The database accepted every credential after its rotation.",
            _check_verification,
            EnforcementLevel.ADVISORY,
        ),
        ResourceValidationPolicy(
            "rotation-in-time",
            "Every rotation declares an age or a schedule.",
            _check_declaration,
            EnforcementLevel.ADVISORY,
        ),
    ],
)
