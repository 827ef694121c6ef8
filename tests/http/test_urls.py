"""Which addresses a secret may travel to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_upstash_rotation.http.urls import base_url_problem, is_loopback

EXAMPLE = "https://api.example.test"
NO_URL = f"must be a URL such as {EXAMPLE}"
NO_CREDENTIALS = "must not hold credentials. Set the e-mail and the API key separately"
NOT_HTTPS = (
    "must use https. Plain http would show the API key to the network. It is allowed only to this "
    "machine (localhost, 127.0.0.1, [::1])"
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_host_of_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "LOCALHOST.evil.test", "127.0.0.1.evil.test", "127.1", "0.0.0.0", "::", "localhost."],
)
def test_any_other_host_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses())
def test_address_is_loopback_only_in_the_loopback_networks(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    networks = map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104"))
    assert not is_loopback(str(address)) or any(address in network for network in networks)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.upstash.com",
        "https://x.test:8443/prefix/",
        "HTTPS://x.test",
        "http://localhost",
        "http://LOCALHOST:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/prefix/",
    ],
)
def test_url_over_https_or_to_this_machine_is_allowed(url: str) -> None:
    assert base_url_problem(url, EXAMPLE) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", NO_URL),
        ("api.upstash.com", NO_URL),
        ("ftp://x", NO_URL),
        ("https://", NO_URL),
        ("https://x:bad", NO_URL),
        ("https://x:99999", NO_URL),
        ("https://[", NO_URL),
        ("https://x?query", NO_URL),
        ("https://x#fragment", NO_URL),
        ("http://api.upstash.com", NOT_HTTPS),
        ("http://127.0.0.1.evil.test", NOT_HTTPS),
        ("http://localhost.evil.test", NOT_HTTPS),
        (
            "https://user:pass@x.test",
            NO_CREDENTIALS,
        ),
        (
            "https://user@x.test",
            NO_CREDENTIALS,
        ),
        (
            "http://localhost@evil.test",
            NO_CREDENTIALS,
        ),
    ],
)
def test_url_with_a_problem_is_named_once(url: str, problem: str) -> None:
    assert base_url_problem(url, EXAMPLE) == problem


@given(st.text())
def test_any_text_is_a_url_or_has_a_problem(text: str) -> None:
    problem = base_url_problem(text, EXAMPLE)
    assert problem is None or problem.startswith("must ")


@given(st.from_regex(r"[a-z0-9.-]+", fullmatch=True))
def test_plain_http_is_allowed_only_to_loopback(host: str) -> None:
    problem = base_url_problem(f"http://{host}", EXAMPLE)
    assert problem is not None or is_loopback(host)
