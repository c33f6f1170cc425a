"""Redirect addresses match character by character, and loopback ports alone are free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_oauth.service.protocol.redirects import matches, problem_with


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/callback",
        "https://app.example:8443/callback?tenant=1",
        "http://127.0.0.1/done",
        "http://127.0.0.1:51004/done",
        "http://[::1]/done",
        "http://localhost:3000/done",
        "com.example.app:/oauth",
        "com.example.app://oauth/done",
    ],
)
def test_registrable(address: str) -> None:
    assert problem_with(address) is None
    assert matches(address, address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/callback",
        "app.example/callback",
        "http://app.example/callback",
        "https:///callback",
        "https://app.example/callback#fragment",
        "https://app.example/callback#",
        "https://user:word@app.example/",
        "https://app.example/a b",
        "https://app.example/\\evil.example",
        "https://app.example:port/",
        "https://[::1/",
        "https://äpp.example/",
        "https://app.example/\n",
        "javascript:alert(1)",
        "data:text/html,x",
        "myapp:/done",
        "https://app.example/" + "x" * 2000,
    ],
)
def test_not_registrable(address: str) -> None:
    assert problem_with(address)


@pytest.mark.parametrize(
    ("given_address", "registered", "same"),
    [
        ("http://127.0.0.1:50000/done", "http://127.0.0.1/done", True),
        ("http://127.0.0.1/done", "http://127.0.0.1:50000/done", True),
        ("http://[::1]:50000/done", "http://[::1]/done", True),
        ("http://localhost:50000/done", "http://localhost/done", False),
        ("http://127.0.0.1:50000/other", "http://127.0.0.1/done", False),
        ("http://127.0.0.1:50000/done?x", "http://127.0.0.1/done", False),
        ("http://127.0.0.2:50000/done", "http://127.0.0.1/done", False),
        ("https://127.0.0.1:50000/done", "http://127.0.0.1/done", False),
        ("http://127.0.0.1:80@evil.example/done", "http://127.0.0.1/done", False),
        ("http://evil.example:80#@127.0.0.1/done", "http://127.0.0.1/done", False),
        ("http://127.0.0.1:50000/done#x", "http://127.0.0.1/done", False),
        ("http://127.0.0.1:99999/done", "http://127.0.0.1/done", False),
        ("https://app.example/callback/", "https://app.example/callback", False),
        ("https://app.example/CALLBACK", "https://app.example/callback", False),
        ("https://app.example.evil.example/", "https://app.example/", False),
    ],
)
def test_match(given_address: str, registered: str, same: bool) -> None:
    assert matches(given_address, registered) is same


@given(st.text(max_size=200))
def test_nothing_else_matches_a_https_address_and_nothing_crashes(text: str) -> None:
    registered = "https://app.example/callback"
    assert matches(text, registered) is (text == registered)
    problem_with(text)


@given(st.text(max_size=100).map(lambda tail: "http://127.0.0.1" + tail))
def test_whatever_matches_on_loopback_leads_to_loopback(address: str) -> None:
    if matches(address, "http://127.0.0.1/done"):
        rest = address.removeprefix("http://127.0.0.1")
        port, slash, path = rest.partition("/")
        assert slash + path == "/done"
        assert port == "" or (port[0] == ":" and (port == ":" or port[1:].isdecimal()))
