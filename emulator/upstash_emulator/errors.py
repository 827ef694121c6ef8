"""The errors of the emulator."""

from __future__ import annotations


class EmulatorError(Exception):
    """The emulator cannot do an operation. The message is one line with the reason."""


class RejectedError(EmulatorError):
    """The imitated API rejects a request.

    Attributes:
        status: HTTP status code of the response.
    """

    def __init__(self, status: int, message: str) -> None:
        """Keep the status beside the message that the response carries."""
        super().__init__(message)
        self.status = status
