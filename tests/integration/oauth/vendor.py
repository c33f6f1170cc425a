"""A vendor's authorization server, for the OAuth client to meet: strict, over TLS, with faults on demand."""

import asyncio
import base64
import hashlib
import secrets
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jackfield_common.connector.auth import OAuth2
from jackfield_common.connector.fields import NoOutput
from jackfield_common.connector.manifest import ActionManifest, Category, Manifest
from jackfield_common.events import Repeat

CLIENT_ID = "our-app"
CLIENT_SECRET = "vendor-client-secret-" + "v" * 24

Fault = Literal["drop", "503", "hang", "drop-after", "hang-after"]


@dataclass
class Vendor:
    """What the vendor knows, and what it has seen."""

    port: int = 0
    rotating: bool = True
    lifetime: int | None = 3600
    as_form: bool = False
    challenges: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    refresh_tokens: set[str] = field(default_factory=set[str])
    access_tokens: list[str] = field(default_factory=list[str])
    seen: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    faults: list[Fault] = field(default_factory=list[Fault])
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    _cut: bool = False

    def cut_hanging(self) -> None:
        """Give requests that hang up: whoever sent them is gone."""
        self._cut = True
        self.answering.set()

    @property
    def issued(self) -> list[str]:
        """Every secret it ever gave."""
        return [*self.access_tokens, *self.refresh_tokens]

    def authorize(self, parameters: Mapping[str, str]) -> str:
        """The user agrees: a code for the client's redirect."""
        assert parameters["response_type"] == "code"
        assert parameters["client_id"] == CLIENT_ID
        assert parameters["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.challenges[code] = (parameters["code_challenge"], parameters["redirect_uri"])
        return code

    def refreshes(self) -> list[Mapping[str, str]]:
        """The refresh requests that it saw."""
        return [one for one in self.seen if one.get("grant_type") == "refresh_token"]

    async def token(self, request: web.Request) -> web.StreamResponse:
        """The token endpoint."""
        form = dict(parse_qsl((await request.read()).decode()))
        self.seen.append(form)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "drop":
            return _drop(request)
        if fault == "503":
            return web.Response(status=503)
        if fault == "hang":
            await self.answering.wait()
            if self._cut:
                return _drop(request)
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        refused = self._refused(form)
        if refused is not None:
            return web.json_response(refused, status=400)
        answer = self._grant(form)
        if fault == "hang-after":
            await self.answering.wait()
        if fault in ("drop-after", "hang-after"):
            return _drop(request)
        if self.as_form:
            return web.Response(
                text="&".join(f"{name}={value}" for name, value in answer.items()),
                content_type="application/x-www-form-urlencoded",
            )
        return web.json_response(answer)

    def _refused(self, form: Mapping[str, str]) -> Mapping[str, str] | None:
        match form.get("grant_type"):
            case "authorization_code":
                challenge, redirect_uri = self.challenges.pop(form["code"], ("", ""))
                digest = hashlib.sha256(form["code_verifier"].encode()).digest()
                if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
                    return {"error": "invalid_grant", "error_description": "PKCE"}
                if form["redirect_uri"] != redirect_uri:
                    return {"error": "invalid_grant", "error_description": "redirect"}
            case "refresh_token":
                if form["refresh_token"] not in self.refresh_tokens:
                    return {"error": "invalid_grant", "error_description": "Token was revoked"}
                if self.rotating:
                    self.refresh_tokens.remove(form["refresh_token"])
            case "client_credentials":
                pass
            case _:
                return {"error": "unsupported_grant_type"}
        return None

    def _grant(self, form: Mapping[str, str]) -> dict[str, str | int]:
        answer: dict[str, str | int] = {
            "access_token": "vat_" + secrets.token_urlsafe(24),
            "token_type": "bearer",
            "scope": "repo",
        }
        self.access_tokens.append(str(answer["access_token"]))
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        if form["grant_type"] != "client_credentials" and (
            self.rotating or form["grant_type"] == "authorization_code"
        ):
            answer["refresh_token"] = "vrt_" + secrets.token_urlsafe(24)
            self.refresh_tokens.add(str(answer["refresh_token"]))
        return answer


def manifest_of(vendor: Vendor, slug: str, **more: object) -> Manifest:
    """A connector of this vendor; `more` are fields of its OAuth declaration."""
    auth = OAuth2.model_validate(
        {
            "authorize_url": "https://vendor.example/authorize?tenant=x",
            "token_url": f"https://127.0.0.1:{vendor.port}/token",
            "scopes": {"repo": "repositories"},
            **more,
        }
    )
    schema = NoOutput.model_json_schema()
    test = ActionManifest(
        name="test_connection", title="Test", input=schema, output=schema, repeat=Repeat.SAFE
    )
    return Manifest(
        slug=slug,
        title="Acme",
        description="under test",
        category=Category.CUSTOM,
        docs="https://vendor.example/docs",
        version="1.0.0",
        auth=(auth,),
        test="test_connection",
        actions=(test,),
    )


def _drop(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:  # whoever sent it may be gone already
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def vendor_over_tls(directory: Path) -> AsyncGenerator[Vendor]:
    """The vendor on a free port of loopback; `directory/ca.pem` is who vouches for it."""
    vendor = Vendor()
    app = web.Application()
    app.router.add_post("/token", vendor.token)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate(directory))
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert site._server is not None  # pyright: ignore[reportPrivateUsage]
    vendor.port = site._server.sockets[0].getsockname()[1]  # pyright: ignore
    try:
        yield vendor
    finally:
        vendor.answering.set()
        await runner.cleanup()


def certificate(directory: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key, in `directory/ca.pem`."""
    path = directory / "ca.pem"
    if path.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor under test")])
    time = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(time - timedelta(minutes=5))
        .not_valid_after(time + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
