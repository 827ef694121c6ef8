"""`EmulatedAccount`: another account of the emulator, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class EmulatedAccount:
    """An account that `Emulator.add_account` has added.

    Attributes:
        email: User name of the Developer API.
        api_key: Password of the Developer API.
        environment: The environment variables that point a program at this account.
    """

    email: str
    api_key: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
