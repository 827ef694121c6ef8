"""The component `RedisAclUser`, as programs declare it, and its retirement of earlier tokens.

Pulumi evaluates the annotations of a resource's class for each resource. This module has no
`from __future__ import annotations`, because Pulumi would compile each annotation every time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import dynamic

from pulumi_upstash_rotation.frontends.dynamic import sdk
from pulumi_upstash_rotation.provider import (
    RedisAclRetirementProvider,
    RedisAclTokenProvider,
    RedisAclUserProvider,
)
from pulumi_upstash_rotation.resources.redis_acl_user.inputs import (
    DEFAULT_GRACE_SECONDS,
    MAX_GRACE_SECONDS,
    NAME,
    TOKEN_CHECKS,
    USER_CHECKS,
)
from pulumi_upstash_rotation.resources.redis_acl_user.state import (
    SECRET_OUTPUTS,
    token_fingerprint,
)
from pulumi_upstash_rotation.upstash.disclosure import disclosing

from .declared import check_declared_once, check_sendable, declare, next_rotation


class _Token(dynamic.Resource, module="upstash", name="RedisAclToken"):
    """Makes the token of a Redis ACL user, and a new one when a rotation is due.

    It does not change the database. Its state is saved before `RedisAclUser`, which takes its
    outputs, adds the token to the user.
    """

    token: pulumi.Output[str]
    previous_tokens: pulumi.Output[Sequence[str]]
    """The tokens before it, the newest first. Some may no longer be live. Secret."""
    redis_url: pulumi.Output[str]
    rest_url: pulumi.Output[str]
    credential_fingerprint: pulumi.Output[str]
    rotated_at: pulumi.Output[str | None]
    adopted_at: pulumi.Output[str | None]
    rotation_count: pulumi.Output[int]
    rotation_cause: pulumi.Output[str | None]


class _User(dynamic.Resource, module="upstash", name="RedisAclUser"):
    """Sets the rules of a Redis ACL user and adds a token that `RedisAclToken` has made.

    Clients with an earlier token keep their access. Consumers take the token and the URLs from the
    outputs of this resource, because then they wait for it. Upstash has ACL users on its paid
    plans.
    """

    database_id: pulumi.Output[str]
    username: pulumi.Output[str]
    token: pulumi.Output[str]
    previous_tokens: pulumi.Output[Sequence[str]]
    previous_token: pulumi.Output[str | None]
    redis_url: pulumi.Output[str]
    rest_url: pulumi.Output[str]
    credential_fingerprint: pulumi.Output[str]
    verified: pulumi.Output[bool | None]
    verification: pulumi.Output[str | None]
    changed_outside: pulumi.Output[Sequence[str] | None]
    """Parts of the rules that a refresh found changed outside Pulumi. The next `pulumi up` sets the
    declared ones again. None if there are none."""


class RedisAclRetirement(dynamic.Resource, module="upstash", name="RedisAclRetirement"):
    """Removes the earlier tokens of an ACL user once all its consumers have the current one.

    It takes outputs of the user and depends on the consumers: every resource that hands the token
    to clients. If one of them fails, all tokens stay.
    """

    retired_tokens: pulumi.Output[int]
    """Number of tokens that the last run of this resource removed."""
    retired_at: pulumi.Output[str | None]
    """Time of that removal, in RFC 3339 and UTC. None if there was nothing to remove."""
    stale_consumers: pulumi.Output[Sequence[str]]
    """Names of the consumers whose outputs still showed an earlier token. Then nothing was
    removed."""


class RedisAclUser(pulumi.ComponentResource):
    """A Redis ACL user whose token rotates without an outage.

    A rotation adds a new token. Clients with an earlier one keep their access until the program
    retires it, with `retire_previous()`. Each token is the password of the user and also a Bearer
    token of the REST API. Upstash has ACL users on its paid plans.
    """

    database_id: pulumi.Output[str]
    """Id of the database."""
    username: pulumi.Output[str]
    """Name of the user."""
    token: pulumi.Output[str]
    """The current token. Secret."""
    redis_url: pulumi.Output[str]
    """URL for a Redis client, `rediss://USER:TOKEN@HOST:PORT`, or `redis:` without TLS. Secret."""
    rest_url: pulumi.Output[str]
    """Base URL of the REST API."""
    previous_token: pulumi.Output[str | None]
    """The newest earlier token that was live when the user was last updated or refreshed. Secret.
    None if there was none."""
    rotated_at: pulumi.Output[str | None]
    """Time at which the current token was made, in RFC 3339 and UTC. None for an adopted token."""
    adopted_at: pulumi.Output[str | None]
    """Time at which this resource took over the current token, in RFC 3339 and UTC. None once the
    token has been rotated."""
    rotation_count: pulumi.Output[int]
    """Number of tokens that this resource has made."""
    rotation_cause: pulumi.Output[str | None]
    """Cause of the last rotation, such as `create`, `trigger: NAME`, `age` or `schedule`. `adopted`
    means that this resource has not rotated the token yet. `external` means that somebody removed
    the token outside Pulumi."""
    credential_fingerprint: pulumi.Output[str]
    """Changes with the token and reveals nothing about it. Use it as a trigger of dependents."""
    verified: pulumi.Output[bool | None]
    """True if the database accepted the current token and did not reject it, over Redis or REST."""
    verification: pulumi.Output[str | None]
    """Result of the verification, or the reason why there was none."""

    def __init__(  # noqa: PLR0913  all but three have a default
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        database_id: pulumi.Input[str],
        username: pulumi.Input[str],
        rules: pulumi.Input[Sequence[pulumi.Input[str]]],
        triggers: pulumi.Input[Mapping[str, Any]] | None = None,
        rotation_days: pulumi.Input[float] | None = None,
        rotation_schedule: pulumi.Input[str] | None = None,
        rotate_on_create: pulumi.Input[bool] | None = None,
        existing_token: pulumi.Input[str] | None = None,
        adopt_existing: pulumi.Input[bool] | None = None,
        admin_token: pulumi.Input[str] | None = None,
        verify: pulumi.Input[bool] | None = None,
        verify_timeout: pulumi.Input[float] | None = None,
    ) -> None:
        """Declare one ACL user and the rotation of its token.

        Args:
            resource_name: Name of the resource in the stack.
            opts: Pulumi's options for any resource.
            database_id: Id of the database. A change creates the user in the new database, then
                deletes it in the previous one.
            username: Name of the user. A change creates the new user, then deletes the previous
                one.
            rules: ACL rules, such as `["~app:*", "+@read", "+ping"]`. They replace all rules that
                the user has. Rules about passwords are not allowed. A change makes no new token.
            triggers: Map from names to JSON values. A changed or added value rotates the token. A
                removed one does not.
            rotation_days: Maximum age of the token, in days. The first `pulumi up` after that age
                rotates it. A change rotates only a token that is then due.
            rotation_schedule: Cron expression in UTC, such as `0 3 1 * *`. The first `pulumi up`
                after a scheduled time rotates the token. A change rotates only a token that is then
                due.
            rotate_on_create: True makes a token when the resource is created. False adopts
                `existing_token`. True by default. A change makes no new token.
            existing_token: The current token of the user. Necessary if `rotate_on_create` is False.
                A change makes no new token.
            adopt_existing: True takes over a user that exists already. Its other tokens stay. With
                False such a user is an error. False by default. A change makes no new token.
            admin_token: Standard token of the database's REST API. Necessary only if the Developer
                API does not return it, as with Credential Protection. A change makes no new token.
            verify: False skips the login with a new token. True by default. A change makes no new
                token.
            verify_timeout: Maximum time of a verification, in seconds. 10 by default. A change
                makes no new token.
        """
        if opts is not None and opts.import_ is not None:
            raise pulumi.RunError(
                f"{resource_name}: Pulumi cannot import dynamic resources. To adopt the user, set "
                "adopt_existing=True"
            )
        self._name_of_user = resource_name
        self._siblings_parent = opts.parent if opts else None
        self._retirement: RedisAclRetirement | None = None
        self._retirement_was_read = False
        rotation = {
            "triggers": triggers,
            "rotation_days": rotation_days,
            "rotation_schedule": rotation_schedule,
            "rotate_on_create": rotate_on_create,
            "existing_token": _secret(existing_token),
        }
        login = {
            "rules": rules,
            "adopt_existing": adopt_existing,
            "verify": verify,
            "verify_timeout": verify_timeout,
        }
        self._address = {
            "database_id": database_id,
            "username": username,
            "admin_token": _secret(admin_token),
        }
        check_sendable(TOKEN_CHECKS, {**self._address, **rotation}, resource_name)
        check_sendable(USER_CHECKS, {**self._address, **login}, resource_name)
        super().__init__("upstash-rotation:index:RedisAclUser", resource_name, None, opts)
        if isinstance(database_id, str) and isinstance(username, str):
            declare((NAME, f"{database_id} {username}"), self, resource_name)
        self._address["username"] = pulumi.Output.all(database_id, username).apply(
            self._check_declared_once
        )
        token = _Token(
            RedisAclTokenProvider(),
            f"{resource_name}-token",
            {**dict.fromkeys(_Token.__annotations__), **self._address, **rotation},
            self._child_options(opts),
        )
        handed_on = ("token", "previous_tokens", "credential_fingerprint", "redis_url", "rest_url")
        user = _User(
            RedisAclUserProvider(),
            resource_name,
            {
                **dict.fromkeys(_User.__annotations__),
                **self._address,
                **login,
                **{name: getattr(token, name) for name in handed_on},
                "retires": pulumi.Output.from_input(resource_name).apply(self._retires),
            },
            self._child_options(opts),
        )
        self._user = user
        self._time_reasons = pulumi.Output.all(rotation_days, rotation_schedule)
        for name in ("rotated_at", "adopted_at", "rotation_count", "rotation_cause"):
            setattr(self, name, getattr(token, name))
        for name in _User.__annotations__.keys() & RedisAclUser.__annotations__.keys():
            setattr(self, name, getattr(user, name))
        self.register_outputs({})

    def _child_options(self, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
        """Return the options of a child. It has those of the user that Pulumi does not inherit."""
        own = pulumi.ResourceOptions(parent=self, additional_secret_outputs=list(SECRET_OUTPUTS))
        if opts is None:
            return own
        inherited = pulumi.ResourceOptions(
            depends_on=opts.depends_on,
            ignore_changes=opts.ignore_changes,
            retain_on_delete=opts.retain_on_delete,
            deleted_with=opts.deleted_with,
        )
        return pulumi.ResourceOptions.merge(own, inherited)

    @property
    def next_rotation_at(self) -> pulumi.Output[str | None]:
        """Time of the next rotation, in RFC 3339 and UTC. None without age and schedule."""
        return next_rotation(self.rotated_at, self.adopted_at, self._time_reasons)

    def retire_previous(
        self,
        *,
        after: Sequence[pulumi.Resource],
        grace_seconds: pulumi.Input[float] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> RedisAclRetirement:
        """Remove the earlier tokens in each run, once these resources have the current one.

        If one of them fails, or if its outputs still show an earlier token, all tokens stay. The
        next run that updates them removes the tokens. Without this call, the two newest tokens
        stay live.

        Args:
            after: The consumers: every resource that hands the token to clients. Pulumi does not
                wait for the children that a component makes inside an `apply`. Name those.
            grace_seconds: Time between the last consumer's update and the removal, in seconds, from
                0 to 300. Clients that have just read the earlier token can still log in. 2 by
                default.
            opts: Pulumi's options for any resource.

        Raises:
            pulumi.RunError: `after` is empty, or not a list of resources, or this is a second call.
        """
        name = self._name_of_user
        consumers = list(after) if isinstance(after, list | tuple) else []
        if not consumers or not all(isinstance(each, pulumi.Resource) for each in consumers):
            raise pulumi.RunError(
                f"{name}: after must be a list of the resources that use the token, at least one"
            )
        own = {*sdk.family_of(self)}
        if any(own & {*sdk.family_of(each)} for each in consumers):
            raise pulumi.RunError(
                f"{name}: after must not have the user itself, or a component that contains it"
            )
        if self._retirement is not None:
            raise pulumi.RunError(f"{name}: call retire_previous() once, with all consumers")
        if self._retirement_was_read:
            raise pulumi.RunError(
                f"{name}: call retire_previous() where the program declares the user, not inside "
                "an apply"
            )
        if isinstance(grace_seconds, int | float) and not 0 <= grace_seconds <= MAX_GRACE_SECONDS:
            raise pulumi.RunError(
                f"{name}: grace_seconds must be a number of seconds from 0 to {MAX_GRACE_SECONDS}"
            )
        user = self._user
        handed_on = ("token", "previous_tokens", "credential_fingerprint")
        needed = pulumi.ResourceOptions(depends_on=[*consumers, user], parent=self._siblings_parent)
        self._retirement = RedisAclRetirement(
            RedisAclRetirementProvider(),
            f"{name}-retirement",
            {
                **dict.fromkeys(RedisAclRetirement.__annotations__),
                **self._address,
                **{name: getattr(user, name) for name in handed_on},
                "stale_consumers": _stale(consumers, user),
                "grace_seconds": DEFAULT_GRACE_SECONDS if grace_seconds is None else grace_seconds,
            },
            pulumi.ResourceOptions.merge(needed, opts),
        )
        return self._retirement

    def _retires(self, _value: object) -> bool:
        """Return whether the program declares a retirement. By now it has declared everything."""
        self._retirement_was_read = True
        return self._retirement is not None

    def _check_declared_once(self, values: Sequence[Any]) -> Any:  # noqa: ANN401  what was given
        database_id, username = values
        both = isinstance(database_id, str) and isinstance(username, str)
        return check_declared_once(
            username,
            (NAME, f"{database_id} {username}" if both else None),
            self,
            self._name_of_user,
            label=f"ACL user {username!r} of Redis database {database_id!r}",
            harm="Each would retire the other's token",
        )


def _secret(value: Any) -> Any:  # noqa: ANN401  any input
    return None if value is None else pulumi.Output.secret(value)


def _stale(consumers: Sequence[pulumi.Resource], user: _User) -> pulumi.Output[Sequence[str]]:
    """Return the names of the consumers whose outputs show an earlier token.

    A consumer that only has the fingerprint, such as a deployment, shows that of the token.
    """

    def names(values: Sequence[Any]) -> list[str]:
        database_id, username, earlier, *shown = values
        if not earlier:
            return []
        prints = [token_fingerprint(database_id, username, each) for each in earlier]
        # One call for all, because it first spells each token in every encoding.
        texts = {
            f"{number} {index}": value
            for number, outputs in enumerate(shown)
            for index, value in enumerate(outputs)
        }
        stale = {int(key.split()[0]) for key in disclosing(texts, [*earlier, *prints])}
        return [sdk.name_of(each) for number, each in enumerate(consumers) if number in stale]

    outputs = [pulumi.Output.all(*sdk.outputs_of(each)) for each in consumers]
    known = (user.database_id, user.username, user.previous_tokens)
    return pulumi.Output.unsecret(pulumi.Output.all(*known, *outputs).apply(names))
