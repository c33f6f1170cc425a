"""Signs webhooks as a vendor does, by the scheme that its connector declares.

Written from the vocabulary of schemes alone and sharing no code with the listener that verifies them:
where the two disagree, one of them is wrong.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, assert_never
from urllib.parse import parse_qsl, unquote, urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import JsonValue, TypeAdapter, ValidationError

from jackfield_certification.emulator.paging import replaced
from jackfield_certification.emulator.signin import MARK
from jackfield_common.connector import verification
from jackfield_common.connector.fields import FormField
from jackfield_common.connector.selector import as_text, at_path
from jackfield_common.connector.verification import SimpleVerify, Verify, template_terms
from jackfield_common.errors import JackfieldError

_SIMPLE: Final[TypeAdapter[verification.Simple]] = TypeAdapter(SimpleVerify)
_FORM: Final = "application/x-www-form-urlencoded"
_LIFETIME: Final = 300


class Unsignable(JackfieldError):
    """Proof by this scheme needs something that only the real vendor has; the text says what."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A webhook on its way: the public address it is sent to, headers and body."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header, whatever its case."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), None)

    def with_header(self, name: str, value: str | None) -> "Outgoing":
        """With this header set, or without it."""
        kept = {k: v for k, v in self.headers.items() if k.lower() != name.lower()}
        return replace(self, headers=kept if value is None else {**kept, name: value})

    def with_query(self, name: str, value: str) -> "Outgoing":
        """With this parameter in the address."""
        base, _, query = self.url.partition("?")
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != name]
        return replace(self, url=f"{base}?{urlencode([*pairs, (name, value)])}")

    def at(self, place: str) -> str | None:
        """The value at a place of the vocabulary; None for a part of a structured header."""
        where, _, name = place.partition(":")
        match where:
            case "header":
                return self.header(name)
            case "query":
                query = self.url.partition("?")[2]
                return dict(parse_qsl(query, keep_blank_values=True)).get(name)
            case "body":
                return as_text(at_path(self.document(), name))
            case _:
                return None

    def put(self, place: str, value: str) -> "Outgoing":
        """With a value at a place."""
        where, _, name = place.partition(":")
        match where:
            case "header":
                return self.with_header(name, value)
            case "query":
                return self.with_query(name, value)
            case "body":
                document = replaced(self.document(), name, value)
                if self.is_form():
                    return replace(self, body=urlencode(_flat(document)).encode())
                return replace(self, body=json.dumps(document).encode())
            case _:
                raise Unsignable(f"{place} cannot be written by itself")

    def document(self) -> JsonValue:
        """The body as JSON, or the fields of a form; None when it is neither."""
        if self.is_form():
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def is_form(self) -> bool:
        """Whether the body is a form."""
        return (self.header("content-type") or "").startswith(_FORM)


def _flat(document: JsonValue) -> dict[str, str]:
    if not isinstance(document, dict):
        return {}
    return {name: as_text(value) or "" for name, value in document.items()}


class Signer(Protocol):
    """Proves that webhooks come from the vendor."""

    @property
    def fields(self) -> Mapping[str, str]:
        """What the owner of the installation fills in, so that the proof can be checked."""
        ...

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        """The request with its proof, as of a moment in seconds since 1970."""
        ...

    @property
    def proof(self) -> tuple[str, ...]:
        """The places that carry the proof."""
        ...

    @property
    def window(self) -> float | None:
        """How old a request may be, in seconds; None when it does not say when it was made."""
        ...


def signer_for(verify: Verify, config: Mapping[str, JsonValue]) -> Signer:
    """A signer with secrets of its own. Raises Unsignable."""
    scheme = _chosen(verify, config)
    match scheme:
        case verification.Hmac() | verification.SecretHash():
            return _Keyed(scheme, _secret_text(scheme))
        case verification.Ed25519():
            return _PublicKey(scheme, ed25519.Ed25519PrivateKey.generate())
        case verification.Ecdsa():
            return _PublicKey(scheme, ec.generate_private_key(ec.SECP256R1()))
        case verification.TwilioForm():
            return _Twilio(scheme, _random())
        case verification.StaticToken():
            return _Token(scheme.token_place(), scheme.prefix, _field(scheme.fields), _random())
        case verification.BasicCredentials():
            return _Basic(_field(scheme.fields), f"{MARK}:{_random()}")
        case verification.StandardWebhooks():
            return _Standard(scheme, _random_bytes())
        case verification.Jwt():
            if scheme.algorithms != ("HS256",):
                raise Unsignable("its keys are at the vendor's own address, which only it can fill")
            return _Jwt(scheme, _random())
        case verification.SnsCertificate():
            raise Unsignable("only Amazon holds the certificate that signs")
        case verification.ClientCertificate():
            raise Unsignable("the certificate is forwarded by a proxy that the operator trusts")
        case verification.Addresses():
            raise Unsignable("the sender's network is all the proof there is")
        case _:
            assert_never(scheme)


def _chosen(verify: Verify, config: Mapping[str, JsonValue]) -> verification.Simple:
    match verify:
        case verification.Choice():
            name = config.get(verify.config, verify.default)
            scheme = verify.of.get(str(name))
            if scheme is None:
                raise Unsignable(f"the setting {verify.config} names no scheme")
            return scheme
        case verification.Configured():
            given = config.get(verify.config)
            if given is None:
                return verify.default
            try:
                return _SIMPLE.validate_python(given)
            except ValidationError:
                raise Unsignable(f"the setting {verify.config} holds no scheme") from None
        case _:
            return verify


def _random() -> str:
    return f"{MARK}{secrets.token_hex(16)}"


def _random_bytes() -> bytes:
    return secrets.token_bytes(32)


def _field(fields: tuple[FormField, ...]) -> str:
    return fields[0].name


def _secret_text(scheme: verification.Hmac | verification.SecretHash) -> str:
    if not isinstance(scheme, verification.Hmac):
        return _random()
    match scheme.secret_encoding:
        case "utf-8":
            encoded = _random()
        case "base64":
            encoded = base64.b64encode(_random_bytes()).decode()
        case "hex":
            encoded = _random_bytes().hex()
    return scheme.secret_prefix + encoded


def _encoded(proof: bytes, encoding: Literal["hex", "base64"]) -> str:
    return proof.hex() if encoding == "hex" else base64.b64encode(proof).decode()


def _moment(scheme: verification.Signed, at: float) -> str:
    milliseconds = scheme.window is not None and scheme.window.unit == "ms"
    return str(int(at * 1_000) if milliseconds else int(at))


def _content(
    scheme: verification.Signed, outgoing: Outgoing, moment: str, secret: str = ""
) -> bytes:
    """The bytes that are signed (see Template in the vocabulary)."""
    found = b""
    for kind, name in template_terms(scheme.content):
        if kind == "literal":
            found += name.encode()
            continue
        match name:
            case "body":
                found += outgoing.body
            case "method":
                found += b"POST"
            case "url":
                found += outgoing.url.encode()
            case "decoded_url":
                found += unquote(outgoing.url).encode()
            case "path":
                rest = outgoing.url.partition("://")[2].partition("/")[2]
                found += ("/" + rest.partition("?")[0]).encode()
            case "timestamp":
                found += moment.encode()
            case "secret":
                found += secret.encode()
            case _ if name.startswith("part:"):
                timestamp = scheme.window is not None and scheme.window.timestamp == name
                found += moment.encode() if timestamp else b""
            case _:
                found += (outgoing.at(name) or "").encode()
    return found


def _timed(scheme: verification.Signed, outgoing: Outgoing, moment: str) -> Outgoing:
    """The request with its timestamp, where that has a place of its own."""
    if scheme.window is None or scheme.window.timestamp.startswith("part:"):
        return outgoing
    return outgoing.put(scheme.window.timestamp, moment)


def _placed(
    scheme: verification.Signed, outgoing: Outgoing, signature: str, moment: str
) -> Outgoing:
    if scheme.parts is None:
        return outgoing.put(scheme.signature_place(), scheme.prefix + signature)
    parts = [f"{scheme.parts}={signature}"]
    if scheme.window is not None and scheme.window.timestamp.startswith("part:"):
        parts.insert(0, f"{scheme.window.timestamp.removeprefix('part:')}={moment}")
    return outgoing.put(scheme.signature_place(), scheme.prefix + scheme.separator.join(parts))


@dataclass(frozen=True, slots=True)
class _Keyed:
    """HMAC, or a hash over the secret."""

    scheme: verification.Hmac | verification.SecretHash
    secret: str = field(repr=False)

    @property
    def fields(self) -> Mapping[str, str]:
        return {_field(self.scheme.fields): self.secret}

    @property
    def proof(self) -> tuple[str, ...]:
        return (self.scheme.signature_place(),)

    @property
    def window(self) -> float | None:
        return self.scheme.window.tolerance if self.scheme.window else None

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        scheme = self.scheme
        moment = _moment(scheme, at)
        timed = _timed(scheme, outgoing, moment)
        content = _content(scheme, timed, moment, self.secret)
        if isinstance(scheme, verification.Hmac):
            digest = hmac.new(self._key(scheme), content, scheme.algorithm).digest()
        else:
            digest = hashlib.new(scheme.algorithm, content).digest()
        return _placed(scheme, timed, _encoded(digest, scheme.encoding), moment)

    def _key(self, scheme: verification.Hmac) -> bytes:
        bare = self.secret.removeprefix(scheme.secret_prefix)
        match scheme.secret_encoding:
            case "utf-8":
                return bare.encode()
            case "base64":
                return base64.b64decode(bare)
            case "hex":
                return bytes.fromhex(bare)


@dataclass(frozen=True, slots=True)
class _PublicKey:
    """Ed25519 or ECDSA on P-256."""

    scheme: verification.Ed25519 | verification.Ecdsa
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def fields(self) -> Mapping[str, str]:
        public = self.key.public_key()
        if isinstance(self.scheme, verification.Ed25519):
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            text = _encoded(raw, self.scheme.key_encoding)
        else:
            der = public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            text = base64.b64encode(der).decode()
        return {_field(self.scheme.fields): text}

    @property
    def proof(self) -> tuple[str, ...]:
        return (self.scheme.signature_place(),)

    @property
    def window(self) -> float | None:
        return self.scheme.window.tolerance if self.scheme.window else None

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        moment = _moment(self.scheme, at)
        timed = _timed(self.scheme, outgoing, moment)
        content = _content(self.scheme, timed, moment)
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            signature = self.key.sign(content)
        else:
            signature = self.key.sign(content, ec.ECDSA(hashes.SHA256()))
        return _placed(self.scheme, timed, _encoded(signature, self.scheme.encoding), moment)


@dataclass(frozen=True, slots=True)
class _Twilio:
    """Base64 of HMAC-SHA1 over the address and the sorted fields of the form."""

    scheme: verification.TwilioForm
    secret: str = field(repr=False)
    window: float | None = None

    @property
    def fields(self) -> Mapping[str, str]:
        return {_field(self.scheme.fields): self.secret}

    @property
    def proof(self) -> tuple[str, ...]:
        return (f"header:{self.scheme.header}",)

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        content = ""
        if outgoing.is_form():
            pairs = parse_qsl(outgoing.body.decode(), keep_blank_values=True)
            content = "".join(name + value for name, value in sorted(set(pairs)))
        elif outgoing.body:
            digest = hashlib.sha256(outgoing.body).hexdigest()
            outgoing = outgoing.with_query("bodySHA256", digest)
        signed = hmac.new(self.secret.encode(), (outgoing.url + content).encode(), "sha1").digest()
        return outgoing.with_header(self.scheme.header, base64.b64encode(signed).decode())


@dataclass(frozen=True, slots=True)
class _Token:
    """A shared token, sent as it is."""

    place: str
    prefix: str
    name: str
    secret: str = field(repr=False)
    window: float | None = None

    @property
    def fields(self) -> Mapping[str, str]:
        return {self.name: self.secret}

    @property
    def proof(self) -> tuple[str, ...]:
        return (self.place,)

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        return outgoing.put(self.place, self.prefix + self.secret)


@dataclass(frozen=True, slots=True)
class _Basic:
    """User name and password (RFC 7617)."""

    name: str
    secret: str = field(repr=False)
    proof: tuple[str, ...] = ("header:Authorization",)
    window: float | None = None

    @property
    def fields(self) -> Mapping[str, str]:
        return {self.name: self.secret}

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        pair = base64.b64encode(self.secret.encode()).decode()
        return outgoing.with_header("Authorization", f"Basic {pair}")


@dataclass(frozen=True, slots=True)
class _Standard:
    """Standard Webhooks 1.0."""

    scheme: verification.StandardWebhooks
    key: bytes = field(repr=False)

    @property
    def fields(self) -> Mapping[str, str]:
        return {_field(self.scheme.fields): "whsec_" + base64.b64encode(self.key).decode()}

    @property
    def proof(self) -> tuple[str, ...]:
        return (f"header:{self.scheme.header_prefix}signature",)

    @property
    def window(self) -> float | None:
        return self.scheme.tolerance

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        prefix = self.scheme.header_prefix
        message = outgoing.header(f"{prefix}id") or f"msg_{secrets.token_hex(12)}"
        moment = str(int(at))
        content = f"{message}.{moment}.".encode() + outgoing.body
        signed = base64.b64encode(hmac.new(self.key, content, "sha256").digest()).decode()
        return (
            outgoing.with_header(f"{prefix}id", message)
            .with_header(f"{prefix}timestamp", moment)
            .with_header(f"{prefix}signature", f"v1,{signed}")
        )


@dataclass(frozen=True, slots=True)
class _Jwt:
    """A JSON Web Token with a shared secret."""

    scheme: verification.Jwt
    secret: str = field(repr=False)

    @property
    def fields(self) -> Mapping[str, str]:
        values = {"webhook_secret": self.secret}
        for name in (self.scheme.issuer_field, self.scheme.audience_field):
            if name is not None:
                values[name] = f"{MARK}-{name}"
        return values | {name: f"{MARK}-{name}" for name in self.scheme.claims.values()}

    @property
    def proof(self) -> tuple[str, ...]:
        return (self.scheme.place,)

    @property
    def window(self) -> float | None:
        return _LIFETIME + self.scheme.leeway

    def sign(self, outgoing: Outgoing, at: float) -> Outgoing:
        scheme, fields = self.scheme, self.fields
        claims: dict[str, JsonValue] = {"iat": int(at), "exp": int(at) + _LIFETIME}
        if scheme.issuers:
            claims["iss"] = scheme.issuers[0]
        elif scheme.issuer_field is not None:
            claims["iss"] = fields[scheme.issuer_field]
        if scheme.audience_is_url:
            claims["aud"] = outgoing.url
        elif scheme.audience_field is not None:
            claims["aud"] = fields[scheme.audience_field]
        claims |= {claim: fields[name] for claim, name in scheme.claims.items()}
        token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(self.secret))
        return outgoing.put(scheme.place, scheme.prefix + token)
