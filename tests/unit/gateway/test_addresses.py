"""Addresses that users give."""

from ipaddress import ip_address

import pytest
from pydantic import JsonValue

from jackfield_common.egress import Address
from jackfield_gateway.service.addresses import Addresses, addresses_in


async def resolve(host: str) -> list[Address]:
    known = {
        "inside.example": ["10.1.2.3"],
        "half.example": ["10.1.2.3", "192.0.2.1"],
        "localhost": ["127.0.0.1", "::1"],
    }
    return [ip_address(text) for text in known.get(host, [])]


ADDRESSES = Addresses(("10.0.0.0/8", "127.0.0.0/8", "::1/128"), resolve)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/path?x=1",
        "http://127.0.0.1:9000",
        "http://[::1]:9000/x",
        "http://localhost",
        "http://inside.example/api",
        "https://10.0.0.1",
        "HTTPS://EXAMPLE.COM",
    ],
)
async def test_these_may_be_used(url: str) -> None:
    assert await ADDRESSES.objection(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://half.example",
        "http://192.168.0.1",
        "https://192.168.0.1",
        "https://169.254.169.254/latest",
        "https://[fd00::1]/",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://user:password@example.com",
        "https://[::1",
        "https://example.com:notaport",
        "example.com",
        "",
    ],
)
async def test_these_may_not(url: str) -> None:
    assert await ADDRESSES.objection(url) is not None


async def test_nothing_is_opened_by_default() -> None:
    assert await Addresses((), resolve).objection("http://127.0.0.1") is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "http://x"}, [("c.a", "http://x")]),
        ({"url": "x"}, [("c.url", "x")]),
        ({"server_url": "x", "name": "x"}, [("c.server_url", "x")]),
        ({"list": [{"deep": "https://y"}]}, [("c.list.0.deep", "https://y")]),
        ({"n": 1, "b": True, "z": None, "curl": "x"}, []),
    ],
)
def test_addresses_are_found(value: JsonValue, expected: list[tuple[str, str]]) -> None:
    assert list(addresses_in(value, "c")) == expected
