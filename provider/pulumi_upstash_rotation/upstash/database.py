"""The Developer API's Database object, as its documentation describes it.

Source of every field, unit and enum: the Developer API's OpenAPI document. The documented object
has no credentials. This module reads them if the API returns them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic.alias_generators import to_camel

from pulumi_upstash_rotation.errors import UnreadableResponseError
from pulumi_upstash_rotation.values import MAX_DEPTH, MAX_EXACT_INTEGER, utf8

from .credentials import (
    CREDENTIAL_NAMES,
    Credentials,
    connection_urls,
    database_label,
    is_credential,
)
from .disclosure import disclosing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationInfo


def _stands_for_none(value: object) -> bool:
    return not value or (isinstance(value, str) and not is_credential(value))


def _decimal(value: object) -> object:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_integer else value


Integer = Annotated[int, Field(ge=-MAX_EXACT_INTEGER, le=MAX_EXACT_INTEGER)]
DecimalString = Annotated[str, BeforeValidator(_decimal), Field(pattern=r"^-?[0-9]+$")]
Credential = Annotated[
    SecretStr | None, BeforeValidator(lambda value: None if _stands_for_none(value) else value)
]

_Mismatches: TypeAlias = "dict[tuple[type[BaseModel], str], Any]"


class _ApiModel(BaseModel):
    """Accepts new fields, validates documented ones, never shows inputs in errors."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    _mismatches: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def extra_attributes(self) -> dict[str, Any]:
        """Undocumented fields, and documented ones with a type mismatch or a live credential."""
        return {**(self.model_extra or {}), **self._mismatches}

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep_mismatch(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        try:
            return handler(value)
        except ValidationError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required():
                raise
            mismatches = cast("_Mismatches", info.context)
            mismatches[cls, str(field.validation_alias or info.field_name)] = value
            return None

    def model_post_init(self, context: _Mismatches) -> None:
        """Keep the values whose type does not match."""
        mine = [key for key in context if key[0] is type(self)]
        self._mismatches.update({name: context.pop((owner, name)) for owner, name in mine})

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave out undocumented fields, which may be credentials."""
        return ((name, getattr(self, name)) for name in type(self).model_fields)


class SecurityAddons(_ApiModel):
    """Security features of a database that are switched on."""

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=to_camel))

    ip_whitelisting: bool | None = None
    vpc_peering: bool | None = None
    private_link: bool | None = None
    tls_mutual_auth: bool | None = None
    encryption_at_rest: bool | None = None


class Database(_ApiModel):
    """A Redis database of Upstash.

    Every field but the id is optional. A field of an unexpected type never fails the response,
    which may hold the only copy of the new password. Sizes are in bytes, `*_timeout` and `*_idle`
    in nanoseconds, and times in Unix seconds.
    """

    database_id: Annotated[str, Field(min_length=1)]
    database_name: str | None = None
    region: str | None = None
    port: Integer | None = None
    creation_time: Integer | None = None
    state: str | None = None
    endpoint: str | None = None
    tls: bool | None = None
    db_max_clients: Integer | None = None
    db_max_request_size: Integer | None = None
    db_disk_threshold: Integer | None = None
    db_max_entry_size: Integer | None = None
    db_memory_threshold: Integer | None = None
    db_max_commands_per_second: Integer | None = None
    db_request_limit: DecimalString | None = None
    type: str | None = None
    budget: Integer | None = None
    primary_region: str | None = None
    primary_members: list[str] | None = None
    all_members: list[str] | None = None
    eviction: bool | None = None
    auto_upgrade: bool | None = None
    consistent: bool | None = None
    modifying_state: str | None = None
    db_resource_size: str | None = None
    db_type: str | None = None
    db_conn_idle_timeout: Integer | None = None
    db_lua_timeout: Integer | None = None
    db_lua_credits_per_min: Integer | None = None
    db_store_max_idle: Integer | None = None
    db_max_loads_per_sec: Integer | None = None
    db_acl_enabled: bool | None = None
    db_acl_default_user_status: bool | None = None
    db_eviction: bool | None = None
    last_plan_upgrade_time: Integer | None = None
    replicas: Integer | None = None
    customer_id: str | None = None
    daily_backup_enabled: bool | None = None
    read_regions: list[str] | None = None
    security_addons: Annotated[SecurityAddons | None, Field(validation_alias="securityAddons")] = (
        None
    )
    prometheus_enabled: bool | None = None
    prod_pack_enabled: bool | None = None

    password: Credential = None
    rest_token: Credential = None
    read_only_rest_token: Credential = None

    @property
    def credentials(self) -> Credentials:
        """The credentials that the response holds."""
        values = {name: getattr(self, name) for name in CREDENTIAL_NAMES}
        shown = {name: value.get_secret_value() for name, value in values.items() if value}
        return Credentials(**shown)

    def with_credentials(self, credentials: Credentials) -> Database:
        """Return the same database with these credentials."""
        known = credentials.known()
        secrets = {name: SecretStr(known[name]) for name in known}
        return self.model_copy(update={**dict.fromkeys(CREDENTIAL_NAMES), **secrets}).closed()

    def completed_by(self, other: Database) -> Database:
        """Return this database. `other` fills in missing attributes, but no credential."""
        names = type(self).model_fields.keys() - CREDENTIAL_NAMES
        missing = [name for name in names if getattr(self, name) is None]
        return self.model_copy(update={name: getattr(other, name) for name in missing}).closed()

    def closed(self) -> Database:
        """Return this database. A field that shows a live credential counts as undocumented."""
        names = type(self).model_fields.keys() - {
            "database_id",  # the program declares it
            "security_addons",  # its fields are flags
            *CREDENTIAL_NAMES,
        }
        values = {name: value for name in names if (value := getattr(self, name)) is not None}
        shown = disclosing(values, self.credentials.known().values())
        set_aside = {name: values[name] for name in shown}
        if not set_aside:
            return self
        closed = self.model_copy(update=dict.fromkeys(set_aside))
        closed._mismatches = {**self._mismatches, **set_aside}  # noqa: SLF001  of the same class
        return closed

    @property
    def accepts_logins(self) -> bool:
        """Whether its default user is on. Otherwise it rejects every password."""
        return self.db_acl_default_user_status is not False

    @property
    def label(self) -> str:
        """Name and id, for messages. Any member of the account can choose the name."""
        return database_label(self.database_id, self.database_name)

    @property
    def urls(self) -> dict[str, str]:
        """URLs for clients: see `connection_urls()`."""
        password = self.credentials.password
        return connection_urls(self.endpoint, self.port, tls=self.tls, password=password)

    def documented(self) -> dict[str, Any]:
        """Return the documented attributes that have a value, by name, secrets in clear."""
        return _documented(self)

    def undocumented(self) -> dict[str, Any]:
        """Return the undocumented attributes that have a value, by the API's names."""
        extra = dict(self.extra_attributes)
        if self.security_addons and self.security_addons.extra_attributes:
            extra["securityAddons"] = self.security_addons.extra_attributes
        return {name: value for name, value in extra.items() if value is not None}


def _documented(model: BaseModel) -> dict[str, Any]:
    values = {name: getattr(model, name) for name in type(model).model_fields}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return _documented(value) if isinstance(value, BaseModel) else value


def parse_database(body: object) -> Database:
    """Return the Database that a response's JSON value describes.

    A field of an unexpected type does not fail the response; see `extra_attributes`.

    Raises:
        UnreadableResponseError: The value is not an object with a `database_id`.
    """
    if not isinstance(body, dict) or not isinstance(body.get("database_id"), str):
        raise UnreadableResponseError("the API's response is not a Database object")
    return Database.model_validate(_encodable(body), context={}).closed()


def _encodable(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  any JSON value in, the same shape out
    match value:
        case dict() | list() if depth > MAX_DEPTH:
            return None  # too deep for Pulumi
        case dict():
            return {utf8(key): _encodable(item, depth + 1) for key, item in value.items()}
        case list():
            return [_encodable(item, depth + 1) for item in value]
        case str():
            return utf8(value)
    return value
