"""How the three resources reach the ACL of a database, and which tokens are live in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pulumi_upstash_rotation.errors import (
    ApiError,
    AuthenticationError,
    DatabaseNotFoundError,
    UnreadableResponseError,
)
from pulumi_upstash_rotation.resources.databases import SUSPENDED, KnownDatabase, confirm_deletion
from pulumi_upstash_rotation.upstash import acl

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from typing_extensions import Self

    from pulumi_upstash_rotation.resources.seam import Operation
    from pulumi_upstash_rotation.upstash.database import Database
    from pulumi_upstash_rotation.upstash.redis_rest import Command, Reply

MAX_TRIES: Final = 7
"""Tries of a request. With the waits between them they allow for a read that is 15 s late."""
LOGIN_SECONDS: Final = 5.0
"""Maximum time of the request that finds out whether one token is live."""
REPEATED: Final = "a part of it may be done. Run `pulumi up` again, which repeats it safely"


class Tokens(Protocol):
    """A user of a database, with its tokens."""

    @property
    def database_id(self) -> str:
        """Id of the database."""

    @property
    def admin_token(self) -> str | None:
        """The Standard token. None to read it from the Developer API."""

    @property
    def token(self) -> str:
        """Our current token."""

    @property
    def previous_tokens(self) -> Sequence[str]:
        """Our earlier ones."""


class StoredUser(Tokens, KnownDatabase, Protocol):
    """The same, as a state has it."""

    @property
    def username(self) -> str:
        """Its name."""


class Access:
    """The ACL of one database, for one call of a front end.

    The commands need the Standard token of the database. A reset in the same run may replace it, so
    a rejected token leads to another read of the database.

    Args:
        operation: The context of the call.
        database_id: Id of the database.
        admin_token: The Standard token. None to read it from the Developer API.
        name: Name of the database, for messages. None if it is not known.
        tokens: Ours, which no error text may show.
    """

    def __init__(
        self,
        operation: Operation,
        database_id: str,
        admin_token: str | None,
        name: str | None = None,
        tokens: Collection[str] = (),
    ) -> None:
        """Keep the arguments. It sends no request."""
        self._operation = operation
        self._database_id = database_id
        self._admin_token = admin_token
        self._name = name
        self._tokens = tokens

    @classmethod
    def of(cls, known: Tokens, operation: Operation, name: str | None = None) -> Self:
        """Return the access for a state, or for the arguments of a user that has tokens."""
        return cls(
            operation,
            known.database_id,
            known.admin_token,
            name or getattr(known, "database_name", None),
            tokens=(known.token, *known.previous_tokens),
        )

    @property
    def database(self) -> Database:
        """The database, as this run has last read it.

        Raises:
            ApiError: There is no such database, or it could not be read.
        """
        return self._operation.run.databases.get(self._database_id) or self._read()

    def _read(self) -> Database:
        database = self._operation.account.api.get_database(self._database_id, self._name)
        self._operation.run.databases[self._database_id] = database
        return database

    def run(
        self,
        commands: Sequence[Command],
        attempt: str,
        *,
        if_maybe_applied: str = "nothing has changed",
    ) -> list[Reply]:
        """Run commands that may be repeated: see `RedisRest.pipeline()`.

        Args:
            commands: The commands, in order.
            attempt: Their purpose without the database, as in "cannot ATTEMPT".
            if_maybe_applied: End of the error text if some of them may have been applied.

        Raises:
            ApiError: They did not run, or no response came. `if_maybe_applied` states the effect.
        """
        database = self.database
        attempt = f"{attempt} of {database.label}"
        last: ApiError = ApiError("")
        for number in range(MAX_TRIES):
            if number:
                self._operation.sleep(number - 1)
                database = self._read()
            url, token = self._endpoint(database), self._admin_token or self._token(database)
            try:
                with self._operation.account.open_rest(
                    url, token, self._operation.reporter.info
                ) as rest:
                    return rest.pipeline(
                        commands,
                        attempt,
                        if_maybe_applied=if_maybe_applied,
                        secrets=self._tokens,
                    )
            except AuthenticationError as error:
                last = ApiError(f"{error.problem}{self._advice()}", if_maybe_applied)
                if self._admin_token:
                    break
            except UnreadableResponseError as error:
                last = error
        raise last from None

    def user(self, username: str) -> acl.AclUser | None:
        """Return a user. None if it does not exist.

        Raises:
            ApiError: It could not be read. Nothing has changed.
        """
        attempt = f"read the ACL user {username!r}"
        (reply,) = self.run([acl.get_user(username)], attempt)
        return self.parsed_user(reply, attempt)

    def parsed_user(
        self, reply: Reply, attempt: str, effect: str = "nothing has changed"
    ) -> acl.AclUser | None:
        """Return the user in a reply. None if it does not exist.

        Raises:
            ApiError: The reply is an error, or no user.
        """
        self.check(reply, attempt, effect)
        try:
            return acl.parse_user(reply.value)
        except ValueError:
            raise self.failed(attempt, "its reply is not an ACL user", effect) from None

    def check(self, reply: Reply, attempt: str, effect: str = "nothing has changed") -> None:
        """Check that a command succeeded.

        Raises:
            ApiError: It did not. The text has the database's own error text.
        """
        if reply.error is not None:
            raise self.failed(attempt, f"the database responded with {reply.error}", effect)

    def failed(self, attempt: str, why: str, effect: str = "nothing has changed") -> ApiError:
        """Return the error of an attempt."""
        return ApiError(f"cannot {attempt} of {self.database.label}: {why}", effect)

    def remove(self, username: str, tokens: Sequence[str], current: str, attempt: str) -> None:
        """Remove live tokens of ours. One that is gone meanwhile is no error.

        Raises:
            ApiError: The database still has one of them.
        """
        commands = [*(acl.remove_token(username, each) for each in tokens), acl.get_user(username)]
        *removals, shown = self.run(commands, attempt, if_maybe_applied=REPEATED)
        user = self.parsed_user(shown, attempt, REPEATED)
        if {*tokens} & {*self.live(user, current, tokens)}:
            for reply in removals:
                self.check(reply, attempt, REPEATED)
            raise self.failed(attempt, "the database still shows one of its tokens", REPEATED)

    def live(
        self, user: acl.AclUser | None, current: str, previous: Sequence[str] = ()
    ) -> list[str]:
        """Return which of our tokens are live, the current one first.

        They are those whose digests the database shows. Upstash does not document what it digests.
        If the digest of the current token is missing, the database is asked for each token.

        Args:
            user: The user, as the database has just shown it.
            current: Our newest token.
            previous: Our earlier ones.

        Raises:
            ApiError: It could not be determined. A token of ours must not pass for a foreign one.
        """
        ours = list(dict.fromkeys([current, *previous]))
        if user is None or not user.digests:
            return []
        shown = [token for token in ours if acl.digest(token) in user.digests]
        if current in shown or len(shown) == len(user.digests):
            return shown
        return [token for token in ours if token in shown or self._accepts(token)]

    def _accepts(self, token: str) -> bool:
        url = self._endpoint(self.database)
        accepts = self._operation.account.accepts_token
        accepted = accepts(url, token, timeout_seconds=LOGIN_SECONDS)
        if accepted is None:
            raise ApiError(
                f"{self.database.label} does not show which tokens are live, and a login with one "
                "got no usable response",
                REPEATED,
            )
        return accepted

    def _endpoint(self, database: Database) -> str:
        if database.state == SUSPENDED:
            raise ApiError(
                f"{database.label} is suspended",
                "nothing has changed. Resume it in the Upstash console first",
            )
        url = database.urls.get("rest_url")
        if url is None:
            raise ApiError(
                f"the API does not return the endpoint of {database.label}", "nothing has changed"
            )
        return url

    def _token(self, database: Database) -> str:
        token = database.credentials.rest_token
        if token is None:
            raise ApiError(
                f"the API does not return the Standard token of {database.label} (Credential "
                "Protection, or the type of account)",
                "nothing has changed. Give the token as admin_token",
            )
        return token

    def _advice(self) -> str:
        return ". Check admin_token" if self._admin_token else ""


def look_up(state: StoredUser, operation: Operation) -> tuple[Access, acl.AclUser | None] | None:
    """Return the access for a state, and the user as it is now. None if the database is deleted.

    Raises:
        ApiError: The user could not be read, or the database may still exist. Nothing has changed.
    """
    access = Access.of(state, operation)
    try:
        return access, access.user(state.username)
    except DatabaseNotFoundError:
        confirm_deletion(operation, state)
        return None
