"""A login to Redis over TLS, and nothing else.

It needs no client library. Such a library loads others on its first use, which may be after a
reset. It also has no deadline for a whole login.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Final

from pulumi_upstash_rotation.http.connection import trust_store

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Self

MAX_REPLY_BYTES: Final = 1024
_REJECTIONS: Final = ("WRONGPASS", "NOAUTH", "ERR INVALID PASSWORD")
"""How the reply to AUTH begins if the password is wrong, in capitals.

Redis 6 and later, and Upstash, send WRONGPASS. Earlier ones send "ERR invalid password".
"""


class UnexpectedReplyError(Exception):
    """The server's reply to AUTH does not tell whether it accepts the password."""


class RedisLogin:
    """One connection. A context manager.

    Args:
        host: Host name of the database.
        port: Its port.
        seconds: Maximum time for all that happens on the connection.

    Raises:
        ConfigurationError: The trust store cannot be read.
        TimeoutError: The time is up.
        OSError: The server cannot be reached, or has no trusted certificate (`ssl.SSLError`).
        ValueError: Host or port are unusable.
    """

    def __init__(self, host: str, port: int, seconds: float) -> None:
        """Connect."""
        self._ends_at = time.monotonic() + seconds
        self._sock = self._secured(self._connected(host, port), host)
        self._received = b""

    def __enter__(self) -> Self:
        """Return the login."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._sock.close()

    def accepts(self, password: str, user: str | None = None) -> bool:
        """Return whether the server accepts a password.

        Args:
            password: The password.
            user: Name of its user. None for the user `default`.

        Raises:
            EOFError: The server has closed the connection. It may do so after a wrong password.
            TimeoutError: The time is up.
            OSError: The connection broke.
            UnexpectedReplyError: The reply is another one, such as LOADING.
        """
        command = _command("AUTH", *([] if user is None else [user]), password)
        self._sock.settimeout(self._remaining())
        try:
            self._sock.sendall(command)
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        reply = self._line().decode(errors="replace").upper()
        if reply == "+OK":
            return True
        if reply[:1] == "-" and reply[1:].startswith(_REJECTIONS):
            return False
        raise UnexpectedReplyError

    def _line(self) -> bytes:
        while b"\n" not in self._received:
            self._sock.settimeout(self._remaining())
            try:
                piece = self._sock.recv(MAX_REPLY_BYTES)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise EOFError
            self._received += piece
            if len(self._received) > MAX_REPLY_BYTES:
                raise UnexpectedReplyError
        line, _, self._received = self._received.partition(b"\n")
        return line.rstrip(b"\r")

    def _connected(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that accepts it. A name server has no deadline."""
        problem: OSError = ConnectionError()
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            remaining = self._remaining()
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                sock.settimeout(remaining)
                sock.connect(address)
            except OSError as error:
                problem = error
                if sock:
                    sock.close()
            else:
                return sock
        raise problem

    def _secured(self, sock: socket.socket, host: str) -> ssl.SSLSocket:
        with contextlib.ExitStack() as on_error:
            on_error.callback(sock.close)
            sock.settimeout(self._remaining())  # of the whole handshake
            secured = trust_store("redis").wrap_socket(sock, server_hostname=host)
            on_error.pop_all()
        return secured

    def _remaining(self) -> float:
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


def _command(*arguments: str) -> bytes:
    """Return a command as the Redis protocol has it."""
    encoded = [argument.encode(errors="surrogatepass") for argument in arguments]
    bulks = (b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in encoded)
    return b"*%d\r\n" % len(encoded) + b"".join(bulks)
