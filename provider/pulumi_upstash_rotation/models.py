"""The Developer API's Database object, as its documentation describes it.

Source of every field, unit and enum: the Developer API's OpenAPI document. Credentials are not in
the documented object any more; they are read where an account still gets them.
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

from .errors import ApiContractError
from .inputs import MAX_EXACT_INTEGER
from .state import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import ValidationInfo


def _decimal(value: object) -> object:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_integer else value


Integer = Annotated[int, Field(ge=-MAX_EXACT_INTEGER, le=MAX_EXACT_INTEGER)]
DecimalString = Annotated[str, BeforeValidator(_decimal), Field(pattern=r"^-?[0-9]+$")]
Credential = Annotated[SecretStr | None, BeforeValidator(lambda value: value or None)]

_Misfits: TypeAlias = "dict[tuple[type[BaseModel], str], Any]"


class _ApiModel(BaseModel):
    """Tolerant of what is new, exact about what is known, silent about what it was given."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    _misfits: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def extra_attributes(self) -> dict[str, Any]:
        """What the documentation does not describe: new fields, and known ones of another type."""
        return {**(self.model_extra or {}), **self._misfits}

    @field_validator("*", mode="wrap")
    @classmethod
    def _set_aside(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        try:
            return handler(value)
        except ValidationError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required():
                raise
            misfits = cast("_Misfits", info.context)
            misfits[cls, str(field.validation_alias or info.field_name)] = value
            return None

    def model_post_init(self, context: _Misfits) -> None:
        """Keep the values that did not fit their fields."""
        mine = [key for key in context if key[0] is type(self)]
        self._misfits.update({name: context.pop((owner, name)) for owner, name in mine})

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

    Every field but the id is optional: an answer that leaves one out, or that carries it in
    another type than documented, is still the only answer to a reset that there will ever be.
    Sizes are in bytes, `*_timeout` and `*_idle` in nanoseconds, times in Unix seconds.
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

    def known_credentials(self) -> dict[str, str]:
        """Return the credentials that this answer tells, in clear, by name."""
        values = {name: getattr(self, name) for name in CREDENTIALS}
        return {name: value.get_secret_value() for name, value in values.items() if value}

    def with_missing_credentials(self, known: Mapping[str, str]) -> Database:
        """Return the same with credentials that this one lacks and that are known otherwise."""
        missing = {
            name: SecretStr(value) for name, value in known.items() if not getattr(self, name)
        }
        return self.model_copy(update=missing)


def parse_database(body: object) -> Database:
    """Return the Database that an answer's JSON value describes.

    A field of an unexpected type is set aside instead of failing the answer.

    Raises:
        ApiContractError: The value is not an object with a `database_id`.
    """
    if not isinstance(body, dict) or not isinstance(body.get("database_id"), str):
        raise ApiContractError("the API's answer is not a Database object")
    return Database.model_validate(_encodable(body), context={})


def _encodable(value: Any) -> Any:  # noqa: ANN401  any JSON value in, the same shape out
    """Return a JSON value whose text is UTF-8: an escape may hold half a surrogate pair."""
    match value:
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
        case str():
            return value.encode(errors="replace").decode()
    return value
