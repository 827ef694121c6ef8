"""A scripted Upstash account, and a record of all that a handler does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from pulumi_upstash_rotation.resources.seam import Context, Operation, Run
from pulumi_upstash_rotation.upstash.account import Account
from pulumi_upstash_rotation.upstash.database import parse_database
from pulumi_upstash_rotation.upstash.response import Reading
from pulumi_upstash_rotation.values import Verification

from .clock import Clock
from .payloads import BEFORE_A_RESET, DOCUMENTED, WITH_CREDENTIALS
from .scripted_acl import ScriptedAcl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulumi_upstash_rotation.http.client import Report
    from pulumi_upstash_rotation.upstash.credentials import Credentials, UserLogin
    from pulumi_upstash_rotation.upstash.database import Database
    from pulumi_upstash_rotation.upstash.developer_api import DeveloperApi
    from pulumi_upstash_rotation.upstash.redis_rest import RedisRest

ACCEPTED: Final = Verification(verified=True, message="Redis accepts it")
USER_ACCEPTED: Final = Verification(verified=True, message="Redis and REST accept the new token")
USER_REJECTED: Final = Verification(
    verified=False, message="Redis and REST did not accept the new token within 10 s", rejected=True
)


class RecordingReporter:
    """Keeps the lines that a user would see.

    Attributes:
        lines: Severity and text of each line so far.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, message: str) -> None:
        self.lines.append(("info", message))

    def warning(self, message: str) -> None:
        self.lines.append(("warning", message))

    @property
    def warnings(self) -> list[str]:
        return [text for severity, text in self.lines if severity == "warning"]

    @property
    def infos(self) -> list[str]:
        return [text for severity, text in self.lines if severity == "info"]


class ScriptedUpstash:
    """An account whose Developer API and databases respond as a test wants.

    Args:
        reset: Responses to resets, in turn: JSON values or a `Reading`. The last one stays. An
            exception is raised.
        get: Responses to reads of a database, likewise. None for the previous credentials before
            the first reset, and the new ones after it.
        listed: Responses to reads of all databases, likewise: a list of databases each.
        verification: What a database answers when it is tried.
        user_verification: What it answers to logins as an ACL user. None if `acl` decides.
        token_accepted: Whether it accepts a token, in turn. None if that cannot be determined. Then
            `acl` decides.
        acl: The ACL users of the database.

    Attributes:
        calls: The calls so far. Those of the Developer API are `reset`, `get` or `list`. Those of
            the REST API are the names of their commands.
        databases: The ids that those calls named.
        tried: What the database was tried with so far: new credentials, previous ones, seconds.
        tried_users: The logins as ACL users so far, and their seconds.
        tried_tokens: The REST URLs and tokens so far, and their seconds.
        prepared: How often a verification was prepared.
        reporter: Keeps the lines.
        clock: Stands still, but for sleeps.
        before_call: Called before each call, as the real account asks for its settings.
    """

    def __init__(
        self,
        *,
        reset: Any = DOCUMENTED,
        get: Any = None,
        listed: Any = (),
        verification: Verification = ACCEPTED,
        user_verification: Verification | None = None,
        token_accepted: Iterable[bool | None] = (),
        acl: ScriptedAcl | None = None,
    ) -> None:
        self.calls: list[str] = []
        self.databases: list[str] = []
        self.tried: list[tuple[dict[str, str], dict[str, str], float]] = []
        self.tried_users: list[tuple[UserLogin, float]] = []
        self.tried_tokens: list[tuple[str, str, float]] = []
        self.prepared = 0
        self.reporter = RecordingReporter()
        self.clock = Clock()
        self.acl = acl or ScriptedAcl()
        self.before_call: Callable[[], object] = lambda: None
        self._responses = {
            call: list(responses) if isinstance(responses, list) else [responses]
            for call, responses in (("reset", reset), ("get", get), ("list", listed))
        }
        self._verification = verification
        self._user_verification = user_verification
        self._token_accepted = list(token_accepted)

    @property
    def account(self) -> Account:
        """The account, as a front end passes it to a handler."""
        api = cast("DeveloperApi", self)
        return Account(
            lambda: api,
            self._verify,
            self._prepare,
            self._verify_user,
            self._accepts_token,
            self._open_rest,
        )

    def preview(self, run: Run | None = None) -> Context:
        """Return what surrounds a call that must change nothing. It has no account."""
        return Context(self.clock.now, self.reporter, run or Run())

    def operation(self, run: Run | None = None) -> Operation:
        """Return what surrounds a call that carries something out."""
        return Operation(
            self.clock.now, self.reporter, run or Run(), self.account, self.clock.sleep
        )

    user = "example@upstash.com"

    def reset_password(self, database_id: str, _name: str | None = None) -> Reading:
        self.databases.append(database_id)
        response = self._respond("reset")
        return response if isinstance(response, Reading) else Reading(parse_database(response))

    def get_database(self, database_id: str, _name: str | None = None) -> Database:
        self.databases.append(database_id)
        return parse_database(self._respond("get"))

    def list_databases(self) -> list[Database]:
        return [parse_database(each) for each in self._respond("list")]

    def _respond(self, call: str) -> Any:
        self.before_call()
        self.calls.append(call)
        if self._responses[call] == [None]:
            return WITH_CREDENTIALS if "reset" in self.calls else BEFORE_A_RESET
        responses = self._responses[call]
        response = responses.pop(0) if len(responses) > 1 else responses[0]
        if isinstance(response, Exception):
            raise response
        return response

    def _verify(
        self, database: Database, previous: Credentials, *, timeout_seconds: float
    ) -> Verification:
        self.tried.append((database.credentials.known(), previous.known(), timeout_seconds))
        return self._verification

    def _verify_user(self, login: UserLogin, *, timeout_seconds: float) -> Verification:
        self.tried_users.append((login, timeout_seconds))
        accepted = self.acl.accepts(login.token, login.user)
        return self._user_verification or (USER_ACCEPTED if accepted else USER_REJECTED)

    def _accepts_token(self, rest_url: str, token: str, *, timeout_seconds: float) -> bool | None:
        self.tried_tokens.append((rest_url, token, timeout_seconds))
        return self._token_accepted.pop(0) if self._token_accepted else self.acl.accepts(token)

    def _open_rest(self, base_url: str, token: str, report: Report) -> RedisRest:
        return self.acl.open(base_url, token, report, self.calls.append)

    def _prepare(self) -> Callable[[], None]:
        self.prepared += 1
        return lambda: None


def never(*_: object, **__: object) -> NoReturn:
    """Stand for a part of an account that a handler must not use."""
    raise AssertionError
