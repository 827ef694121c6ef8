"""Messages that several tests expect."""

from __future__ import annotations

DUE = "is due for a reset: "
MAY_BE_DUE = "may be due for a reset: "
RECONCILED_NOW = "is unknown. `pulumi up` will check the database"
"""In a preview, of a pending rotation."""
MAY_HAVE_CHANGED = (
    "the password may have changed. Run `pulumi up` again. It checks the database and resets again "
    "if needed"
)
NOT_RESET_ON_DELETE = "was not reset although rotate_on_delete is True"
NOT_RETURNED = "was reset, but the API does not return it"
CONFIRMED = "Redis accepts the new password and rejects the previous one"
UNREACHABLE = "not verified: Redis could not be reached; REST could not be reached"
NOT_TRIED = "not verified: verify is False"
