"""The resource `RedisPasswordRotation`, as programs declare it.

Pulumi evaluates the annotations of the class for each resource. This module has no
`from __future__ import annotations`, because Pulumi would compile each annotation every time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import dynamic

from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.provider import RedisPasswordRotationProvider
from pulumi_upstash_rotation.resources.redis_password_rotation.inputs import CHECKS, NAME
from pulumi_upstash_rotation.resources.redis_password_rotation.state import SECRET_OUTPUTS

from .declared import check_declared_once, check_sendable, declare, next_rotation
from .required_credentials import RequiredCredentials


@pulumi.output_type
class SecurityAddons(dict[str, Any]):
    """Security features of a database that are switched on."""

    ip_whitelisting: bool = pulumi.property("ip_whitelisting")
    """True if only addresses on an allow list may connect."""
    vpc_peering: bool = pulumi.property("vpc_peering")
    """True if VPC peering can reach the database."""
    private_link: bool = pulumi.property("private_link")
    """True if AWS PrivateLink can reach the database."""
    tls_mutual_auth: bool = pulumi.property("tls_mutual_auth")
    """True if clients need a certificate."""
    encryption_at_rest: bool = pulumi.property("encryption_at_rest")
    """True if the data on disk is encrypted."""


class RedisPasswordRotation(dynamic.Resource, module="upstash", name="RedisPasswordRotation"):
    """Resets the password of an Upstash Redis database when the program declares a rotation.

    A reset cannot be undone. It revokes the password and both REST tokens. Clients that use them
    lose access at once. Units are those of the Upstash Developer API. An attribute that the API
    leaves out is None.
    """

    database_id: pulumi.Output[str]
    """Id of the database. It is also the id of the resource."""
    triggers: pulumi.Output[Mapping[str, Any]]
    """Triggers at the last rotation. Secret, because any of them may be a secret."""
    rotated_at: pulumi.Output[str | None]
    """Time of the response to the last reset, in RFC 3339 and UTC. After a reset outside Pulumi it
    is the time of the refresh that detected it. None for an adopted password, whose age is not
    known."""
    adopted_at: pulumi.Output[str | None]
    """Time at which this resource took over the current password, in RFC 3339 and UTC. None once
    the password has been reset. Age and schedule count from this time, but the password is
    older."""
    rotation_count: pulumi.Output[int]
    """Number of rotations by this resource."""
    rotation_cause: pulumi.Output[str | None]
    """Cause of the last rotation, such as `create`, `trigger: NAME`, `age` or `schedule`. `adopted`
    means that this resource has not rotated the password yet. `external` means that a user reset
    the password outside Pulumi."""
    verified: pulumi.Output[bool | None]
    """True if the database accepted the new credential and rejected the previous one. If the
    previous one is not known, it only had to accept the new one."""
    verification: pulumi.Output[str | None]
    """Result of the verification, or the reason why there was none."""
    credential_fingerprint: pulumi.Output[str]
    """Changes with the password and reveals nothing about it. Use it as a trigger of dependents."""

    password: pulumi.Output[str | None]
    """Password of the Redis user `default`. Secret. None if the API does not return it."""
    rest_token: pulumi.Output[str | None]
    """Standard token of the REST API, as powerful as the password. Secret. None if the API does not
    return it."""
    read_only_rest_token: pulumi.Output[str | None]
    """Read-only token of the REST API. Secret. None if the API does not return it."""
    redis_url: pulumi.Output[str | None]
    """URL for a Redis client, `rediss://default:PASSWORD@HOST:PORT`, or `redis:` without TLS.
    Secret. None if the API does not return the password."""
    rest_url: pulumi.Output[str]
    """Base URL of the REST API."""

    database_name: pulumi.Output[str]
    """Name of the database."""
    region: pulumi.Output[str]
    """Region that hosts the database, such as `global`."""
    port: pulumi.Output[int]
    """TCP port of the Redis endpoint."""
    creation_time: pulumi.Output[int]
    """Creation time of the database, in Unix seconds."""
    state: pulumi.Output[str]
    """State of the database, one of `active`, `suspended` and `passive`."""
    endpoint: pulumi.Output[str]
    """Host name of the database, or only the first label of a name under `upstash.io`. `redis_url`
    and `rest_url` hold the full name."""
    tls: pulumi.Output[bool]
    """True if clients connect with TLS."""
    db_max_clients: pulumi.Output[int]
    """Maximum number of connected clients."""
    db_max_request_size: pulumi.Output[int]
    """Maximum size of a request, in bytes."""
    db_disk_threshold: pulumi.Output[int]
    """Maximum data on disk, in bytes."""
    db_max_entry_size: pulumi.Output[int]
    """Maximum size of an entry, in bytes."""
    db_memory_threshold: pulumi.Output[int]
    """Maximum data in memory, in bytes."""
    db_max_commands_per_second: pulumi.Output[int]
    """Maximum number of commands per second."""
    db_request_limit: pulumi.Output[str]
    """Maximum number of commands in total. A decimal string, because Pulumi's numbers would
    round it."""
    type: pulumi.Output[str]
    """Plan of the database, one of `free`, `payg`, `pro` and `paid`."""
    budget: pulumi.Output[int]
    """Monthly budget."""
    primary_region: pulumi.Output[str]
    """Region that accepts writes."""
    primary_members: pulumi.Output[Sequence[str]]
    """Regions of the primary replicas."""
    all_members: pulumi.Output[Sequence[str]]
    """Regions of all replicas."""
    read_regions: pulumi.Output[Sequence[str]]
    """Regions of the read replicas."""
    eviction: pulumi.Output[bool]
    """True if a full database evicts entries."""
    auto_upgrade: pulumi.Output[bool]
    """True if Upstash upgrades the plan when a limit is reached."""
    consistent: pulumi.Output[bool]
    """True if strong consistency is on."""
    modifying_state: pulumi.Output[str]
    """Change in progress. Empty if there is none."""
    db_resource_size: pulumi.Output[str]
    """Size of the database, one of `S`, `M`, `L`, `XL`, `XXL` and `3XL`."""
    db_type: pulumi.Output[str]
    """Storage engine, one of `bolt`, `badger` and `pebble`."""
    db_conn_idle_timeout: pulumi.Output[int]
    """Maximum idle time of a connection, in nanoseconds."""
    db_lua_timeout: pulumi.Output[int]
    """Maximum run time of a Lua script, in nanoseconds."""
    db_lua_credits_per_min: pulumi.Output[int]
    """Lua script credits per minute."""
    db_store_max_idle: pulumi.Output[int]
    """Maximum idle time of a connection to the store, in nanoseconds."""
    db_max_loads_per_sec: pulumi.Output[int]
    """Maximum number of load operations per second."""
    db_acl_enabled: pulumi.Output[bool]
    """True if ACL users are on."""
    db_acl_default_user_status: pulumi.Output[bool]
    """True if the ACL user `default` may connect."""
    db_eviction: pulumi.Output[bool]
    """True if the store's own eviction policy is on."""
    last_plan_upgrade_time: pulumi.Output[int]
    """Time of the last plan upgrade, in Unix seconds. 0 means never."""
    replicas: pulumi.Output[int]
    """Replica factor."""
    customer_id: pulumi.Output[str]
    """Owner of the database. It may be an e-mail address."""
    daily_backup_enabled: pulumi.Output[bool]
    """True if Upstash makes a backup every day."""
    security_addons: pulumi.Output[SecurityAddons]
    """Security features that are switched on."""
    prometheus_enabled: pulumi.Output[bool]
    """True if Prometheus can read metrics."""
    prod_pack_enabled: pulumi.Output[bool]
    """True if the Prod Pack is active."""
    extra_attributes: pulumi.Output[Mapping[str, Any]]
    """Attributes that the API does not document, or whose type or value is not as documented, by
    the API's names. Secret, because any of them may hold a credential."""

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
        require_credentials: pulumi.Input[bool] | None = None,
        verify: pulumi.Input[bool] | None = None,
        verify_timeout: pulumi.Input[float] | None = None,
    ) -> None:
        """Declare the rotation of one database.

        Args:
            resource_name: Name of the resource in the stack.
            opts: Pulumi's options for any resource.
            database_id: Id of the database. A change resets the password of the new database. The
                previous database stays as it is.
            triggers: Map from names to JSON values. A changed or added value resets the password. A
                removed one does not.
            rotation_days: Maximum age of the password, in days. The first `pulumi up` after that
                age resets it. A change resets only a password that is then due.
            rotation_schedule: Cron expression in UTC, such as `0 3 1 * *`. The first `pulumi up`
                after a scheduled time resets the password. A change resets only a password that is
                then due.
            rotate_on_create: True resets the password when the resource is created. False adopts
                the current password. True by default. A change resets nothing.
            rotate_on_delete: True resets the password when Pulumi deletes the resource. The stored
                password is then useless. The options `retain_on_delete` and `deleted_with` prevent
                this reset. False by default. A change resets nothing.
            require_credentials: True resets the password only if the read before the reset shows
                the current one. Otherwise the update fails and nothing has changed. False by
                default. A change resets nothing.
            verify: False skips the verification that follows a rotation. True by default. A change
                resets nothing.
            verify_timeout: Maximum time of a verification, in seconds. 10 by default. A change
                resets nothing.
        """
        if opts is not None and opts.import_ is not None:
            raise pulumi.RunError(
                f"{resource_name}: Pulumi cannot import dynamic resources. Declare the resource "
                "with rotate_on_create=False to adopt the current password"
            )
        inputs = {
            "database_id": database_id,
            "triggers": triggers,
            "rotation_days": rotation_days,
            "rotation_schedule": rotation_schedule,
            "rotate_on_create": rotate_on_create,
            "rotate_on_delete": rotate_on_delete,
            "require_credentials": require_credentials,
            "verify": verify,
            "verify_timeout": verify_timeout,
        }
        check_sendable(CHECKS, inputs, resource_name)
        if opts is None or opts.id is None:
            if isinstance(database_id, str):
                declare((NAME, database_id), self, resource_name)
            inputs["database_id"] = pulumi.Output.from_input(database_id).apply(
                lambda id_: check_declared_once(
                    id_,
                    (NAME, id_),
                    self,
                    resource_name,
                    label=f"Redis database {id_!r}",
                    harm="Each rotation would revoke the other's password",
                )
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
        """Read a database, with its credentials if the API returns them. Never resets it.

        Args:
            resource_name: Name of the resource in the stack.
            database_id: Id of the database.
            opts: Pulumi's options for any resource.
        """
        read = pulumi.ResourceOptions(id=database_id)
        return cls(resource_name, pulumi.ResourceOptions.merge(opts, read), database_id=database_id)

    @property
    def next_rotation_at(self) -> pulumi.Output[str | None]:
        """Time of the next rotation, in RFC 3339 and UTC. None without age and schedule."""
        return next_rotation(self.rotated_at, self.adopted_at, self._time_reasons)

    @property
    def required(self) -> RequiredCredentials:
        """The credentials for resources that use them. None of them is ever None."""
        return RequiredCredentials(self)

    @property
    def attributes(self) -> dict[str, pulumi.Output[Any]]:
        """All outputs that are not secret, by name. A program can export them together."""
        names = self._output_names() - {*SECRET_OUTPUTS, "triggers"}
        return {
            **{name: getattr(self, name) for name in names},
            "next_rotation_at": self.next_rotation_at,
        }

    @property
    def credentials(self) -> dict[str, pulumi.Output[Any]]:
        """All secret outputs except `triggers`, by name. A program can export them together."""
        return {name: getattr(self, name) for name in SECRET_OUTPUTS}

    def _wait_for_registration_only(self) -> None:
        """Let the program wait only for the resource's id, not for each output."""
        for name in self._output_names():
            sdk.do_not_wait_for(self.__dict__.get(name))

    @classmethod
    def _output_names(cls) -> set[str]:
        return set(RedisPasswordRotation.__annotations__)
