"""How a request proves who sends it.

Both classes send bytes, because HTTP has no charset here and requests would take Latin-1. Without
either of them requests would look for credentials in the user's ~/.netrc.
"""

from __future__ import annotations

# Not `from requests.auth`. Two threads that load requests must begin with the package itself.
# Otherwise one of them can find a part that is half loaded.
import requests


def basic(user: str, password: str) -> requests.auth.AuthBase:
    """Return HTTP Basic authentication."""
    return requests.auth.HTTPBasicAuth(user.encode(), password.encode())


class Bearer(requests.auth.AuthBase):
    """A token in the header Authorization."""

    def __init__(self, token: str) -> None:
        """Keep the token."""
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header to a request."""
        request.headers["Authorization"] = b"Bearer " + self._token.encode(errors="replace")  # type: ignore[assignment]
        return request
