"""Everything that comes back is bounded, and nothing goes where it may not."""

import asyncio
import datetime
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from jackfield_common.egress import Egress, EgressRefused
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine import CutOff
from jackfield_connectors.engine.resolver import CheckedResolver
from jackfield_connectors.engine.transport import (
    MAX_ANSWER_BYTES,
    MAX_REDIRECTS,
    Request,
    Transport,
)

Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
LOOPBACK = Egress(("127.0.0.0/8",))


@asynccontextmanager
async def serving(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncGenerator[str]:
    runner = web.ServerRunner(web.Server(behaviour, access_log=None), shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=tls).start()
    scheme = "https" if tls else "http"
    try:
        yield f"{scheme}://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def transport(
    egress: Egress = LOOPBACK,
    max_answer_bytes: int = MAX_ANSWER_BYTES,
    idle_sessions: int = 256,
) -> AsyncGenerator[Transport]:
    made = Transport(egress, max_answer_bytes=max_answer_bytes, idle_sessions=idle_sessions)
    try:
        yield made
    finally:
        await made.close()


def request(url: str, method: str = "GET", **headers: str) -> Request:
    return Request(method, URL(url, encoded=True), headers)


def says(body: bytes = b"{}", status: int = 200, **headers: str) -> Behaviour:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=names)

    return answer


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_a_compressed_answer_is_read(
    encoding: str, squeeze: Callable[[bytes], bytes]
) -> None:
    content = b'{"many": "' + b"x" * 100_000 + b'"}'
    async with (
        serving(says(squeeze(content), content_encoding=encoding)) as url,
        transport() as there,
    ):
        answer = await there.send("i", request(url), 5)
    assert answer.body == content


async def test_a_gzip_bomb_is_stopped_at_the_bound() -> None:
    bomb = gzip.compress(bytes(128 * 1024 * 1024), 1)
    async with (
        serving(says(bomb, content_encoding="gzip")) as url,
        transport(max_answer_bytes=1024 * 1024) as there,
    ):
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url), 10)
    assert failed.value.kind is ErrorKind.BUG
    assert "larger than" in failed.value.message


async def test_an_endless_answer_is_stopped_at_the_bound() -> None:
    sent = 0

    async def endless(asked: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(asked)
        try:
            while True:
                await response.write(bytes(65_536))
                sent += 65_536
        except ConnectionError:
            return response

    async with serving(endless) as url, transport(max_answer_bytes=300_000) as there:
        with pytest.raises(Failure, match="larger than 300000 bytes"):
            await there.send("i", request(url), 10)
    assert sent < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "body", [b"not gzip at all", gzip.compress(b"x" * 1000)[:20], gzip.compress(b"x")[:-4]]
)
async def test_a_broken_encoding_is_a_typed_failure(body: bytes) -> None:
    async with serving(says(body, content_encoding="gzip")) as url, transport() as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url), 5)
    assert failed.value.kind is ErrorKind.BUG


async def test_an_encoding_that_was_not_asked_for_is_a_typed_failure() -> None:
    async with serving(says(b"..", content_encoding="br")) as url, transport() as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url), 5)
    assert failed.value.kind is ErrorKind.BUG


async def test_redirects_end() -> None:
    count = 0

    async def again(asked: web.BaseRequest) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.Response(status=302, headers={"location": f"/{count}"})

    async with serving(again) as url, transport() as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url), 5)
    assert failed.value.kind is ErrorKind.BUG
    assert count == MAX_REDIRECTS + 1


async def test_a_credential_does_not_follow_to_another_host() -> None:
    seen: list[dict[str, str]] = []

    async def other(asked: web.BaseRequest) -> web.StreamResponse:
        seen.append({name.lower(): value for name, value in asked.headers.items()})
        return web.Response(text="there")

    async with (
        serving(other, host="127.0.0.2") as target,
        serving(says(status=302, location=target)) as url,
        transport() as there,
    ):
        asked = Request(
            "GET",
            URL(url),
            {"Authorization": "Bearer s", "X-Key": "s", "Accept": "a"},
            secret_headers=frozenset({"authorization", "x-key"}),
        )
        await there.send("i", asked, 5)
    assert seen[0]["accept"] == "a"
    assert "authorization" not in seen[0]
    assert "x-key" not in seen[0]


@pytest.mark.parametrize(
    ("status", "location", "method"),
    [
        (302, "/elsewhere", "POST"),
        (301, "/elsewhere", "PATCH"),
        (307, "http://127.0.0.2:1/x", "POST"),
    ],
)
async def test_a_change_is_not_carried_elsewhere(status: int, location: str, method: str) -> None:
    async with serving(says(status=status, location=location)) as url, transport() as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url, method), 5)
    assert failed.value.kind is ErrorKind.INVALID
    assert not isinstance(failed.value, CutOff)


async def test_a_change_that_moved_on_the_same_host_is_made_there() -> None:
    async def moved(asked: web.BaseRequest) -> web.StreamResponse:
        if asked.path == "/":
            return web.Response(status=308, headers={"location": "/new"})
        return web.Response(text=asked.method)

    async with serving(moved) as url, transport() as there:
        answer = await there.send("i", request(url, "POST"), 5)
    assert answer.body == b"POST"


PRIVATE = [
    "http://127.0.0.1:1/",
    "https://127.0.0.1:1/",
    "https://10.1.2.3/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://[2002:a00:1::]/",
    "https://224.0.0.1/",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_private_addresses_are_refused(url: str) -> None:
    async with transport(Egress()) as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url), 2)
    assert failed.value.kind is ErrorKind.INVALID
    assert not isinstance(failed.value, CutOff)


class FixedNames(AbstractResolver):
    """Resolves every name to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The fixed addresses."""
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self.addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def test_a_name_leads_only_to_addresses_that_may_be_reached() -> None:
    names = FixedNames("127.0.0.1", "93.184.216.34", "10.0.0.1")
    checked = CheckedResolver(Egress(("10.0.0.0/8",)), names, named_only=False)
    found = [one["host"] for one in await checked.resolve("x.example")]
    assert found == ["93.184.216.34", "10.0.0.1"]
    named = CheckedResolver(Egress(("10.0.0.0/8",)), names, named_only=True)
    assert [one["host"] for one in await named.resolve("x.example")] == ["10.0.0.1"]
    with pytest.raises(EgressRefused):
        await CheckedResolver(Egress(), FixedNames("127.0.0.1"), named_only=False).resolve("x")


async def test_a_name_that_leads_inside_is_refused_when_it_is_resolved() -> None:
    async with transport(Egress()) as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request("https://localhost:1/"), 2)
    assert failed.value.kind is ErrorKind.INVALID
    assert "may not reach" in failed.value.message


async def test_plain_http_goes_nowhere_but_into_named_networks() -> None:
    async with transport(Egress()) as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request("http://93.184.216.34/"), 2)
    assert failed.value.kind is ErrorKind.INVALID


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with serving(says(), tls=self_signed(tmp_path)) as url, transport() as there:
        with pytest.raises(Failure) as failed:
            await there.send("i", request(url), 5)
    assert failed.value.kind is ErrorKind.CONNECTION
    assert "certificate" in failed.value.message
    assert not isinstance(failed.value, CutOff)


async def test_a_closed_port_means_that_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with transport() as there:
            with pytest.raises(Failure) as failed:
                await there.send("i", request(f"http://127.0.0.1:{port}/"), 5)
    assert failed.value.kind is ErrorKind.CONNECTION
    assert not isinstance(failed.value, CutOff)


async def test_silence_is_a_timeout_whose_outcome_is_unknown() -> None:
    async def stall(_asked: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(stall) as url, transport() as there:
        with pytest.raises(CutOff) as failed:
            await there.send("i", request(url), 0.2)
    assert failed.value.kind is ErrorKind.TIMEOUT


async def test_a_kept_connection_that_breaks_is_not_tried_again_in_secret() -> None:
    calls = 0

    async def once(asked: web.BaseRequest) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls > 1:
            assert asked.transport is not None
            asked.transport.abort()
        return web.Response(text="ok")

    async with serving(once) as url, transport() as there:
        await there.send("i", request(url, "PUT"), 5)
        with pytest.raises(CutOff):
            await there.send("i", request(url, "PUT"), 5)
    assert calls == 2


async def test_idle_integrations_hold_no_connections_for_ever() -> None:
    async with serving(says()) as url, transport(idle_sessions=3) as there:
        for number in range(10):
            await there.send(f"i{number}", request(url), 5)
        assert len(there._lines) <= 3  # pyright: ignore[reportPrivateUsage]
        await there.forget("i9")
        assert "i9" not in there._lines  # pyright: ignore[reportPrivateUsage]
