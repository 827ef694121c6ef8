"""A stack whose program declares ACL users, each with a file as its consumer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
import redis

from pulumi_stack import PulumiError

from .assertions import connect
from .programs import write_program

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi_stack import Stack
    from upstash_emulator import AclUser, EmulatedDatabase, Emulator

RULES = ["~app:*", "+@read", "+@write", "+ping"]
PROGRAM = """
import json
from consumer import File
from pulumi_upstash_rotation import RedisAclUser

for name, case in json.load(open("users.json")).items():
    options = pulumi.ResourceOptions(
        aliases=[pulumi.Alias(name=alias) for alias in case["aliases"]]
    )
    user = RedisAclUser(name, options, **case["arguments"])
    if case["consumer"]:
        file = File(f"{name}-file", f"{name}.url", user.redis_url)
        if case["retires"]:
            user.retire_previous(after=[file], grace_seconds=case["grace_seconds"])
    outputs = ("token", "redis_url", "rest_url", "previous_token", "rotated_at", "rotation_count",
               "rotation_cause", "verified", "verification", "credential_fingerprint")
    pulumi.export(name, {each: getattr(user, each) for each in outputs})
"""
CONSUMER = '''
from pathlib import Path
import pulumi
from pulumi import dynamic

class FileProvider(dynamic.ResourceProvider):
    """Writes a text. It fails as long as there is a file of the same name with `.broken`."""

    def create(self, props):
        path = Path(props["path"])
        if Path(f"{path}.broken").exists():
            raise RuntimeError("the consumer fails")
        path.with_suffix(".new").write_text(props["text"])
        path.with_suffix(".new").replace(path)
        return dynamic.CreateResult(props["path"], props)

    def update(self, _id, _olds, news):
        return dynamic.UpdateResult(self.create(news).outs)

class File(dynamic.Resource, module="test", name="File"):
    text: pulumi.Output[str]

    def __init__(self, name, path, text):
        super().__init__(FileProvider(), name, {"path": path, "text": text})
'''


@dataclass
class _Case:
    database: EmulatedDatabase
    arguments: dict[str, Any]
    consumer: bool
    retires: bool
    grace_seconds: float
    aliases: list[str]


@dataclass
class Users:
    """ACL users that one program declares side by side.

    Attributes:
        stack: The program's stack.
        emulator: Where the databases are.
        tail: Text of the program after the users.
    """

    stack: Stack
    emulator: Emulator
    tail: str = ""
    _cases: dict[str, _Case] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.stack.project / "consumer.py").write_text(CONSUMER)

    def declare(
        self,
        name: str,
        database: EmulatedDatabase | None = None,
        *,
        consumer: bool = True,
        retires: bool = True,
        grace_seconds: float = 0,
        aliases: tuple[str, ...] = (),
        **arguments: Any,
    ) -> EmulatedDatabase:
        """Declare a user, or declare it differently. Return its database."""
        old = self._cases.get(name)
        database = database or (old.database if old else self.emulator.add_database(name))
        given = {"database_id": database.id, "username": name, "rules": RULES, **arguments}
        self._cases[name] = _Case(database, given, consumer, retires, grace_seconds, list(aliases))
        return database

    def database(self, name: str) -> EmulatedDatabase:
        """Return the database of a user."""
        return self._cases[name].database

    def change(self, name: str, **arguments: Any) -> None:
        """Change arguments of a user. None removes one."""
        given = {**self._cases[name].arguments, **arguments}
        self._cases[name].arguments = {key: each for key, each in given.items() if each is not None}

    def retire(self, name: str, *, retires: bool) -> None:
        """Declare a retirement of a user's earlier tokens, or take it out of the program."""
        self._cases[name].retires = retires

    def rotate(self, *names: str) -> None:
        """Make a rotation of these users due, of all without a name."""
        for name in names or self._cases:
            triggers = self._cases[name].arguments.get("triggers", {"number": 0})
            self.change(name, triggers={"number": triggers["number"] + 1})

    def withdraw(self, name: str) -> None:
        """Take a user out of the program."""
        del self._cases[name]

    def write(self) -> None:
        """Write what the program declares."""
        write_program(self.stack.project, PROGRAM + self.tail)
        cases = {
            name: {key: value for key, value in vars(case).items() if key != "database"}
            for name, case in self._cases.items()
        }
        (self.stack.project / "users.json").write_text(json.dumps(cases))

    def run(self, command: str, *arguments: str) -> str:
        """Run a command on the program as it is declared. Return what it shows."""
        self.write()
        text: str = getattr(self.stack, command)(*arguments)
        return text

    def failing(self, command: str, *arguments: str) -> str:
        """Run a command that has to fail. Return what it shows."""
        self.write()
        with pytest.raises(PulumiError) as raised:
            getattr(self.stack, command)(*arguments)
        return str(raised.value)

    def out(self, name: str) -> dict[str, Any]:
        """Return the outputs of a user, secrets in clear."""
        outputs: dict[str, Any] = self.stack.outputs()[name]
        return outputs

    def file(self, name: str) -> Path:
        """Return the file of a user's consumer."""
        return self.stack.project / f"{name}.url"

    def break_consumer(self, name: str, *, broken: bool = True) -> None:
        """Let a consumer fail from now on, or succeed again."""
        mark = self.stack.project / f"{name}.url.broken"
        mark.touch() if broken else mark.unlink(missing_ok=True)

    def user(self, name: str) -> AclUser | None:
        """Return the user as the database has it."""
        case = self._cases[name]
        return case.database.user(case.arguments["username"])

    def tokens(self, name: str) -> tuple[str, ...]:
        """Return the live tokens that the database knows, the oldest first."""
        user = self.user(name)
        return user.tokens if user else ()

    def held(self, name: str) -> str:
        """Return the token in the file of the consumer."""
        return unquote(urlsplit(self.file(name).read_text()).password or "")

    def opens(self, name: str, token: str) -> bool:
        """Return whether Redis accepts a token."""
        case = self._cases[name]
        username = case.arguments["username"]
        url = f"rediss://{username}:{token}@127.0.0.1:{case.database.port}"
        with connect(url, self.emulator) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return False

    def assert_served(self, *names: str) -> None:
        """The consumer of each user holds its only token, and the token works."""
        for name in names:
            assert self.tokens(name) == (self.held(name),), name
            assert self.opens(name, self.held(name)), name
