"""What one engine has configured. A process serves one engine, or several that attach to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pulumi_upstash_rotation.frontends.engine import log
from pulumi_upstash_rotation.frontends.engine.runs import shared_run
from pulumi_upstash_rotation.resources.seam import Run

from .names import for_programs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass
class Session:
    """One connection of an engine.

    Attributes:
        address: The engine's address. None if it is not known.
        config: The provider's config, by name, secrets in clear. None before it is known.
        run: The run of the engine.
        cancelled: Set when the user cancels the run.
    """

    address: str | None = None
    config: Mapping[str, Any] | None = field(default=None, repr=False)
    run: Run = field(default_factory=Run, repr=False)
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False)
    _checked: set[str] = field(default_factory=set, repr=False)
    _changed: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def belong_to(self, address: str) -> None:
        """Take the address of the engine, and share the record of its run."""
        with self._lock:
            if address and address != self.address:
                self.address, self.run = address, shared_run(address)

    def read(self, urn: str, changed: Collection[str]) -> None:
        """Record which outputs of a resource a read has found changed."""
        with self._lock:
            self._changed[urn] = tuple(sorted(changed))

    def changed(self, urn: str) -> tuple[str, ...]:
        """Return the outputs that the last read has found changed."""
        with self._lock:
            return self._changed.pop(urn, ())

    def checked(self, urn: str) -> None:
        """Record that the engine has checked a resource."""
        with self._lock:
            self._checked.add(urn)

    def was_checked(self, urn: str) -> bool:
        """Return whether the engine has checked a resource since the last diff of it."""
        with self._lock:
            checked = urn in self._checked
            self._checked.discard(urn)
            return checked


@dataclass(frozen=True)
class Row:
    """Reports on the row of a resource."""

    urn: str
    address: str | None

    def info(self, message: str) -> None:
        """Show progress or a reason."""
        log.show("info", for_programs(message), self.urn, self.address)

    def warning(self, message: str) -> None:
        """Show a problem that does not fail the operation."""
        log.show("warning", for_programs(message), self.urn, self.address)


class Sessions:
    """The sessions of this process, by the address of the connection."""

    def __init__(self, address: str | None) -> None:
        """Start with none. `address` is that of the engine that started this process, if any."""
        self._address = address
        self._by_peer: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, peer: str) -> Session:
        """Return the session of a connection.

        A connection that was made again has another address. If there is only one session, it is
        that one's. Otherwise nobody knows whose it is, so the session has no config.
        """
        with self._lock:
            session = self._by_peer.get(peer)
            if session is None:
                others = {id(each): each for each in self._by_peer.values()}
                (session,) = others.values() if len(others) == 1 else [Session()]
                self._by_peer[peer] = session
        if session.address is None and self._address:
            session.belong_to(self._address)
        return session

    def start(self, peer: str, address: str = "") -> Session:
        """Return a new session for a connection that an engine has just made.

        Args:
            peer: The address of the connection. A later engine may have the same one.
            address: The engine's own address. Empty if it is not known.
        """
        session = Session()
        session.belong_to(address or self._address or "")
        with self._lock:
            self._by_peer[peer] = session
        return session

    def all(self) -> list[Session]:
        """Return all sessions."""
        with self._lock:
            return list(self._by_peer.values())
