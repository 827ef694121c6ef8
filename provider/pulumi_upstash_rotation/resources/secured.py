"""Nothing that was reset is lost: the guard around each create and update.

From the moment before a reset, a call keeps the resource that the state must hold if anything at
all goes wrong. Only two things can then leave the call: a resource with the new credentials, or a
`PartialFailureError` with the pending rotation.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.errors import CancelledError, PartialFailureError, RotationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .seam import Reporter, Resource

_LOG: Final = logging.getLogger(__name__)

MAY_HAVE_CHANGED: Final = (
    "the password may have changed. Run `pulumi up` again. It checks the database and resets again "
    "if needed"
)


class Kept:
    """The resource that the state must hold if the call fails now. None before a reset.

    Attributes:
        certain: Whether the reset was certainly applied.
    """

    def __init__(self) -> None:
        """Keep nothing."""
        self._resource: Resource | None = None
        self._pending: Resource | None = None
        self._if_applied: Resource | None = None
        self._complete = False
        self.certain = False

    def pending(self, resource: Resource, if_applied: Resource) -> None:
        """Keep a resource with a pending rotation. This is the point of no return.

        Args:
            resource: What to keep as long as nobody knows whether the reset was applied.
            if_applied: What to keep as soon as it certainly was.
        """
        self._pending, self._if_applied, self.certain = resource, if_applied, False
        self.incomplete()

    def applied(self) -> None:
        """Keep that the reset was certainly applied. The new credentials are not known."""
        self._pending, self.certain = self._if_applied, True
        self.incomplete()

    def complete(self, resource: Resource) -> None:
        """Keep a resource with the new credentials."""
        self._resource, self._complete = resource, True

    def incomplete(self) -> None:
        """Keep the pending rotation, also if other credentials were kept as the new ones."""
        self._resource, self._complete = self._pending, False

    def nothing(self) -> None:
        """Keep nothing, because the reset has certainly not happened."""
        self._resource = None

    def after(self, error: BaseException) -> tuple[Resource, bool] | None:
        """Return what was kept, and whether it holds the new credentials. None before a reset."""
        _LOG.debug("%s in a call that may have reset a password", type(error).__name__)
        return (self._resource, self._complete) if self._resource else None


def secured(reporter: Reporter, call: Callable[[Kept], Resource]) -> Resource:
    """Return the resource that a call makes, or the one that it kept when it failed.

    Args:
        reporter: Shows the user a failure that does not matter to the state.
        call: Makes the resource. It keeps what must not be lost.

    Raises:
        PartialFailureError: The call failed after the reset began, without new credentials.
        RotationError: The call failed, and no password has changed.
    """
    kept = Kept()
    try:
        return call(kept)
    except BaseException as error:
        found = kept.after(error)
        if found is None:
            raise
        resource, complete = found
        if not complete:
            raise PartialFailureError(_text(error), resource.id, resource.outputs) from None
        kind = type(error).__name__
    with contextlib.suppress(BaseException):
        reporter.warning(
            f"the password of {resource.id} was reset and is saved, but then came {kind}"
        )
    return resource


def _text(error: BaseException) -> str:
    if isinstance(error, CancelledError):
        return f"{error}; {MAY_HAVE_CHANGED}"
    if isinstance(error, RotationError):
        return str(error)
    return f"unexpected {type(error).__name__}; {MAY_HAVE_CHANGED}"
