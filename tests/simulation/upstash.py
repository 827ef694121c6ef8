"""A model of Upstash: its Developer API at the level of HTTP, and the data plane of its databases.

The real `DeveloperApi` and the real `HttpClient` run on it. Only the session below them is fake.
Each password says which one it is, so that the judge can compare their order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http.client import IncompleteRead
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import requests
from typing_extensions import Self
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import NewConnectionError, ProtocolError

from pulumi_upstash_rotation.http import wire
from pulumi_upstash_rotation.http.authentication import basic
from pulumi_upstash_rotation.http.client import HttpClient
from pulumi_upstash_rotation.http.rate_limit import RateLimit
from pulumi_upstash_rotation.upstash.account import Account
from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi, rejection
from pulumi_upstash_rotation.values import Verification

from ..support.account import never
from .plan import Fault, Foreign, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pulumi_upstash_rotation.http.client import Request
    from pulumi_upstash_rotation.upstash.credentials import Credentials
    from pulumi_upstash_rotation.upstash.database import Database

CANARY: Final = "canary" * 10
"""Every secret holds this text, and nothing else does. It is as long as a password of Upstash,
because the search for shown credentials takes longer for short ones."""
MASK: Final = "********"
DATABASES: Final = (
    "96ad0856-03b1-4ee7-9666-e81abd0349e1",
    "4b244015-9938-4dce-a318-2453c7db5e71",
    "0c3f7a54-5cf4-4d2c-9d3f-6a1d3b3f4e9d",
)
"""Two of our account, and one of another account."""
OURS: Final = "developer@example.com"
THEIRS: Final = "other@example.com"
PAGE: Final = b"<html><body>This page does not exist</body></html>"
API_URL: Final = "https://api.upstash.com"
DRIP_SECONDS: Final = 20.0
"""The time between two pieces of a response that drips: less than the timeout of one read."""
DRIP_BYTES: Final = 2
READ_TIMEOUT_SECONDS: Final = 60.0


class ProcessKilledError(BaseException):
    """The process is dead. Nothing that it still does has an effect."""


@dataclass(frozen=True)
class Call:
    """A request that arrived, or an attempt to.

    Attributes:
        operation: `reset`, `get` or `list`.
        database: Number of the database.
        applied: Number of the password that a reset made. None if nothing changed.
        shown: Number of the password that the response shows in a form that can be read. None
            without one.
        live: Number of the live password after the request.
        success: The response has a success status, so a reset was applied for certain.
        fault: What went wrong, in words.
        sent: The request reached the API.
    """

    operation: str
    database: int
    applied: int | None
    shown: int | None
    live: int
    success: bool
    fault: str
    sent: bool
    at: float


@dataclass
class World:
    """The API and the data plane, and their clock.

    Attributes:
        reset_shows: Whether the response to a reset holds the credentials.
        reads: Whether reads show, hide or mask them.
        origins: For each database, who made each of its passwords. The last one is live.
        exists: Whether each database exists.
        seconds: The virtual time.
        step: The faults and conditions of the command that runs.
        calls: All requests so far.
        hits: Faults and kills that hit something.
        dead: The provider's process has been killed.
        requests: Number of requests in this command.
        verified: For each verification, whether it could tell.
        lines: Severity and text of each line for users.
        actor: Who resets.
        foreign: The exception that the plan still has.
        at_first: Numbers of the passwords that were live when the command began.
        mistakes: Exceptions of the model itself.
        longest_attempt: The longest time of one request and its response, in seconds.
        longest_request: The same, with all retries and the waits between them.
    """

    reset_shows: bool = False
    reads: str = "shown"
    origins: list[list[str]] = field(default_factory=lambda: [["before"], ["before"], ["theirs"]])
    exists: list[bool] = field(default_factory=lambda: [True, True, True])
    seconds: float = 0.0
    step: Step = field(default_factory=Step)
    calls: list[Call] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    dead: bool = False
    requests: int = 0
    verified: list[bool] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    actor: str = "ours"
    foreign: Foreign | None = None
    at_first: list[int] = field(default_factory=lambda: [0, 0, 0])
    mistakes: list[str] = field(default_factory=list)
    longest_attempt: float = 0.0
    longest_request: float = 0.0
    _queues: dict[str, Iterator[Fault]] = field(default_factory=dict)

    def begin(self, step: Step) -> None:
        """Let a command begin: its faults come in turn."""
        self.step, self.dead, self.requests = step, False, 0
        self.foreign = step.foreign
        self.at_first = [self.live(number) for number in range(len(DATABASES))]
        self._queues = {
            "reset": _in_turn(step.resets),
            "get": _in_turn(step.reads),
            "list": _in_turn(step.lists),
        }

    # --- time and death ---

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.alive()
        self.seconds += seconds
        self.strike("sleep")

    def virtual_time(self) -> AbstractContextManager[object]:
        """Let deadlines of the wire count the virtual time."""
        return patch.object(wire, "time", SimpleNamespace(monotonic=self.clock))

    def alive(self) -> None:
        if self.dead:
            raise ProcessKilledError

    def strike(self, at: str) -> None:
        """Raise the foreign exception that the plan has after this step."""
        foreign = self.foreign
        if foreign and foreign.step == at:
            self.foreign = None
            self.hits.append(f"{foreign.kind.__name__} after {at}")
            raise foreign.kind("an exception from nowhere")

    # --- databases ---

    def live(self, database: int) -> int:
        return len(self.origins[database]) - 1

    def reset(self, database: int, origin: str) -> int:
        self.origins[database].append(origin)
        return self.live(database)

    # --- HTTP ---

    def respond(self, method: str, url: str, user: str) -> Response:
        """Serve one request.

        Raises:
            requests.RequestException: The connection fails.
            ProcessKilledError: The provider dies.
        """
        self.alive()
        path = url.removeprefix(API_URL)
        operation, database = _route(method, path)
        kill = self.step.kill
        self.requests += 1
        struck = kill is not None and self.requests == kill.number
        if struck and kill and kill.moment == "request":
            self.dead = True
            self.hits.append("killed when a request arrives")
            raise ProcessKilledError
        fault = next(self._queues[operation], None)
        response = self._serve(operation, database, user, fault)
        if struck and kill and kill.moment == "response":
            self.dead = True
            self.hits.append("killed when a request was served")
            raise ProcessKilledError
        if isinstance(response, Exception):
            raise response
        return response

    def _serve(
        self, operation: str, database: int, user: str, fault: Fault | None
    ) -> Response | Exception:
        if fault:
            self.hits.append(f"{operation}: {fault.kind}")
        refused = self._refusal(operation, database, user)
        kind = fault.kind if fault else ""
        if kind == "not sent":
            self._note(operation, database, sent=False, fault="not sent")
            return _not_connected()
        if refused and (fault is None or kind in ("stale", "shape", "broken off", "drips")):
            self._note(operation, database, fault=f"status {refused.status_code}")
            return refused
        if operation == "list":
            return self._serve_list(user, fault)
        applied = None
        if operation == "reset" and not refused and (fault is None or fault.applied):
            applied = self.reset(database, self.actor)
        number = self.live(database)
        if kind == "stale" and fault and operation == "get":
            number = max(0, number - fault.by)
        shows = self.reset_shows if operation == "reset" else self.reads == "shown"
        body = database_body(database, number if shows else None)
        if not shows and operation == "get" and self.reads == "masked":
            body = database_body(database, number, masked=True)
        if self.step.condition == "a suspended database":
            body["state"] = "suspended"
        if fault is None or kind == "stale":
            self._note(operation, database, applied, number if shows else None, success=True)
            return Response(200, encode(body))
        words = str(fault)
        if kind == "closed":
            self._note(operation, database, applied, fault=words)
            return requests.ConnectionError(ProtocolError("Connection aborted."))
        if kind == "broken off":
            readable = number if shows and operation == "reset" else None
            self._note(operation, database, applied, readable, fault=words, success=not refused)
            return Response(200, encode(body)[:-20], broken=True)
        if kind == "drips":
            self._note(operation, database, applied, fault=words, success=not refused)
            return Response(200, encode(body), drips=self)
        if kind == "status":
            self._note(operation, database, applied, fault=words)
            return _error_response(fault)
        shape, readable = SHAPES[fault.shape]
        if operation == "get" and fault.shape == "cut off":
            readable = False  # a read can be repeated, so only a reset's response is salvaged
        visible = number if shows and readable else None
        self._note(operation, database, applied, visible, fault=words, success=True)
        return Response(200, shape(body, database))

    def _serve_list(self, user: str, fault: Fault | None) -> Response | Exception:
        words = str(fault) if fault else ""
        self._note("list", 0, fault=words, success=fault is None)
        mine = (0, 1) if user == OURS else (2,)
        listed = encode([database_body(each, None) for each in mine if self.exists[each]])
        if fault is None or fault.kind == "stale":
            return Response(200, listed)
        match fault.kind:
            case "closed":
                return requests.ConnectionError(ProtocolError("Connection aborted."))
            case "status":
                return _error_response(fault)
            case "broken off":
                return Response(200, b'[{"database_id": "', broken=True)
            case "drips":
                return Response(200, listed, drips=self)
        return Response(200, b"[]" if fault.shape == "empty" else b'{"not": "a list"}')

    def _refusal(self, operation: str, database: int, user: str) -> Response | None:
        """Return the response of an account that does not do what is asked."""
        condition = self.step.condition if self.actor == "ours" else "normal"
        if condition == "a proxy that responds 404 to everything":
            return Response(404, PAGE)
        if condition == "a key that is rejected":
            return Response(401, b"Unauthorized")
        if operation == "list":
            return None
        if not self.exists[database] or (user == OURS) != (database < 2):
            return Response(404, b'{"code":404,"message":"database not found"}')
        if condition == "a suspended database" and operation == "reset":
            return Response(400, b'"database is suspended"')
        return None

    def _note(
        self,
        operation: str,
        database: int,
        applied: int | None = None,
        shown: int | None = None,
        *,
        success: bool = False,
        fault: str = "",
        sent: bool = True,
    ) -> None:
        live = self.live(database)
        self.calls.append(
            Call(operation, database, applied, shown, live, success, fault, sent, self.seconds)
        )

    # --- data plane ---

    def verify(
        self, database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        """Log in as the probe does."""
        self.alive()
        self.strike("verify")
        condition = self.step.data_plane
        password = database.credentials.password
        number = DATABASES.index(database.database_id)
        if condition == "unreachable" or not password or not self.exists[number]:
            self.verified.append(False)
            self.seconds += timeout_seconds
            return Verification(verified=False, message="not verified: Redis was not reachable")
        live = self.live(number)
        if condition == "late" and live > self.at_first[number]:
            live = self.at_first[number]
            self.seconds += timeout_seconds
        self.verified.append(condition == "reachable")
        if index_of(password) == live:
            return Verification(verified=True, message="Redis accepts the new password")
        message = "Redis does not accept the new password"
        return Verification(verified=False, message=message, rejected=True)


class Response:
    """The part of `requests.Response` that the HTTP client uses. The wire's reader bounds it.

    A response that drips sends its body in pieces, each within the time of one read.
    """

    def __init__(
        self,
        status: int,
        body: bytes,
        *,
        broken: bool = False,
        drips: World | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status_code = status
        self.headers = HTTPHeaderDict(headers or {"Content-Type": "application/json"})
        self.raw = self
        self._broken = broken
        # Nobody else has a socket that ends or waits. So only the interface that is used is here.
        sock: Any = _Socket(body, drips)
        self._reader = wire._BoundedReader(sock, wire.current_attempt())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read1(self, size: int, *, decode_content: bool) -> bytes:
        """Return a piece of the body, then nothing, or break off."""
        assert not decode_content
        buffer = bytearray(size)
        body = bytes(buffer[: self._reader.readinto(buffer) or 0])
        if not body and self._broken:
            raise requests.exceptions.ChunkedEncodingError(ProtocolError(IncompleteRead(b"")))
        return body


class _Socket:
    """A socket that holds a body. It may send it in pieces, and the virtual clock goes on."""

    def __init__(self, body: bytes, drips: World | None) -> None:
        self._body = body
        self._drips = drips
        self._timeout = READ_TIMEOUT_SECONDS

    def makefile(self, _mode: str, *, buffering: int) -> Self:
        assert not buffering
        return self

    def gettimeout(self) -> float:
        return self._timeout

    def settimeout(self, seconds: float) -> None:
        self._timeout = seconds

    def readinto(self, buffer: bytearray) -> int:
        size = len(self._body)
        if self._drips:
            self._drips.seconds += min(DRIP_SECONDS, self._timeout)
            if self._timeout <= DRIP_SECONDS:
                raise TimeoutError
            size = min(size, DRIP_BYTES)
        piece, self._body = self._body[:size], self._body[size:]
        buffer[: len(piece)] = piece
        return len(piece)


class SimulatedApi(DeveloperApi):
    """The real API, with exceptions from nowhere after its calls."""

    world: World

    def _send(self, request: Request) -> bytes:
        began = self.world.seconds
        try:
            return super()._send(request)
        finally:
            took = self.world.seconds - began
            self.world.longest_request = max(self.world.longest_request, took)

    def reset_password(self, *args: Any, **options: Any) -> Any:
        found = super().reset_password(*args, **options)
        world = self.world
        if world.foreign and world.foreign.step == "reset":
            # The exception comes before the response has been understood, its status included.
            world.calls[-1] = replace(
                world.calls[-1], shown=None, success=False, fault="an exception"
            )
        world.strike("reset")
        return found

    def get_database(self, *args: Any, **options: Any) -> Any:
        found = super().get_database(*args, **options)
        self.world.strike("get")
        return found


class Clients:
    """The HTTP clients of a process: one for each account, all of them on one model."""

    def __init__(self) -> None:
        self.world = World()
        self._clients = {user: self._client(user) for user in (OURS, THEIRS)}

    def start(self, world: World) -> None:
        """Begin a new process on a model."""
        self.world = world
        for client in self._clients.values():
            client._rate_limit = self._limit()

    def _limit(self) -> RateLimit:
        return RateLimit(32, clock=self._now, sleep=self._sleep)

    def _client(self, user: str) -> HttpClient:
        client = HttpClient(
            API_URL,
            basic(user, f"key-{CANARY}"),
            pool_size=32,
            rate_limit=self._limit(),
            rejection=rejection,
            clock=self._now,
            sleep=self._sleep,
        )
        client._session = _Forward(self, user)
        send_once = client._send_once

        def timed(request: Request) -> bytes:
            began = self.world.seconds
            try:
                return send_once(request)
            finally:
                took = self.world.seconds - began
                self.world.longest_attempt = max(self.world.longest_attempt, took)

        client._send_once = timed
        return client

    def _now(self) -> float:
        return self.world.seconds

    def _sleep(self, seconds: float) -> None:
        self.world.alive()
        self.world.seconds += seconds

    def account(self, report: Callable[[str], None]) -> Account:
        """Return the account for one call of a front end."""
        theirs = self.world.step.condition == "the key of another account"
        user = THEIRS if theirs and self.world.actor == "ours" else OURS
        client = self._clients[user]
        api = SimulatedApi(lambda: client, lambda: user, report)
        api.world = self.world
        return Account(lambda: api, self.world.verify, lambda: lambda: None, never, never)


class _Forward:
    """A session whose requests reach the model."""

    auth: Any = None

    def __init__(self, clients: Clients, user: str) -> None:
        self._clients = clients
        self._user = user

    def request(self, method: str, url: str, **_: object) -> Response:
        world = self._clients.world
        try:
            return world.respond(method, url, self._user)
        except requests.RequestException:
            raise
        except Exception as error:
            # The client takes any exception for a lost connection, so a mistake of the model would
            # look like a fault.
            world.mistakes.append(repr(error))
            raise


# --- bodies ---


def password_of(database: int, number: int) -> str:
    """Return a password. Its text tells which one it is."""
    return f"{CANARY}-password-{database}-{number}-"


def index_of(password: str) -> int | None:
    """Return the number of a password. None for any other text."""
    parts = password.split("-")
    return int(parts[3]) if len(parts) == 5 and parts[0] == CANARY else None


def database_body(database: int, number: int | None, *, masked: bool = False) -> dict[str, Any]:
    """Return a Database object, with the password of this number."""
    body: dict[str, Any] = {
        "database_id": DATABASES[database],
        "database_name": "cache",
        "state": "active",
        "endpoint": "beloved-stallion-58500",
        "port": 6379,
        "tls": True,
        "customer_id": OURS if database < 2 else THEIRS,
    }
    if number is not None:
        rest = f"{CANARY}-token-{database}-{number}"
        read_only = f"{CANARY}-read-{database}-{number}"
        password = password_of(database, number)
        body["password"] = MASK if masked else password
        body["rest_token"] = MASK if masked else rest
        body["read_only_rest_token"] = MASK if masked else read_only
    return body


def encode(body: Any) -> bytes:
    return json.dumps(body).encode()


def _without(*names: str) -> Callable[[dict[str, Any], int], bytes]:
    def shape(body: dict[str, Any], _database: int) -> bytes:
        return encode({name: value for name, value in body.items() if name not in names})

    return shape


def _masked(body: dict[str, Any], database: int) -> bytes:
    return encode(database_body(database, 0, masked=True) | {"port": body["port"]})


def _other(body: dict[str, Any], database: int) -> bytes:
    other = 1 - database
    return encode(database_body(other, 0 if "password" in body else None))


def _id(value: Callable[[str], object]) -> Callable[[dict[str, Any], int], bytes]:
    def shape(body: dict[str, Any], _database: int) -> bytes:
        return encode({**body, "database_id": value(body["database_id"])})

    return shape


CREDENTIALS: Final = ("password", "rest_token", "read_only_rest_token")
SHAPES: Final[dict[str, tuple[Callable[[dict[str, Any], int], bytes], bool]]] = {
    "empty": (lambda _body, _database: b"", False),
    "not JSON": (lambda _body, _database: b"\x00\xff not JSON", False),
    "a page": (lambda _body, _database: PAGE, False),
    "null": (lambda _body, _database: b"null", False),
    "a list": (lambda _body, _database: b"[]", False),
    "without id": (_without("database_id"), True),
    "an integer id": (_id(lambda _: 12345), True),
    "in capitals": (_id(str.upper), True),
    "wrapped in data": (lambda body, _database: encode({"data": body}), True),
    "with trailing text": (lambda body, _database: encode(body) + b"\n<!-- served -->", True),
    "with a Latin-1 byte": (
        lambda body, _database: encode(body).replace(b'"cache"', b'"caf\xe9"'),
        True,
    ),
    "cut off": (lambda body, _database: encode(body)[:-3], True),
    "about another database": (_other, False),
    "masked": (_masked, False),
    "without endpoint": (_without("endpoint", "port"), True),
    "without credentials": (_without(*CREDENTIALS), False),
}
"""Bodies of success responses, and whether the credentials in them can be read."""


def _error_response(fault: Fault) -> Response:
    headers = {"Retry-After": "1"} if fault.status == 429 else None
    body = PAGE if fault.shape == "a page" else b'{"code":1,"message":"no"}'
    return Response(fault.status, body, headers=headers)


def _not_connected() -> Exception:
    wire.current_attempt().may_be_sent = False
    pool: Any = None
    return requests.ConnectionError(NewConnectionError(pool, "Connection refused"))


def _route(method: str, path: str) -> tuple[str, int]:
    *_, last = path.split("/")
    if last == "databases":
        return "list", 0
    return "reset" if method == "POST" else "get", DATABASES.index(last)


def _in_turn(faults: tuple[Fault, ...]) -> Iterator[Fault]:
    for fault in faults:
        for _ in range(fault.times):
            yield replace(fault, times=1)
