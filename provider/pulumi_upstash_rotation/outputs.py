"""What a rotation leaves in the state: the last step of the data's way, and pure."""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, SecretStr

from .inputs import MAX_EXACT_INTEGER
from .state import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .lifecycle import Result
    from .models import Database
    from .rotation import Rotation
    from .state import Verification

SCHEMA_VERSION: Final = 1
"""Shape of the outputs; goes up when a released version's state needs to be understood apart."""


def to_outputs(result: Result, *, rotate_on_delete: bool) -> dict[str, Any]:
    """Return the outputs of a resource, secrets in clear.

    Only what Pulumi can store without loss: str, bool, int up to 2**53, finite float, list and
    dict with str keys. What is not known is left out.

    Args:
        result: What there is to tell.
        rotate_on_delete: What a deletion is to do.
    """
    rotation, database = result.rotation, result.rotation.database
    public, secret = _split_extra_attributes(database)
    outputs = {
        **_documented(database),
        **urls(database),
        "extra_attributes": public,
        "extra_secret_attributes": secret,
        "triggers": result.triggers,
        "rotated_at": rotation.rotated_at and format_time(rotation.rotated_at),
        "rotation_count": rotation.count,
        "rotation_cause": rotation.cause,
        **_said(rotation.verification),
        "credential_fingerprint": _fingerprint(rotation),
        "rotate_on_delete": rotate_on_delete,
        **(doubt(result.unsettled, result.unsettled_triggers) if result.unsettled else {}),
        **({"inputs_lag": True} if result.inputs_lag else {}),
        "schema_version": SCHEMA_VERSION,
    }
    return {name: _storable(value) for name, value in outputs.items() if value is not None}


def doubt(cause: str, triggers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs that keep a rotation in mind which may or may not have happened."""
    return {"unsettled_rotation": cause, "unsettled_triggers": triggers}


def _said(verification: Verification | None) -> dict[str, Any]:
    if verification is None:
        return {}
    return {"verified": verification.verified, "verification": verification.sentence}


def _fingerprint(rotation: Rotation) -> str:
    """Return what changes with the password and tells nothing about it.

    Of the password where it is known, so that a reset by others shows; else of the rotation.
    """
    password = rotation.database.password
    told = password.get_secret_value() if password else f"{rotation.rotated_at} {rotation.count}"
    # Passwords are made by the server, too long to be guessed; the id keeps two databases apart.
    digest = hashlib.sha256(f"{rotation.database.database_id} {told}".encode())
    return digest.hexdigest()[:16]


def _documented(model: BaseModel) -> dict[str, Any]:
    """Return the documented fields of an API object that carry a value, secrets in clear."""
    values = {name: getattr(model, name) for name in type(model).model_fields}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return _documented(value) if isinstance(value, BaseModel) else value


def urls(database: Database) -> dict[str, str]:
    """Return the URLs that clients connect to, `redis_url` (with the password) and `rest_url`.

    The API's `endpoint` is the first label of the host name or the whole host name. A URL that
    can't be told is left out.
    """
    if not database.endpoint:
        return {}
    authority = database.endpoint if "." in database.endpoint else f"{database.endpoint}.upstash.io"
    found = {"rest_url": f"https://{authority}"}
    host = _host(authority)
    if host and database.port and database.password:
        scheme = "redis" if database.tls is False else "rediss"
        password = quote(database.password.get_secret_value(), safe="")
        found["redis_url"] = f"{scheme}://default:{password}@{host}:{database.port}"
    return found


def _host(authority: str) -> str:
    """Return the authority without a port; an IPv6 address keeps its brackets."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host


def _split_extra_attributes(database: Database) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the undocumented attributes: those fit to be shown, and those that may be secret."""
    extra = dict(database.extra_attributes)
    if database.security_addons and database.security_addons.extra_attributes:
        extra["securityAddons"] = database.security_addons.extra_attributes
    credentials = list(database.known_credentials().values())
    public: dict[str, Any] = {}
    secret: dict[str, Any] = {}
    for name, value in extra.items():
        if value is not None:
            target = secret if _may_be_secret(name, value, credentials) else public
            target[name] = value
    return public, secret


_TELLING: Final = re.compile(
    r"passw|token|secret|credential|(?<![a-z])(pass|key|auth|url|uri)(?![a-z])", re.IGNORECASE
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _may_be_secret(name: str, value: object, credentials: list[str]) -> bool:
    """Say whether a name speaks of a credential or a value holds a known one, at any depth."""
    if _TELLING.search(_CAMEL.sub("_", name)):
        return True
    if isinstance(value, str):
        return any(credential in value for credential in credentials)
    if isinstance(value, list):
        return any(_may_be_secret("", item, credentials) for item in value)
    if isinstance(value, dict):
        return any(_may_be_secret(key, item, credentials) for key, item in value.items())
    return False


def _storable(value: Any) -> Any:  # noqa: ANN401  any JSON value in, the same shape out
    """Return a JSON value with every number that Pulumi would corrupt or refuse made a string."""
    match value:
        case dict():
            return {key: _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
        case int() if abs(value) > MAX_EXACT_INTEGER:
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)
    return value
