"""Everything that can go wrong, as one tree.

RotationError
├── ConfigurationError             found before any request was sent
├── InvalidInputError              an argument of the resource; found before any request was sent
└── ApiError                       a call to the Upstash Developer API
    ├── ApiConnectionError         the request never left: nothing has changed
    ├── ApiContractError           a success whose body is not what the API documents
    ├── ApiOutcomeUnknownError     the request left, no readable answer came back
    └── ApiStatusError             an answer with an error status
        ├── AuthenticationError    401
        ├── PermissionDeniedError  403, or a read-only API key
        ├── DatabaseNotFoundError  404
        ├── RateLimitError         429
        └── ServerError            5xx

A message is one line for a person: what failed, whether the password may have changed, what to do
next. It never holds a body, a header or a credential.
"""

from __future__ import annotations


class RotationError(Exception):
    """Root of all errors of this package; its text is fit to be shown to a person."""


class ConfigurationError(RotationError):
    """Credentials or the API's address are missing or unusable; nothing was sent."""


class InvalidInputError(RotationError):
    """An argument of the resource is not allowed; nothing was sent.

    Attributes:
        argument: Name of the argument, as a program writes it.
    """

    def __init__(self, argument: str, reason: str) -> None:
        """Name the argument and say what is allowed."""
        super().__init__(reason)
        self.argument = argument


class ApiError(RotationError):
    """A call to the Upstash Developer API failed.

    Attributes:
        problem: What failed.
    """

    def __init__(self, problem: str, effect: str = "") -> None:
        """Say what failed and, in `effect`, what that means for the password."""
        super().__init__(f"{problem}; {effect}" if effect else problem)
        self.problem = problem


class ApiConnectionError(ApiError):
    """No connection could be made, so the request was never sent and nothing has changed.

    Attributes:
        passing: Whether it may pass by itself, unlike a certificate that is not trusted.
    """

    def __init__(self, problem: str, effect: str = "", *, passing: bool) -> None:
        """Keep whether trying again can help."""
        super().__init__(problem, effect)
        self.passing = passing


class ApiContractError(ApiError):
    """The API reported success with a body that is not the documented JSON object."""


class ApiOutcomeUnknownError(ApiError):
    """The request was sent and no readable answer came back; it may have been applied."""


class ApiStatusError(ApiError):
    """The API answered with an error status.

    Attributes:
        status: HTTP status code.
        retry_after_seconds: What the answer's Retry-After header asks for, where it came.
    """

    def __init__(
        self,
        problem: str,
        effect: str = "",
        *,
        status: int,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Keep the status beside the text, for whoever decides what happens next."""
        super().__init__(problem, effect)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class AuthenticationError(ApiStatusError):
    """401: the e-mail and API key are not accepted."""


class PermissionDeniedError(ApiStatusError):
    """403, or a read-only API key used for a reset."""


class DatabaseNotFoundError(ApiStatusError):
    """404: the account has no such database."""


class RateLimitError(ApiStatusError):
    """429: too many requests; the API did not look at this one."""


class ServerError(ApiStatusError):
    """5xx: the API failed, possibly after it had applied the request."""
