"""The Developer API: its four operations as HTTP routes."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .answers import Answer, json_answer, problem_answer, send
from .descriptions import describe
from .errors import ApiProblem, EmulatorError
from .recording import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from .databases import Account, Database
    from .faults import Fault, FaultPlan
    from .recording import Recorder

_READS: Final = ("GET", "HEAD")
_JSON_RANGES: Final = ("application/json", "application/*", "*/*")


@dataclass(frozen=True)
class _Operation:
    name: str
    method: str
    path: str
    perform: Callable[[web.Request, Fault], Awaitable[Answer]]


class ControlPlane:
    """Answers calls of the Developer API, rightly or as a fault demands.

    Attributes:
        latency_seconds: How long every answer takes at least.
        requests_per_second: How many requests are let through in a second; 0 for any number.
    """

    def __init__(self, account: Account, faults: FaultPlan, recorder: Recorder) -> None:
        """Serve this account."""
        self.latency_seconds = 0.0
        self.requests_per_second = 0
        self._let_through: deque[float] = deque()
        self._account = account
        self._faults = faults
        self._recorder = recorder

    def add_routes(self, app: web.Application) -> None:
        """Serve the API's paths, and as the last resort every other one."""
        for operation in (
            _Operation("reset", "POST", "/v2/redis/reset-password/{id}", self._reset),
            _Operation("get", "GET", "/v2/redis/database/{id}", self._get),
            _Operation("list", "GET", "/v2/redis/databases", self._list),
            _Operation("auditlogs", "GET", "/auditlogs", self._auditlogs),
            _Operation("unknown", "*", "/{anything:.*}", self._unknown),
        ):
            app.router.add_route("*", operation.path, self._handler(operation))

    def _handler(
        self, operation: _Operation
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            fault = self._faults.take(operation.name, request.match_info.get("id"))
            answer, applied = await self._answer(operation, request, fault)
            self._recorder.calls.append(
                Call(
                    operation=operation.name,
                    method=request.method,
                    path=request.path,
                    database_id=request.match_info.get("id"),
                    status=None if answer.ending == "closed" else answer.status,
                    user_agent=request.headers.get("User-Agent", ""),
                    applied=applied,
                    fault=fault.kind,
                )
            )
            return await send(answer, request)

        return handle

    async def _answer(
        self, operation: _Operation, request: web.Request, fault: Fault
    ) -> tuple[Answer, bool]:
        """Return the answer to a call, and whether its operation was carried out."""
        await asyncio.sleep(self.latency_seconds + fault.delay_before_seconds)
        if not fault.applied:
            return fault.reshape(Answer()), False
        try:
            self._admit(operation, request)
            answer = await operation.perform(request, fault)
        except ApiProblem as problem:
            return problem_answer(problem.status, str(problem)), False
        except EmulatorError as error:
            return problem_answer(500, str(error)), False
        await asyncio.sleep(fault.delay_after_seconds)
        return fault.reshape(answer), True

    def _admit(self, operation: _Operation, request: web.Request) -> None:
        """Refuse a request that the real API would not look at any closer."""
        key = self._api_key(request)
        if key is None:
            raise ApiProblem(401, "Unauthorized: wrong e-mail or API key")
        if key == self._account.read_only_api_key and request.method not in _READS:
            raise ApiProblem(403, "Readonly API key cannot be used for this operation")
        if self._is_limited():
            raise ApiProblem(429, "Too many requests")
        if operation.method not in ("*", request.method):
            raise ApiProblem(405, f"method {request.method} is not allowed here")
        if not _takes_json(request):
            raise ApiProblem(406, "only application/json can be answered")

    def _is_limited(self) -> bool:
        """Say whether this second has had its requests; count this one if not."""
        if not self.requests_per_second:
            return False
        now = asyncio.get_running_loop().time()
        while self._let_through and self._let_through[0] <= now - 1:
            self._let_through.popleft()
        if len(self._let_through) >= self.requests_per_second:
            return True
        self._let_through.append(now)
        return False

    def _api_key(self, request: web.Request) -> str | None:
        """Return the API key that a request bears, None where its credentials are wrong."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            email, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        keys = (self._account.api_key, self._account.read_only_api_key)
        known = any(hmac.compare_digest(key.encode(), right.encode()) for right in keys)
        return key if scheme.lower() == "basic" and email == self._account.email and known else None

    async def _reset(self, request: web.Request, fault: Fault) -> Answer:
        database = await self._account.reset(
            request.match_info["id"],
            source="API_KEY - emulator",
            ip=request.remote or "",
            propagation_seconds=fault.propagation_seconds,
        )
        database = self._meant(database, fault)
        old_shape = self._account.answer == "with_credentials"
        return self._described(
            database,
            credentials=old_shape or database.credential_protection,
            old_fields=old_shape,
        )

    async def _get(self, request: web.Request, fault: Fault) -> Answer:
        database = self._meant(self._account.database(request.match_info["id"]), fault)
        shown = (
            self._account.show_credentials_on_get
            and request.query.get("credentials") != "hide"
            and not database.credential_protection
        )
        return self._described(database, credentials=shown, old_fields=False)

    async def _list(self, _request: web.Request, _fault: Fault) -> Answer:
        databases = self._account.databases.values()
        return json_answer([describe(database, self._account.email) for database in databases])

    async def _auditlogs(self, _request: web.Request, _fault: Fault) -> Answer:
        return json_answer(self._account.audit_log)

    async def _unknown(self, request: web.Request, _fault: Fault) -> Answer:
        raise ApiProblem(404, f"the emulator does not know {request.path}")

    def _meant(self, database: Database, fault: Fault) -> Database:
        return self._account.databases.get(fault.other_database_id or "", database)

    def _described(self, database: Database, *, credentials: bool, old_fields: bool) -> Answer:
        return json_answer(
            describe(database, self._account.email, credentials=credentials, old_fields=old_fields)
        )


def _takes_json(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "*/*").split(",")
    return any(item.partition(";")[0].strip() in _JSON_RANGES for item in accepted)
