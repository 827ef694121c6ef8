"""The state of a `RedisPasswordRotation`: write it as outputs, and read outputs of any version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.resources.databases import SUSPENDED
from pulumi_upstash_rotation.rotation.reconciliation import Reconciliation, fingerprint, reconcile
from pulumi_upstash_rotation.rotation.record import (
    Cause,
    PendingRotation,
    Reason,
    RotationRecord,
)
from pulumi_upstash_rotation.upstash.credentials import (
    CREDENTIAL_NAMES,
    Credentials,
    database_label,
)
from pulumi_upstash_rotation.values import (
    UNKNOWN,
    VERIFY_IS_FALSE,
    Unknown,
    Verification,
    format_time,
    parse_time,
    storable,
)

if TYPE_CHECKING:
    from datetime import datetime

    from pulumi_upstash_rotation.upstash.database import Database

    from .inputs import DeclaredInputs

SCHEMA_VERSION: Final = 1
"""Version of the outputs' layout. A change of how to read released states raises it."""

SECRET_OUTPUTS: Final = (*CREDENTIAL_NAMES, "redis_url", "extra_attributes")
SECRET_IN_STATE: Final = (*SECRET_OUTPUTS, "triggers", "pending_triggers")
"""Triggers are among them, because a plain trigger may have been a secret at the last rotation."""

_PENDING: Final = (
    "pending_rotation",
    "pending_triggers",
    "pending_applied",
    "pending_after_late_read",
)

ESSENTIAL: Final = (
    "database_id",
    *CREDENTIAL_NAMES,
    "redis_url",
    "rest_url",
    "triggers",
    *_PENDING,
    "earlier_fingerprints",
    "displaced_fingerprints",
    "rotated_at",
    "adopted_at",
    "rotation_count",
    "rotation_cause",
    "credential_fingerprint",
    "rotate_on_delete",
    "imported",
    "customer_id",
    "schema_version",
)
"""Outputs without which a credential or a pending rotation would be lost."""

RENAMED: Final = {
    "unsettled_rotation": "pending_rotation",
    "unsettled_triggers": "pending_triggers",
    "inputs_lag": "engine_inputs_stale",
}
"""Names in states of earlier versions, and their names now."""

CHANGED_BY_ROTATION: Final = (
    *SECRET_OUTPUTS,
    "rotated_at",
    "adopted_at",
    "rotation_count",
    "rotation_cause",
    "triggers",
    "verified",
    "verification",
    "credential_fingerprint",
)


@dataclass(frozen=True)
class State:
    """The parts of the stored outputs that decisions need.

    Attributes:
        database_id: Id of the database.
        record: The last rotation.
        credentials: The stored credentials.
        pending: A rotation whose outcome is indeterminate. None without one.
        earlier: Fingerprints of earlier passwords, the newest last. None of them may be taken for a
            new one.
        displaced: Fingerprints of stored passwords that a read replaced. The read may have been
            late, so any of them may still be the live one. An own reset makes them earlier ones.
        rotate_on_delete: The argument, as last declared.
        engine_inputs_stale: A refresh has found that a failed update did rotate. The engine still
            holds the inputs of the rotation before. So it may find no change where inputs differ.
        database_name: Name of the database, for messages. None if it is not known.
        customer_id: The account that owns the database. None if it is not known.
        suspended: Whether the database was suspended when it was last read.
        imported: Whether the state comes from a read alone. What the program declares first is then
            stored without a reset.
    """

    database_id: str
    record: RotationRecord = field(default_factory=RotationRecord)
    credentials: Credentials = field(default_factory=Credentials)
    pending: PendingRotation | None = None
    earlier: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    rotate_on_delete: bool = False
    engine_inputs_stale: bool = False
    database_name: str | None = None
    customer_id: str | None = None
    suspended: bool = False
    imported: bool = False

    @property
    def label(self) -> str:
        """What messages call the database."""
        return database_label(self.database_id, self.database_name)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint of the stored password. Empty if it is not known."""
        password = self.credentials.password
        return (fingerprint(self.database_id, password),) if password else ()

    def without_earlier(self, password: str | None) -> State:
        """Return this state without the fingerprint of an earlier password, which is live again."""
        live = password and fingerprint(self.database_id, password)
        return replace(self, earlier=tuple(each for each in self.earlier if each != live))

    @property
    def verifies(self) -> bool:
        """Whether the program verifies, as far as the last verification shows it."""
        last = self.record.verification
        return last is None or last.message != VERIFY_IS_FALSE

    def compare(self, live: str | None) -> Reconciliation:
        """Compare the live password with the stored one."""
        return reconcile(
            self.credentials.password, live, scope=self.database_id, earlier=self.earlier
        )


@dataclass(frozen=True)
class Snapshot:
    """The next state: as `State`, with the whole database.

    Attributes:
        database: The database, with its live credentials as far as they are known.
        record: The last rotation.
        pending: As for `State`.
        earlier: As for `State`.
        displaced: As for `State`.
        rotate_on_delete: As for `State`.
        engine_inputs_stale: As for `State`.
        imported: As for `State`.
    """

    database: Database
    record: RotationRecord
    pending: PendingRotation | None = None
    earlier: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    rotate_on_delete: bool = False
    engine_inputs_stale: bool = False
    imported: bool = False

    def to_state(self) -> State:
        """Return the state that `to_outputs()` writes, as `parse_state()` will read it."""
        return State(
            self.database.database_id,
            self.record,
            self.database.credentials,
            self.pending,
            self.earlier,
            self.displaced,
            rotate_on_delete=self.rotate_on_delete,
            engine_inputs_stale=self.engine_inputs_stale,
            database_name=self.database.database_name,
            customer_id=self.database.customer_id,
            suspended=self.database.state == SUSPENDED,
            imported=self.imported,
        )


def parse_state(outputs: Mapping[str, Any]) -> State:
    """Return the state in outputs of any version of this package.

    A value of an unexpected type counts as absent, because a user may have edited the state.
    """
    outputs = _under_new_names(outputs)

    def text(name: str) -> str | None:
        value = outputs.get(name)
        return value if isinstance(value, str) and value else None

    def values(name: str) -> Mapping[str, Any]:
        value = outputs.get(name)
        return value if isinstance(value, Mapping) else {}

    message, cause = text("verification"), text("rotation_cause")
    reason = Reason.parse(cause) if cause else None
    pending = text("pending_rotation")
    rotated_at, adopted_at = (
        parse_time(outputs.get(name)) for name in ("rotated_at", "adopted_at")
    )
    if reason == Reason(Cause.ADOPTED):
        # The first versions wrote the time of an adoption as that of a rotation.
        rotated_at, adopted_at = None, adopted_at or rotated_at

    def texts(name: str) -> tuple[str, ...]:
        value = outputs.get(name)
        return tuple(map(str, value)) if isinstance(value, list | tuple) else ()

    return State(
        database_id=text("database_id") or "",
        record=RotationRecord(
            rotated_at=rotated_at,
            adopted_at=adopted_at,
            count=_count(outputs),
            reason=reason,
            triggers=values("triggers"),
            verification=(
                Verification(outputs.get("verified") is True, message) if message else None
            ),
        ),
        credentials=Credentials.of(outputs),
        pending=(
            PendingRotation(
                Reason.parse(pending),
                values("pending_triggers"),
                applied=outputs.get("pending_applied") is True,
                after_late_read=outputs.get("pending_after_late_read") is True,
            )
            if pending
            else None
        ),
        earlier=texts("earlier_fingerprints"),
        displaced=texts("displaced_fingerprints"),
        rotate_on_delete=outputs.get("rotate_on_delete") is True,
        engine_inputs_stale=outputs.get("engine_inputs_stale") is True,
        database_name=text("database_name"),
        customer_id=text("customer_id"),
        suspended=outputs.get("state") == SUSPENDED,
        imported=outputs.get("imported") is True,
    )


def _count(outputs: Mapping[str, Any]) -> int:
    count = outputs.get("rotation_count")
    if isinstance(count, int | float) and math.isfinite(count):
        return int(count)
    # The first versions wrote no count, and always followed a reset.
    return 1 if "rotated_at" in outputs else 0


def to_outputs(snapshot: Snapshot) -> dict[str, Any]:
    """Return the outputs of a resource, secrets in clear.

    Pulumi can store them without loss. They hold str, bool, int up to 2**53, finite float, list,
    and dict with str keys. A value that is not known is left out.
    """
    database, verification = snapshot.database, snapshot.record.verification
    outputs = {
        **database.documented(),
        **database.urls,
        "extra_attributes": database.undocumented(),
        "verified": verification and verification.verified,
        "verification": verification and verification.message,
        "engine_inputs_stale": snapshot.engine_inputs_stale or None,
    }
    stored = {name: storable(value) for name, value in outputs.items() if value is not None}
    stored |= _rotation_outputs(snapshot)
    return with_pending(stored, snapshot.pending) if snapshot.pending else stored


def _rotation_outputs(snapshot: Snapshot) -> dict[str, Any]:
    """Return the outputs that do not come from the API, but for the verification."""
    record = snapshot.record
    outputs = {
        "triggers": storable(record.triggers),
        "rotated_at": record.rotated_at and format_time(record.rotated_at),
        "adopted_at": record.adopted_at and format_time(record.adopted_at),
        "rotation_count": record.count,
        "rotation_cause": record.reason and str(record.reason),
        "credential_fingerprint": _fingerprint(snapshot),
        "earlier_fingerprints": list(snapshot.earlier) or None,
        "displaced_fingerprints": list(snapshot.displaced) or None,
        "rotate_on_delete": snapshot.rotate_on_delete,
        "imported": snapshot.imported or None,
        "schema_version": SCHEMA_VERSION,
    }
    return {name: value for name, value in outputs.items() if value is not None}


def with_pending(outputs: Mapping[str, Any], pending: PendingRotation) -> dict[str, Any]:
    """Return outputs that also hold a pending rotation."""
    kept = {name: value for name, value in outputs.items() if name not in _PENDING}
    return {
        **kept,
        "pending_rotation": str(pending.reason),
        "pending_triggers": storable(pending.triggers),
        **({"pending_applied": True} if pending.applied else {}),
        **({"pending_after_late_read": True} if pending.after_late_read else {}),
    }


def with_new_credentials(outputs: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """Return the fewest outputs that keep a rotation: earlier ones and the new credentials.

    Of the response it reads nothing else, because other values may be impossible to store.
    """
    before = ("database_id", "rest_url", "customer_id")
    return {
        **{name: outputs[name] for name in before if name in outputs},
        **snapshot.database.credentials.known(),
        **snapshot.database.urls,
        **_rotation_outputs(snapshot),
    }


def carried_over(outputs: Mapping[str, Any], inputs: DeclaredInputs) -> dict[str, Any]:
    """Return stored outputs after an update without a reset."""
    kept = _under_new_names(outputs)
    kept.pop("engine_inputs_stale", None)  # the engine takes the new inputs with this update
    return {**kept, "rotate_on_delete": inputs.rotate_on_delete}


def taken_over(
    outputs: Mapping[str, Any], inputs: DeclaredInputs, at: datetime | Unknown
) -> dict[str, Any]:
    """Return the outputs of an imported resource with what the program declares for it first."""
    kept = carried_over(outputs, inputs)
    del kept["imported"]
    triggers = inputs.triggers
    adopted = {
        "triggers": triggers if isinstance(triggers, Unknown) else storable(triggers),
        "adopted_at": at if isinstance(at, Unknown) else format_time(at),
        "rotation_cause": str(Reason(Cause.ADOPTED)),
    }
    # A reset outside Pulumi since then has a time and a cause of its own.
    return {**adopted, **kept, "triggers": adopted["triggers"]}


def planned_creation(inputs: DeclaredInputs) -> dict[str, Any]:
    """Return the outputs of a new resource for a preview."""
    from pulumi_upstash_rotation.upstash.database import Database

    names = (*Database.model_fields, "rest_url", *CHANGED_BY_ROTATION)
    return {
        **dict.fromkeys(names, UNKNOWN),
        "database_id": inputs.database_id,
        "rotate_on_delete": inputs.rotate_on_delete,
        "schema_version": SCHEMA_VERSION,
    }


def planned_update(
    outputs: Mapping[str, Any], inputs: DeclaredInputs, *, due: bool
) -> dict[str, Any]:
    """Return the outputs after an update for a preview.

    Args:
        outputs: The stored outputs.
        inputs: The declared arguments.
        due: Whether the update may reset the password.
    """
    kept = carried_over(outputs, inputs)
    if not due:
        return kept
    known = {name: value for name, value in kept.items() if not name.startswith("pending_")}
    return {**known, **dict.fromkeys(CHANGED_BY_ROTATION, UNKNOWN)}


def _under_new_names(outputs: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {RENAMED.get(name, name): value for name, value in outputs.items()}
    extra = renamed.pop("extra_secret_attributes", None)
    if isinstance(extra, Mapping):  # earlier versions kept the others in clear
        others = renamed.get("extra_attributes")
        renamed["extra_attributes"] = {**(others if isinstance(others, Mapping) else {}), **extra}
    return renamed


def _fingerprint(snapshot: Snapshot) -> str:
    """Return a text that changes with the password and reveals nothing about it.

    It is a digest of the password if that is known, otherwise of time and count of the rotation. So
    it also changes after a reset outside Pulumi.
    """
    record = snapshot.record
    when = record.counts_from and format_time(record.counts_from)  # as the state keeps it
    seed = snapshot.database.credentials.password or f"{when} {record.count}"
    return fingerprint(snapshot.database.database_id, seed)
