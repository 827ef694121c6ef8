"""What comes over the wire: within a deadline, never more than a limit, and decoded if possible.

A socket's own timeout bounds one read. A server that sends a byte now and then is bounded by
nothing. So each attempt has one deadline for all of its reads, and one limit for all that comes:
proxy, interim responses, status line, headers, body and trailers.
"""

from __future__ import annotations

import http.client
import io
import ssl
import threading
import time
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

    import requests
    from typing_extensions import Buffer

ATTEMPT_SECONDS: Final = 60.0
"""Maximum time of an attempt, unless its start sets another."""
MAX_BYTES: Final = 8 << 20
"""Maximum number of bytes that an attempt reads. Real responses are far smaller."""
_PIECE: Final = 64 << 10


class TooLargeError(OSError):
    """More came than an attempt may read."""


class Attempt:
    """The limits of one request, and whether it may have been sent.

    Args:
        seconds: Maximum time from now until the last byte of the response.
        most: Maximum number of bytes to read.

    Attributes:
        may_be_sent: False while a connection is made. The request cannot have been sent then.
    """

    def __init__(self, seconds: float = ATTEMPT_SECONDS, most: int = MAX_BYTES) -> None:
        """Start now."""
        self.may_be_sent = True
        self._ends_at = time.monotonic() + seconds
        self._left = most

    def before_read(self, sock: socket.socket, patience: float | None) -> None:
        """Bound the next read of a socket.

        Args:
            sock: The socket.
            patience: Its own timeout in seconds. None if it has none.

        Raises:
            TimeoutError: The time of this attempt is up.
        """
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the time of this attempt is up")
        sock.settimeout(remaining if patience is None else min(patience, remaining))

    def count(self, number: int) -> None:
        """Count bytes that came.

        Raises:
            TooLargeError: More came than this attempt may read.
        """
        self._left -= number
        if self._left < 0:
            raise TooLargeError("the response is too large")


class _Current(threading.local):
    """This thread's attempt."""

    def __init__(self) -> None:
        self.attempt = Attempt()


_current: Final = _Current()


def start_attempt(seconds: float = ATTEMPT_SECONDS, most: int = MAX_BYTES) -> Attempt:
    """Begin an attempt of this thread, and return it. Its connections keep to its limits."""
    _current.attempt = Attempt(seconds, most)
    return _current.attempt


def current_attempt() -> Attempt:
    """Return this thread's attempt."""
    return _current.attempt


class _BoundedReader(io.RawIOBase):
    """The bytes of a socket, within the limits of an attempt."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._patience = sock.gettimeout()
        self._raw: Any = sock.makefile("rb", buffering=0)
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        self._attempt.before_read(self._sock, self._patience)
        number: int | None = self._raw.readinto(buffer)
        self._attempt.count(number or 0)
        return number

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._raw.close()


class _BoundedSocket:
    """What `http.client.HTTPResponse` needs of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._sock, _current.attempt))


class BoundedResponse(http.client.HTTPResponse):
    """A response within the limits of this thread's attempt. It skips interim responses."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """Wrap the socket."""
        super().__init__(_BoundedSocket(sock), *args, **options)  # type: ignore[arg-type]

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line of the final response. http.client skips only 100."""
        while True:
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if line[1] >= HTTPStatus.OK or line[1] == HTTPStatus.SWITCHING_PROTOCOLS:
                return line
            while self.fp.readline(_PIECE).strip():  # its headers
                pass


class BoundedTLSSocket(ssl.SSLSocket):
    """A TLS socket whose reads keep to the attempt's deadline. TLS inside TLS needs it."""

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401  handed on
        """Read within the deadline."""
        _current.attempt.before_read(self, self.gettimeout())
        return super().recv(*args)


def read_body(response: requests.Response, body: bytearray) -> None:
    """Read a response to its end, as it came. What has come stays in `body` if that fails.

    Args:
        response: A response that is a stream.
        body: Gets the bytes.

    Raises:
        Exception: The response broke off, took too long or was too large.
    """
    while piece := response.raw.read1(_PIECE, decode_content=False):
        body += piece


_ENCODINGS: Final = {
    "gzip": (32 + zlib.MAX_WBITS,),
    "x-gzip": (32 + zlib.MAX_WBITS,),
    # The standard means zlib. Some servers send the bare stream.
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),
}


def decoded(body: bytes, encoding: str, most: int = MAX_BYTES) -> tuple[bytes, bool]:
    """Return a body without its Content-Encoding, and whether that is all of it.

    The client asks for no encoding, so a header that names one is often false. A body that is not
    in the encoding is returned as it came.

    Args:
        body: The bytes that came, perhaps not all.
        encoding: The value of the header.
        most: Maximum number of bytes to return.
    """
    for name in reversed([each.strip().lower() for each in encoding.split(",")]):
        for window in _ENCODINGS.get(name, ()):
            decoder = zlib.decompressobj(window)
            try:
                found = decoder.decompress(body, most)
            except zlib.error:
                continue
            if decoder.unconsumed_tail and window > 0:
                return found, False
            # A bare stream has no signature, so only a whole one counts.
            if (window > 0 and (found or decoder.eof)) or (decoder.eof and not decoder.unused_data):
                body = found
                break
    return body, True
