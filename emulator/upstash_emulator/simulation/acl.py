"""`AclUsers`: the ACL commands and the ACL users of one database, as Upstash has them.

The users live in the real server. It also checks their passwords and permissions.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from upstash_emulator.acl_user import AclUser
from upstash_emulator.redis_processes.backend import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from upstash_emulator.redis_processes.backend import Backend, Command

_PROTECTED: Final = ("default", "default_ro")
"""The users of the database's own credentials, which no ACL command changes."""
_RULE: Final = re.compile(
    r"on|off|resetpass|allkeys|resetkeys|allchannels|resetchannels|allcommands|nocommands|reset"
    r"|[><]\S+|![0-9a-f]{64}|[~&]\S*|[+-]@?[\w.-]+"
)
"""The rules that Upstash documents. Redis accepts more."""
_REFUSED: Final = (
    ("nopass", "every user needs a password"),
    ("#", "passwords must be added with >token"),
    ("+", "rules for subcommands are not supported"),
    ("-", "rules for subcommands are not supported"),
    ("(", "selectors are not supported"),
)
"""Beginnings of rules that Redis accepts and Upstash rejects, and the reasons."""
_LEAST_ENTROPY_BITS: Final = 60
_TOKEN_LENGTH: Final = 123


class AclUsers:
    """The ACL users of one database, and the ACL commands of its Standard token.

    Each user has a hidden twin in the server. The twin has the rules that clients have set, and
    `ACL GETUSER` shows it. The user itself also has the rule `-@admin`, so that no client can
    administer the emulator's server. Both change in one transaction.
    """

    def __init__(self, backend: Backend) -> None:
        """Start without users."""
        self._backend = backend
        self._twin_prefix = f"{secrets.token_hex(16)}:"  # no client can guess the name of a twin
        self._logins: dict[str, tuple[str, str]] = {}
        self._wrapped: dict[str, str] = {}

    def login(self, token: str) -> tuple[str, str] | None:
        """Return the user and the password of a REST token. The server knows if they are valid."""
        return self._logins.get(token)

    async def run(  # noqa: C901, PLR0911 - a case for each subcommand
        self,
        command: Command,
        *,
        removal_disconnects: bool = False,
        digests_are_of_tokens: bool = True,
    ) -> Any:  # noqa: ANN401 - any reply
        """Run an ACL command with the permissions of the Standard token.

        Args:
            command: The command, which starts with `ACL`.
            removal_disconnects: Whether a user whose password is removed loses its connections.
            digests_are_of_tokens: Whether clients know a password by the SHA-256 digest of the
                token. Otherwise they know it by another one.

        Raises:
            CommandError: The command was rejected, and nothing has changed.
            EmulatorError: The server has ended.
        """
        shown: Callable[[str], str] = str if digests_are_of_tokens else _other_digest
        _, *arguments = (argument.decode(errors="replace") for argument in command)
        match [argument.upper() for argument in arguments[:1]] + arguments[1:]:
            case ["GENTOKEN", user, *password] if len(password) <= 1:
                return await self._generate(user, *password)
            case ["RESTTOKEN", user, password]:
                return await self._rest_token(user, password)
            case ["SETUSER", user, *rules]:
                return await self._set(user, rules, shown, removal_disconnects=removal_disconnects)
            case ["GETUSER", user]:
                return _as_reply(await self._read(user), shown)
            case ["DELUSER", *users] if users:
                return await self._delete(users)
            case ["LIST"]:
                return [_as_line(user, shown).encode() for user in await self._read_all()]
            case ["USERS"]:
                return [name.encode() for name in await self._names()]
            case ["WHOAMI"]:
                return b"default"
            case ["LOAD" | "SAVE"] | ["LOG", "RESET" | "reset"]:
                return b"OK"
            case ["LOG"] | ["LOG", _]:
                return []
            case ["CAT" | "GENPASS" as subcommand, *rest] if len(rest) <= 1:
                return await self._server(subcommand, *rest)
        name = arguments[0] if arguments else ""
        raise CommandError(
            f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try ACL HELP."
        )

    async def users(self) -> list[AclUser]:
        """Return all ACL users, without those of the database's own credentials."""
        return [user for user in await self._read_all() if user.name not in _PROTECTED]

    async def drop_tokens(self) -> None:
        """Remove every password of every ACL user, and cut off the users' clients."""
        if self._logins:
            for user in await self.users():
                await self._change(user.name, ["resetpass"])
                await self._disconnect(user.name)

    def forget(self) -> None:
        """Forget every token, after the server has lost its ACL users."""
        self._logins.clear()
        self._wrapped.clear()

    async def _generate(self, user: str, password: str | None = None) -> bytes:
        generated = await self._server("GENPASS")  # without a server there are no ACL users
        if password is not None and _entropy_bits(password) < _LEAST_ENTROPY_BITS:
            raise CommandError(
                "ERR insecure password, try including more kinds of characters or "
                "using a longer password"
            )
        token = _new_token()
        self._logins[token] = (user, token)
        self._wrapped[token] = generated.decode() if password is None else password
        return token.encode()

    async def _rest_token(self, user: str, password: str) -> bytes:
        tokens = [token for token, wrapped in self._wrapped.items() if wrapped == password]
        for secret in (password, *(each for each in tokens if self._logins[each][0] == user)):
            try:
                await self._backend.execute(user, secret, [[b"PING"]], atomic=False)
            except CommandError:
                continue
            token = _new_token()
            self._logins[token] = (user, secret)
            return token.encode()
        raise CommandError(f'ERR Wrong password or user "{user}" does not exist')

    async def _set(
        self,
        user: str,
        rules: Sequence[str],
        shown: Callable[[str], str],
        *,
        removal_disconnects: bool,
    ) -> bytes:
        if user in _PROTECTED:
            raise CommandError(f"ERR The '{user}' user cannot be modified")
        for rule in rules:
            self._check(user, rule)
        before = await self._read(user) if removal_disconnects else None
        known = [f"!{shown(rule[1:])}" if rule.startswith("!") else rule for rule in rules]
        try:
            await self._change(user, known)
        except CommandError as error:
            text = re.sub("(?<=modifier '!)[0-9a-f]+", lambda digest: shown(digest[0]), str(error))
            raise CommandError(text) from None
        after = await self._read(user) if before else None
        if before and after and {*before.passwords} - {*after.passwords}:
            await self._disconnect(user)
        return b"OK"

    def _check(self, user: str, rule: str) -> None:
        """Reject a rule that Upstash rejects. The server checks the rest."""
        reason = None
        if not _RULE.fullmatch(rule):
            found = (reason for start, reason in _REFUSED if rule.startswith(start))
            reason = "Syntax error" if re.search(r"\s", rule) else next(found, "Syntax error")
        elif rule.startswith(">") and self._logins.get(rule[1:]) != (user, rule[1:]):
            reason = "the password must be generated with ACL GENTOKEN for this user"
        if reason is not None:
            raise CommandError(f"ERR Error in ACL SETUSER modifier '{rule}': {reason}")

    async def _change(self, user: str, rules: Sequence[str]) -> None:
        await self._backend.administer(
            ("ACL", "SETUSER", user, *rules, "-@admin"),
            ("ACL", "SETUSER", self._twin_prefix + user, *rules),
        )

    async def _disconnect(self, user: str) -> None:
        await self._backend.administer(("CLIENT", "KILL", "USER", user))

    async def _delete(self, names: Sequence[str]) -> int:
        for name in names:
            if name in _PROTECTED:
                raise CommandError(f"ERR The '{name}' user cannot be removed")
        twins = (self._twin_prefix + name for name in names)
        deleted: int = await self._server("DELUSER", *names, *twins)
        return deleted // 2

    async def _names(self) -> list[str]:
        names = [name.decode() for name in await self._server("USERS")]
        twins = [name for name in names if name.startswith(self._twin_prefix)]
        return [*_PROTECTED, *sorted(name.removeprefix(self._twin_prefix) for name in twins)]

    async def _read_all(self) -> list[AclUser]:
        users = [await self._read(name) for name in await self._names()]
        return [user for user in users if user is not None]

    async def _read(self, name: str) -> AclUser | None:
        shown = name if name in _PROTECTED else self._twin_prefix + name
        reply = await self._server("GETUSER", shown)
        if reply is None:
            return None
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        passwords = tuple(digest.decode() for digest in fields[b"passwords"])
        commands = fields[b"commands"].decode()
        return AclUser(
            name=name,
            enabled=b"on" in fields[b"flags"],
            tokens=tuple(token for token in self._wrapped if _digest(token) in passwords),
            passwords=passwords,
            commands="+@all" if name == "default" else commands,
            keys=_patterns(fields[b"keys"]),
            channels=_patterns(fields[b"channels"]),
        )

    async def _server(self, *arguments: str) -> Any:  # noqa: ANN401 - any reply
        (reply,) = await self._backend.administer(("ACL", *arguments))
        return reply


def _as_reply(user: AclUser | None, shown: Callable[[str], str]) -> list[Any] | None:
    """Return a user as the reply to `ACL GETUSER`. None for a user that does not exist."""
    if user is None:
        return None
    fields = {
        "flags": _flags(user),
        "passwords": [shown(digest) for digest in user.passwords],
        "commands": user.commands,
        "keys": user.keys,
        "channels": user.channels,
    }
    reply: list[Any] = []
    for name, value in fields.items():
        encoded = value.encode() if isinstance(value, str) else [item.encode() for item in value]
        reply += [name.encode(), encoded]
    return reply


def _flags(user: AclUser) -> list[str]:
    all_of = {"allkeys": "*" in user.keys, "allchannels": "*" in user.channels}
    all_of["allcommands"] = user.commands == "+@all"
    return ["on" if user.enabled else "off", *(flag for flag, present in all_of.items() if present)]


def _as_line(user: AclUser, shown: Callable[[str], str]) -> str:
    """Return a user as a line of `ACL LIST`."""
    return " ".join(
        [
            "user",
            user.name,
            "on" if user.enabled else "off",
            *(f"#{shown(digest)}" for digest in user.passwords),
            *(f"~{pattern}" for pattern in user.keys),
            *(f"&{pattern}" for pattern in user.channels),
            user.commands,
        ]
    )


def _patterns(value: bytes | list[bytes]) -> tuple[str, ...]:
    """Return patterns without their sign. Redis 6.2 has a list without it, newer ones a text."""
    if isinstance(value, bytes):
        return tuple(pattern[1:].decode() for pattern in value.split())
    return tuple(pattern.decode() for pattern in value)


def _new_token() -> str:
    return f"gwAAAA{secrets.token_urlsafe(_TOKEN_LENGTH)}"[:_TOKEN_LENGTH]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _other_digest(digest: str) -> str:
    """Return a digest that is not that of the token. From that one it returns the first one."""
    return digest[::-1]


def _entropy_bits(password: str) -> float:
    """Return a rough estimate of a password's entropy."""
    return len(password) * math.log2(max(1, len(set(password))))
