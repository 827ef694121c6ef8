"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from pulumi_stack import accept_interrupts


def pytest_configure() -> None:
    accept_interrupts()
    # How fast an example runs depends on what else the machine does.
    calm = [HealthCheck.too_slow]
    settings.register_profile("any machine", deadline=None, suppress_health_check=calm)
    settings.load_profile("any machine")
