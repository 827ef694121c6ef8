"""The ACL users of one database, in memory, behind the provider's own REST client."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    IndeterminateOutcomeError,
)
from pulumi_upstash_rotation.upstash.redis_rest import RedisRest

from .payloads import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_upstash_rotation.http.client import Report, Request

REST_URL: Final = "https://beloved-stallion-58500.upstash.io"
"""Of the documented database."""


def token_canary(number: int) -> str:
    """Return the token that an account makes as its nth one."""
    return f"gwAAAA-canary-{number}"


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def other_digest(token: str) -> str:
    """Return another digest, as Upstash may show it. Nothing says which one it is."""
    return sha256(f"wrapped {token}")


@dataclass
class ScriptedUser:
    """One user.

    Attributes:
        tokens: Its live tokens, the oldest first.
        rules: Its rules, as they were set.
    """

    tokens: list[str] = field(default_factory=list)
    rules: tuple[str, ...] = ()


class ScriptedAcl:
    """The ACL of one database. Its REST API responds as Upstash documents it.

    A command of several rules is applied as a whole or not at all. The removal of a token that is
    not there is an error, and so is a token that no `ACL GENTOKEN` has made. The error's text has
    the rule, as Redis writes it.

    Args:
        users: The live tokens of each user that exists.
        made: Number of tokens that exist already. Their names count from 1.
        faults: What happens to the next requests, in turn. `before`: it fails, and nothing is
            applied. `after`: it is applied, and no response comes. `twice`: it is applied, no
            response comes, and the client repeats it. None: nothing. A callable replaces the
            replies.
        digest: What `ACL GETUSER` shows for a token.

    Attributes:
        commands: All commands so far.
        on_change: Called after each command.
        standard_token: The token that requests must have.
    """

    def __init__(
        self,
        users: Mapping[str, Iterable[str]] | None = None,
        *,
        made: int = 0,
        faults: Iterable[Any] = (),
        digest: Callable[[str], str] = sha256,
    ) -> None:
        self.users = {name: ScriptedUser(list(tokens)) for name, tokens in (users or {}).items()}
        self.made = {token_canary(number + 1) for number in range(made)}
        self.faults = list(faults)
        self.digest = digest
        self.commands: list[tuple[str, ...]] = []
        self.on_change: Callable[[], object] = lambda: None
        self.standard_token = CREDENTIALS["rest_token"]

    def live(self, user: str = "app") -> list[str]:
        """Return the live tokens of a user."""
        return list(self.users[user].tokens) if user in self.users else []

    def accepts(self, token: str, user: str | None = None) -> bool:
        """Return whether a token is live."""
        users = self.users if user is None else [user]
        return any(token in self.live(each) for each in users)

    def open(
        self, base_url: str, token: str, report: Report, record: Callable[[str], object]
    ) -> RedisRest:
        """Return the provider's own client, whose requests come here.

        Args:
            base_url: As for `RedisRest`.
            token: Likewise.
            report: Likewise.
            record: Takes the names of the commands of each request.
        """
        assert base_url == REST_URL
        rest = RedisRest.__new__(RedisRest)
        vars(rest).update(_token=token, _report=report, _client=_Client(self, token, record))
        return rest

    def respond(self, request: Request, token: str) -> bytes:
        """Return the body of a response to a request with a token."""
        commands = [tuple(command) for command in request.json]
        fault = self.faults.pop(0) if self.faults else None
        if token != self.standard_token:
            raise AuthenticationError(f"{request.attempt}: rejected the token (401)", status=401)
        if fault == "before":
            raise ApiError(f"cannot {request.attempt}: it failed", request.if_not_applied)
        for _ in range(2 if fault == "twice" else 1):
            replies: Any = [self._run(command) for command in commands]
        if fault == "after":
            problem = f"cannot {request.attempt}: no response came"
            raise IndeterminateOutcomeError(problem, request.if_maybe_applied)
        if callable(fault):
            replies = fault(replies)
        return json.dumps(replies).encode()

    def _run(self, command: tuple[str, ...]) -> dict[str, Any]:
        self.commands.append(command)
        try:
            return {"result": self._reply(*command)}
        except ValueError as error:
            return {"error": f"ERR {error}"}
        finally:
            self.on_change()

    def _reply(self, acl: str, subcommand: str, name: str, *rules: str) -> Any:
        assert acl == "ACL"
        match subcommand:
            case "GENTOKEN":
                token = token_canary(len(self.made) + 1)
                self.made.add(token)
                return token
            case "SETUSER":
                self.users[name] = self._changed(self.users.get(name, ScriptedUser()), rules)
                return "OK"
            case "GETUSER":
                return self._shown(self.users.get(name))
            case "DELUSER":
                return int(self.users.pop(name, None) is not None)
        raise AssertionError(subcommand)

    def _changed(self, user: ScriptedUser, rules: Iterable[str]) -> ScriptedUser:
        tokens, kept = list(user.tokens), list(user.rules)
        for rule in rules:
            token = rule[1:]
            if rule.startswith(">"):
                if token not in self.made:
                    raise ValueError(f"Error in ACL SETUSER modifier '{rule}': Syntax error")
                tokens += [] if token in tokens else [token]
            elif rule.startswith("<"):
                if token not in tokens:
                    raise ValueError(f"Error in ACL SETUSER modifier '{rule}': no such password")
                tokens.remove(token)
            elif rule in {"resetkeys", "resetchannels", "nocommands"}:
                kept = []
            elif rule != "on":
                kept.append(rule)
        return ScriptedUser(tokens, tuple(kept))

    def _shown(self, user: ScriptedUser | None) -> list[Any] | None:
        if user is None:
            return None
        fields = {
            "flags": ["on"],
            "passwords": [self.digest(token) for token in user.tokens],
            "commands": " ".join(["-@all", *(rule for rule in user.rules if rule[0] in "+-")]),
            "keys": [rule[1:] for rule in user.rules if rule.startswith("~")],
            "channels": [rule[1:] for rule in user.rules if rule.startswith("&")],
        }
        return [part for item in fields.items() for part in item]


class _Client:
    """Stands for the HTTP client of `RedisRest`."""

    def __init__(self, acl: ScriptedAcl, token: str, record: Callable[[str], object]) -> None:
        self._acl = acl
        self._token = token
        self._record = record

    def send(self, request: Request, _report: Report) -> bytes:
        assert (request.method, request.path) == ("POST", "/pipeline")
        assert request.json
        self._record(", ".join(" ".join(command[:2]).lower() for command in request.json))
        return self._acl.respond(request, self._token)

    def close(self) -> None:
        """There is nothing to close."""
