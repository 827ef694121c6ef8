"""Every error of this package, as one tree.

RotationError
├── ConfigurationError               credentials, address or trust store; raised before any request
├── InvalidInputError                an argument of a resource; raised before any request
├── DuplicateDeclarationError        a database that one program declares twice
├── PartialFailureError              an operation failed; the state must keep what is known
├── CancelledError                   the user has cancelled the run
└── ApiError                         a call to an HTTP API, such as the Developer API
    ├── RequestNotSentError          the request was not sent, so nothing has changed
    ├── UnreadableResponseError      a success whose body is not the documented JSON
    ├── IndeterminateOutcomeError    the request may have been sent; no response came
    └── ResponseStatusError          a response with an error status
        ├── AuthenticationError      401
        ├── PermissionDeniedError    403, or a read-only API key
        ├── DatabaseNotFoundError    404
        ├── RateLimitedError         429
        └── ServerError              5xx

A message is one line. It states what failed. After a request it also states whether the password
may have changed. It never holds a body, a header or a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class RotationError(Exception):
    """Root of all errors of this package. Users may see its text."""


class ConfigurationError(RotationError):
    """Credentials, the API's address or the trust store are missing or unusable."""


class InvalidInputError(RotationError):
    """An argument of a resource is not allowed.

    Attributes:
        argument: Name of the argument, as a program writes it.
    """

    def __init__(self, argument: str, reason: str) -> None:
        """Keep the argument's name and the reason."""
        super().__init__(reason)
        self.argument = argument

    def __str__(self) -> str:
        """Return the name and the reason as one text."""
        return f"{self.argument} {self.args[0]}"


class DuplicateDeclarationError(RotationError):
    """One program declares two resources that would revoke each other's credential."""


class PartialFailureError(RotationError):
    """An operation failed after it may have changed something. The state must keep the outputs.

    Attributes:
        id: Id of the resource.
        outputs: Outputs for the state, secrets in clear.
    """

    def __init__(self, message: str, id_: str, outputs: Mapping[str, Any]) -> None:
        """Keep the id and the outputs."""
        super().__init__(message)
        self.id = id_
        self.outputs = outputs


class CancelledError(RotationError):
    """The user has cancelled the run while a call waited."""

    def __init__(self) -> None:
        """Take the one text."""
        super().__init__("the run was cancelled")


class ApiError(RotationError):
    """A call to an HTTP API failed.

    Attributes:
        problem: What failed.
    """

    def __init__(self, problem: str, effect: str = "") -> None:
        """Join `problem` and `effect`, which states whether something may have changed."""
        super().__init__(f"{problem}; {effect}" if effect else problem)
        self.problem = problem


class RequestNotSentError(ApiError):
    """The request was not sent, so nothing has changed. For example, no connection was possible.

    Attributes:
        transient: Whether a retry can help. An untrusted certificate, for example, stays untrusted.
    """

    def __init__(self, problem: str, effect: str = "", *, transient: bool) -> None:
        """Keep `transient`."""
        super().__init__(problem, effect)
        self.transient = transient


class UnreadableResponseError(ApiError):
    """The API reported success with a body that is not the documented JSON.

    Attributes:
        received: The part of the body that came. It may hold the only copy of a credential, so no
            text shows it.
    """

    def __init__(self, problem: str, effect: str = "", *, received: bytes = b"") -> None:
        """Keep what came."""
        super().__init__(problem, effect)
        self.received = received


class IndeterminateOutcomeError(ApiError):
    """The request may have been sent, but no response came. The API may have applied it."""


class ResponseStatusError(ApiError):
    """The API responded with an error status.

    Attributes:
        status: HTTP status code.
        retry_after_seconds: Seconds in the response's Retry-After header. None without one.
    """

    def __init__(
        self,
        problem: str,
        effect: str = "",
        *,
        status: int,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Keep the status beside the text."""
        super().__init__(problem, effect)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class AuthenticationError(ResponseStatusError):
    """401: the API does not accept the e-mail and API key."""


class PermissionDeniedError(ResponseStatusError):
    """403, or a read-only API key used for a reset."""


class DatabaseNotFoundError(ResponseStatusError):
    """404 with JSON, as the API sends it: the account has no such database."""


class RateLimitedError(ResponseStatusError):
    """429: too many requests. The API did not process this one."""


class ServerError(ResponseStatusError):
    """5xx: the API failed, perhaps after it had applied the request."""
