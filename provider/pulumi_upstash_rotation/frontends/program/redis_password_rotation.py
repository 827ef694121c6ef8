"""The resource `RedisPasswordRotation`, as programs declare it.

Pulumi reads a resource's annotations anew for each resource. So they are types here, not text that
it would compile each time: no `from __future__ import annotations`.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import pulumi
from pulumi import dynamic

from pulumi_upstash_rotation.errors import DuplicateDeclarationError, InvalidInputError
from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from pulumi_upstash_rotation.resources.declarations import DECLARATIONS
from pulumi_upstash_rotation.resources.redis_password_rotation import inputs as declared
from pulumi_upstash_rotation.resources.redis_password_rotation.state import SECRET_OUTPUTS
from pulumi_upstash_rotation.rotation.inputs import CHECKS, KnownInputs, find_problems, parse
from pulumi_upstash_rotation.rotation.schedule import next_rotation
from pulumi_upstash_rotation.values import format_time, is_json, mark_unknown, parse_time


@pulumi.output_type
class SecurityAddons(dict[str, Any]):
    """Security features of a database that are switched on."""

    ip_whitelisting: bool = pulumi.property("ip_whitelisting")
    """Only the addresses on an allow list may connect."""
    vpc_peering: bool = pulumi.property("vpc_peering")
    """Reachable through VPC peering."""
    private_link: bool = pulumi.property("private_link")
    """Reachable through AWS PrivateLink."""
    tls_mutual_auth: bool = pulumi.property("tls_mutual_auth")
    """Clients have to show a certificate."""
    encryption_at_rest: bool = pulumi.property("encryption_at_rest")
    """Encrypted on disk."""


class RedisPasswordRotation(dynamic.Resource, module="upstash", name="RedisPasswordRotation"):
    """Resets the password of an Upstash Redis database exactly when the program declares it.

    A reset has no undo. It revokes the password and both REST tokens, and every client that uses
    them loses access at once. Units are those of the Upstash Developer API. An attribute that the
    API leaves out is None.
    """

    database_id: pulumi.Output[str]
    """Id of the database; also the id of the resource."""
    triggers: pulumi.Output[Mapping[str, Any]]
    """The triggers as they were at the last rotation. Secret, because any of them may be."""
    rotated_at: pulumi.Output[str]
    """When the password was last reset: RFC 3339, UTC. For a reset outside Pulumi, when this stack
    noticed it."""
    rotation_count: pulumi.Output[int]
    """How often this resource has reset the password."""
    rotation_cause: pulumi.Output[str | None]
    """Why it was last reset: `create`, `trigger: NAME`, `age` or `schedule`. `adopted`: it was not.
    `external`: it was reset outside Pulumi."""
    verified: pulumi.Output[bool | None]
    """The database accepted the new credential and rejected the previous one, where known."""
    verification: pulumi.Output[str | None]
    """What the database answered, or why it was not tried: a sentence."""
    credential_fingerprint: pulumi.Output[str]
    """Changes with the password and reveals nothing about it. A trigger for dependents."""

    password: pulumi.Output[str | None]
    """Password of the Redis user `default`. Secret; None where the API does not show it."""
    rest_token: pulumi.Output[str | None]
    """Standard token of the REST API, as powerful as the password. Secret; None if not shown."""
    read_only_rest_token: pulumi.Output[str | None]
    """Read-only token of the REST API. Secret; None where the API does not show it."""
    redis_url: pulumi.Output[str | None]
    """`rediss://default:PASSWORD@HOST:PORT` (`redis:` without TLS). Secret; None if not shown."""
    rest_url: pulumi.Output[str]
    """Base URL of the REST API."""

    database_name: pulumi.Output[str]
    """Name of the database."""
    region: pulumi.Output[str]
    """Region that hosts the database: `global`."""
    port: pulumi.Output[int]
    """TCP port of the Redis endpoint."""
    creation_time: pulumi.Output[int]
    """When the database was created: Unix seconds."""
    state: pulumi.Output[str]
    """`active`, `suspended` or `passive`."""
    endpoint: pulumi.Output[str]
    """Host name, or its first label under `upstash.io`; `redis_url` and `rest_url` are complete."""
    tls: pulumi.Output[bool]
    """Clients connect with TLS."""
    db_max_clients: pulumi.Output[int]
    """Most clients connected at once."""
    db_max_request_size: pulumi.Output[int]
    """Largest request: bytes."""
    db_disk_threshold: pulumi.Output[int]
    """Most data on disk: bytes."""
    db_max_entry_size: pulumi.Output[int]
    """Largest entry: bytes."""
    db_memory_threshold: pulumi.Output[int]
    """Most data in memory: bytes."""
    db_max_commands_per_second: pulumi.Output[int]
    """Most commands in a second."""
    db_request_limit: pulumi.Output[str]
    """Most commands in total: a decimal string, exact beyond what Pulumi's numbers can hold."""
    type: pulumi.Output[str]
    """Plan: `free`, `payg`, `pro` or `paid`."""
    budget: pulumi.Output[int]
    """Monthly budget."""
    primary_region: pulumi.Output[str]
    """Region that takes the writes."""
    primary_members: pulumi.Output[Sequence[str]]
    """Regions of the primary replicas."""
    all_members: pulumi.Output[Sequence[str]]
    """Regions of all replicas."""
    read_regions: pulumi.Output[Sequence[str]]
    """Regions that only read."""
    eviction: pulumi.Output[bool]
    """Entries are evicted when the database is full."""
    auto_upgrade: pulumi.Output[bool]
    """The plan is upgraded when a limit is reached."""
    consistent: pulumi.Output[bool]
    """Strong consistency is switched on."""
    modifying_state: pulumi.Output[str]
    """Change that is under way; empty when there is none."""
    db_resource_size: pulumi.Output[str]
    """`S`, `M`, `L`, `XL`, `XXL` or `3XL`."""
    db_type: pulumi.Output[str]
    """Storage engine: `bolt`, `badger` or `pebble`."""
    db_conn_idle_timeout: pulumi.Output[int]
    """How long a connection may be idle: nanoseconds."""
    db_lua_timeout: pulumi.Output[int]
    """How long a Lua script may run: nanoseconds."""
    db_lua_credits_per_min: pulumi.Output[int]
    """Credits for running Lua scripts in each minute."""
    db_store_max_idle: pulumi.Output[int]
    """How long a connection to the store may be idle: nanoseconds."""
    db_max_loads_per_sec: pulumi.Output[int]
    """Most load operations in a second."""
    db_acl_enabled: pulumi.Output[bool]
    """ACL users are switched on."""
    db_acl_default_user_status: pulumi.Output[bool]
    """The ACL user `default` may connect."""
    db_eviction: pulumi.Output[bool]
    """Eviction policy of the store itself."""
    last_plan_upgrade_time: pulumi.Output[int]
    """When the plan was last upgraded: Unix seconds, 0 for never."""
    replicas: pulumi.Output[int]
    """Replica factor."""
    customer_id: pulumi.Output[str]
    """Owner of the database; may be an e-mail address."""
    daily_backup_enabled: pulumi.Output[bool]
    """A backup is made every day."""
    security_addons: pulumi.Output[SecurityAddons]
    """Security features that are switched on."""
    prometheus_enabled: pulumi.Output[bool]
    """Metrics can be read by Prometheus."""
    prod_pack_enabled: pulumi.Output[bool]
    """The Prod Pack is booked."""
    extra_attributes: pulumi.Output[Mapping[str, Any]]
    """Undocumented attributes that the API sent, by its own names."""
    extra_secret_attributes: pulumi.Output[Mapping[str, Any]]
    """Those of them that may hold a credential. Secret."""

    def __init__(  # noqa: PLR0913  all but one have a default
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        database_id: pulumi.Input[str],
        triggers: pulumi.Input[Mapping[str, Any]] | None = None,
        rotation_days: pulumi.Input[float] | None = None,
        rotation_schedule: pulumi.Input[str] | None = None,
        rotate_on_create: pulumi.Input[bool] | None = None,
        rotate_on_delete: pulumi.Input[bool] | None = None,
        verify: pulumi.Input[bool] | None = None,
        verify_timeout: pulumi.Input[float] | None = None,
    ) -> None:
        """Declare a rotation. The password is reset now, and later for each of the reasons below.

        Args:
            resource_name: Name of the resource in the stack.
            opts: Pulumi's options for any resource.
            database_id: Id of the database. Changing it resets the password of the new database
                and leaves the old one alone.
            triggers: Any JSON values by name. To change or add a value resets the password. To
                remove one does not.
            rotation_days: Age in days. The next `pulumi up` resets a password of this age. To
                change it resets only a password that is due by then.
            rotation_schedule: Cron expression in UTC, such as `0 3 1 * *`. The next `pulumi up`
                resets the password if a scheduled moment has passed since the last rotation. To
                change it resets only a password that is due by then.
            rotate_on_create: False adopts the password that the database has, without a first
                reset. To change it later does nothing. True by default.
            rotate_on_delete: True resets the password once more when the resource is deleted, so
                that nobody knows it. To change it resets nothing. False by default.
            verify: True tries the new and the previous credential on the database itself after a
                rotation. False skips that. True by default.
            verify_timeout: How long that may take: seconds, 10 by default.
        """
        if opts is not None and opts.import_ is not None:
            raise pulumi.RunError(
                f"{resource_name}: Pulumi can't import dynamic resources; declare it with "
                "rotate_on_create=False to adopt the password that the database has"
            )
        inputs = {
            "database_id": database_id,
            "triggers": triggers,
            "rotation_days": rotation_days,
            "rotation_schedule": rotation_schedule,
            "rotate_on_create": rotate_on_create,
            "rotate_on_delete": rotate_on_delete,
            "verify": verify,
            "verify_timeout": verify_timeout,
        }
        _check_sendable(inputs, resource_name)
        if opts is None or opts.id is None:
            if isinstance(database_id, str):
                _declare(database_id, self, resource_name)
            inputs["database_id"] = pulumi.Output.from_input(database_id).apply(
                lambda id_: _check_declared_once(id_, self, resource_name)
            )
        self._time_reasons = pulumi.Output.all(rotation_days, rotation_schedule)
        super().__init__(
            RedisPasswordRotationProvider(),
            resource_name,
            {**dict.fromkeys(self._output_names()), **inputs},
            pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(additional_secret_outputs=list(SECRET_OUTPUTS)), opts
            ),
        )
        self._wait_for_registration_only()

    @classmethod
    def get(
        cls,
        resource_name: str,
        database_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> "RedisPasswordRotation":
        """Read a database as it is, credentials included where the API shows them; never resets.

        Args:
            resource_name: Name of the resource in the stack.
            database_id: Id of the database.
            opts: Pulumi's options for any resource.
        """
        read = pulumi.ResourceOptions(id=database_id)
        return cls(resource_name, pulumi.ResourceOptions.merge(opts, read), database_id=database_id)

    @property
    def next_rotation_at(self) -> pulumi.Output[str | None]:
        """When age or schedule makes the next rotation due: RFC 3339, UTC. None if neither does."""

        def moment(values: Sequence[Any]) -> str | None:
            rotated_at, (rotation_days, rotation_schedule) = values
            arguments = {"rotation_days": rotation_days, "rotation_schedule": rotation_schedule}
            try:
                inputs = parse(KnownInputs, CHECKS, arguments)
            except InvalidInputError:  # the provider's own check reports it
                return None
            last = parse_time(rotated_at)
            due = last and next_rotation(last, inputs.rotation_days, inputs.rotation_schedule)
            return format_time(due[0]) if due else None

        return pulumi.Output.all(self.rotated_at, self._time_reasons).apply(moment)

    @property
    def attributes(self) -> dict[str, pulumi.Output[Any]]:
        """All outputs that are not secret, by name, to be passed on or exported together."""
        names = self._output_names() - {*SECRET_OUTPUTS, "triggers"}
        return {
            **{name: getattr(self, name) for name in names},
            "next_rotation_at": self.next_rotation_at,
        }

    @property
    def credentials(self) -> dict[str, pulumi.Output[Any]]:
        """All secret outputs, by name, to be passed on or exported together."""
        return {name: getattr(self, name) for name in SECRET_OUTPUTS}

    def _wait_for_registration_only(self) -> None:
        """Let the program wait for the resource's id alone, and not for each of its outputs."""
        for name in self._output_names():
            sdk.do_not_wait_for(self.__dict__.get(name))

    @classmethod
    def _output_names(cls) -> set[str]:
        return set(RedisPasswordRotation.__annotations__)


def _check_sendable(inputs: Mapping[str, Any], resource_name: str) -> None:
    """Refuse what Pulumi cannot send: its own error is a traceback that shows the value.

    The provider reports everything else that may be wrong, all at once.

    Raises:
        pulumi.RunError: An argument holds something that is no JSON value.
    """
    known = mark_unknown(inputs, lambda value: isinstance(value, pulumi.Output | Awaitable))
    for problem in find_problems(declared.CHECKS, known):
        if not is_json(known[problem.argument]):
            raise pulumi.RunError(f"{resource_name}: {problem}")


def _declare(database_id: str, resource: pulumi.Resource, resource_name: str) -> None:
    """Remember that a program declares a rotation."""
    program = sdk.running_program()
    if program is not None:
        DECLARATIONS.add(program, database_id, resource, resource_name)


_Given = TypeVar("_Given")
"""Any value that a program gives as an id."""


def _check_declared_once(
    database_id: _Given, resource: pulumi.Resource, resource_name: str
) -> _Given:
    """Return the id if no other resource of the program names it.

    Called when the resource is about to be registered. By then a program has run to its end and
    declared everything, so that not even the first of two is reset. Only an id that becomes known
    later than that can come too late.

    Raises:
        pulumi.RunError: Another resource rotates the same database.
    """
    program = sdk.running_program()
    if program is not None and isinstance(database_id, str):  # the provider reports another type
        DECLARATIONS.add(program, database_id, resource, resource_name)
        try:
            DECLARATIONS.check_once(program, database_id)
        except DuplicateDeclarationError as error:
            raise pulumi.RunError(str(error)) from None
    return database_id
