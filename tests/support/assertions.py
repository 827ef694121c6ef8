"""What has to hold for a database, a stack, or what a command shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis

from .stacks import changed

if TYPE_CHECKING:
    from upstash_emulator import EmulatedDatabase, Emulator

    from .stacks import Rotations


def connect(url: str, emulator: Emulator) -> redis.Redis:
    """Return a client with the certificate checked, as users have it through SSL_CERT_FILE."""
    return redis.Redis.from_url(url, ssl_ca_certs=str(emulator.ca_bundle), protocol=2)


def opens(database: EmulatedDatabase, password: str, emulator: Emulator) -> bool:
    """Say whether a password opens a database.

    Raises:
        redis.ConnectionError: The database could not be reached.
    """
    url = f"rediss://default:{password}@127.0.0.1:{database.port}"
    with connect(url, emulator) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


def assert_live(rotations: Rotations, *names: str) -> None:
    """The state holds the passwords that the databases have, and they open them."""
    for name in names:
        password = rotations.out(name)["password"]
        database = rotations.database(name)
        assert password == database.password, name
        assert opens(database, password, rotations.emulator), name


def assert_nothing_left_to_do(rotations: Rotations) -> None:
    """Another update changes nothing and resets nothing."""
    resets = rotations.resets()
    text = rotations.up()
    assert changed(text) == {}, text
    assert "pending" not in text
    assert rotations.resets() == resets
