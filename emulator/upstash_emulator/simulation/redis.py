"""`RedisDatabase`: one Redis database, its credentials, and the rules of a reset."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from upstash_emulator.errors import EmulatorError, RejectedError
from upstash_emulator.faults import NO_FAULT
from upstash_emulator.redis_processes.backend import RedisUser

from .acl import AclUsers

if TYPE_CHECKING:
    from upstash_emulator.faults import Fault
    from upstash_emulator.redis_processes.backend import Backend

DatabaseState = Literal["active", "suspended"]

_DEFAULT_RULES: Final = "~* &* +@all -@admin +client|id +client|getname +client|setname +acl|whoami"
_READ_ONLY_RULES: Final = "~* &* -@all +@read -keys -scan +ping +echo +client|id +client|setname"
"""The read-only user cannot list keys."""


@dataclass(frozen=True)
class Credentials:
    """The credentials of one database. A reset replaces all three.

    Attributes:
        password: Password of the Redis user `default`.
        rest_token: Standard REST token; another password of `default`.
        read_only_rest_token: Read-only REST token; password of the Redis user `default_ro`.
    """

    password: str = field(repr=False)
    rest_token: str = field(repr=False)
    read_only_rest_token: str = field(repr=False)

    @classmethod
    def generate(cls) -> Credentials:
        """Return new random credentials."""
        return cls(
            password=secrets.token_hex(20),
            rest_token=f"A{secrets.token_urlsafe(44)}",
            read_only_rest_token=f"B{secrets.token_urlsafe(44)}",
        )

    def as_json(self) -> dict[str, str]:
        """Return the credentials under the API's field names."""
        return {
            "password": self.password,
            "rest_token": self.rest_token,
            "read_only_rest_token": self.read_only_rest_token,
        }

    def redis_users(self) -> list[RedisUser]:
        """Return the Redis users of these credentials, with their permissions."""
        return [
            RedisUser("default", (self.password, self.rest_token), _DEFAULT_RULES),
            RedisUser("default_ro", (self.read_only_rest_token,), _READ_ONLY_RULES),
        ]

    def user_of(self, token: str) -> str | None:
        """Return the Redis user of a REST token. None for any other token."""
        if token == self.rest_token:
            return "default"
        return "default_ro" if token == self.read_only_rest_token else None


@dataclass
class _Coming:
    """Credentials that reads do not return yet.

    Attributes:
        credentials: These.
        reads: After so many further reads they do.
        visible_at: Not before this time, by the loop's clock.
    """

    credentials: Credentials
    reads: int
    visible_at: float


@dataclass(eq=False)
class RedisDatabase:
    """One Redis database.

    Attributes:
        name: Its name.
        tls: Whether Redis clients must use TLS.
        endpoint: Host and port of its REST API.
        backend: Its data.
        credentials: The credentials of the last reset.
        database_id: Its id, a UUID.
        owner: E-mail of the account that it belongs to.
        credential_protection: Whether only the response to a reset has credentials.
        state: `active` or `suspended`. The API rejects resets of suspended databases.
        resets: Number of resets.
        created_at: Creation time, in Unix seconds.
        accepted: The credentials that Redis and REST accept. While a reset propagates, these are
            the previous ones.
        acl: Its ACL users.
    """

    name: str
    tls: bool
    endpoint: str
    backend: Backend = field(repr=False)
    credentials: Credentials = field(repr=False)
    database_id: str
    owner: str
    credential_protection: bool = False
    state: DatabaseState = "active"
    resets: int = 0
    created_at: int = field(default_factory=lambda: int(time.time()))
    accepted: Credentials = field(init=False, repr=False)
    acl: AclUsers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Accept the first credentials."""
        self.accepted = self.credentials
        self.acl = AclUsers(self.backend)
        self._changing = asyncio.Lock()
        self._propagation: asyncio.Task[None] | None = None
        self._visible = self.credentials
        self._coming: list[_Coming] = []

    def read_credentials(self) -> Credentials:
        """Return the credentials that this read of the Developer API returns, and count it.

        They are earlier ones as long as a fault makes reads stale.
        """
        now = asyncio.get_running_loop().time()
        while self._coming and self._coming[0].reads <= 0 and now >= self._coming[0].visible_at:
            self._visible = self._coming.pop(0).credentials
        for coming in self._coming:
            coming.reads -= 1
        return self._visible

    def login(self, token: str) -> tuple[str, str] | None:
        """Return the Redis user and the password of a REST token. None for an unknown token.

        Only the server knows whether the token of an ACL user is still valid.
        """
        user, secret = self.acl.login(token) or (self.accepted.user_of(token), token)
        retired = user == "default" and secret not in (
            self.accepted.password,
            self.accepted.rest_token,
        )
        return None if user is None or retired else (user, secret)

    async def reset(self, fault: Fault = NO_FAULT, *, spares_acl_users: bool = True) -> None:
        """Replace all credentials.

        Args:
            fault: May delay when Redis, REST and reads of the Developer API follow.
            spares_acl_users: Whether the tokens of ACL users stay valid.

        Raises:
            RejectedError: The database is suspended.
            EmulatorError: Its redis-server has ended.
        """
        if self.state == "suspended":
            raise RejectedError(
                400, f"database {self.name} is suspended; its password cannot be reset"
            )
        async with self._changing:
            await self._cancel_propagation()
            credentials = Credentials.generate()
            if fault.propagation_seconds:
                self._propagation = asyncio.create_task(
                    self._accept_only(
                        credentials,
                        spares_acl_users=spares_acl_users,
                        after_seconds=fault.propagation_seconds,
                    )
                )
            else:
                await self._accept_only(credentials, spares_acl_users=spares_acl_users)
            self._show(credentials, fault)
            self.credentials = credentials
            self.resets += 1

    async def restore(self) -> bool:
        """Restore the state of a new database. Return False if the backend has ended."""
        try:
            async with self._changing:
                await self._cancel_propagation()
                await self._accept_only(self.credentials)
            await self.backend.bring_online()
            await self.backend.wipe()
            self.acl.forget()
        except EmulatorError:
            return False
        self.state = "active"
        self.credential_protection = False
        self._show(self.credentials, NO_FAULT)
        return True

    async def stop(self) -> None:
        """Leave nothing behind."""
        await self._cancel_propagation()
        await self.backend.stop()

    def _show(self, credentials: Credentials, fault: Fault) -> None:
        """Let reads return credentials at once, or later and after those of earlier resets."""
        if fault.stale_reads > 0 or fault.stale_seconds > 0:
            visible_at = asyncio.get_running_loop().time() + fault.stale_seconds
            self._coming.append(_Coming(credentials, fault.stale_reads, visible_at))
        else:
            self._visible = credentials
            self._coming.clear()

    async def _accept_only(
        self,
        credentials: Credentials,
        *,
        spares_acl_users: bool = True,
        after_seconds: float = 0.0,
    ) -> None:
        await asyncio.sleep(after_seconds)
        if not spares_acl_users:
            await self.acl.drop_tokens()
        await self.backend.accept_only(credentials.redis_users())
        self.accepted = credentials

    async def _cancel_propagation(self) -> None:
        if self._propagation is not None:
            self._propagation.cancel()
            with suppress(asyncio.CancelledError):
                await self._propagation
            self._propagation = None
