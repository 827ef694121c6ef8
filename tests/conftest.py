"""What holds for all tests."""

from __future__ import annotations

from pulumi_stack import accept_interrupts


def pytest_configure() -> None:
    accept_interrupts()
