"""The ways in which the emulator refuses."""

from __future__ import annotations


class EmulatorError(Exception):
    """The emulator itself cannot do what was asked; the text says why, on one line."""


class ApiProblem(EmulatorError):  # noqa: N818 - an answer of the imitated API
    """An error status of the Developer API.

    Attributes:
        status: HTTP status code.
    """

    def __init__(self, status: int, message: str) -> None:
        """Keep the status beside the message that the answer carries."""
        super().__init__(message)
        self.status = status
