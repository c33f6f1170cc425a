"""Signatures over a template: HMAC, keyed hashes, Ed25519, ECDSA."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from jackfield_common.connector import verification
from jackfield_common.connector.verification import KeyEncoding
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.places import (
    NO_PARTS,
    Parts,
    Value,
    compile_place,
    compile_template,
    headers_of,
    places_of,
)
from jackfield_gateway.edge.schemes.verifier import Secrets, Unusable

MAX_SIGNATURES: Final = 8
"""How many signatures of one header are looked at."""
_MAX_PARTS: Final = 32
_MAX_TIMESTAMP: Final = 16

Judge = Callable[[Exchange, Parts, Sequence[bytes]], Reason | None]
"""Decides whether one of the signatures holds."""


class SignedVerifier:
    """Finds the signatures, checks the replay window, and lets a judge compare."""

    def __init__(self, scheme: verification.Signed, judge: Judge, expected: str) -> None:
        place = scheme.signature_place()
        self._signature = compile_place(place)
        self._prefix = scheme.prefix.encode()
        self._part = None if scheme.parts is None else scheme.parts.encode()
        self._separator = scheme.separator.encode()
        self._judge = judge
        window = scheme.window
        self._timestamp = None if window is None else compile_place(window.timestamp)
        self._tolerance = 0.0 if window is None else window.tolerance
        self._scale = 1000 if window is not None and window.unit == "ms" else 1
        stamped = () if window is None else (window.timestamp,)
        self._proof = headers_of((place, *places_of(scheme.content), *stamped))
        self.proof_headers = headers_of((place,))
        self.secret_places: tuple[str, ...] = ()
        self.expected = expected

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        if exchange.repeated is not None and not self._proof.isdisjoint(exchange.repeated):
            return Reason.REPEATED
        given = self._signature(exchange, NO_PARTS)
        if not given:
            return Reason.MISSING
        parts: Parts = NO_PARTS
        if self._part is None:
            if not given.startswith(self._prefix):
                return Reason.MALFORMED
            signatures: Sequence[bytes] = (given[len(self._prefix) :],)
        else:
            taken = take_apart(given, self._separator, self._part)
            if taken is None:
                return Reason.MALFORMED
            parts, signatures = taken
        if self._timestamp is not None:
            stale = self._outside_window(self._timestamp(exchange, parts), now)
            if stale is not None:
                return stale
        return self._judge(exchange, parts, signatures)

    def _outside_window(self, timestamp: bytes | None, now: float) -> Reason | None:
        if timestamp is None:
            return Reason.MISSING
        if not timestamp.isdigit() or len(timestamp) > _MAX_TIMESTAMP:
            return Reason.MALFORMED
        if abs(now - int(timestamp) / self._scale) > self._tolerance:
            return Reason.STALE
        return None


def take_apart(
    header: bytes, separator: bytes, signature: bytes
) -> tuple[Parts, Sequence[bytes]] | None:
    """A header of `k=v` parts: its other parts, and the values of `signature`.

    None when it is not of that form, or another part comes twice: which one counts would be a guess.
    """
    parts: dict[bytes, bytes] = {}
    signatures: list[bytes] = []
    items = header.split(separator, _MAX_PARTS)
    if len(items) > _MAX_PARTS:
        return None
    for item in items:
        name, equals, value = item.strip().partition(b"=")
        if not equals:
            return None
        if name == signature:
            signatures.append(value)
        elif name in parts:
            return None
        else:
            parts[name] = value
    if not signatures:
        return None
    return parts, signatures[:MAX_SIGNATURES]


class KeyedHash:
    """HMAC (RFC 2104) with the work for the key done ahead (its section 4)."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, algorithm: str) -> None:
        block = hashlib.new(algorithm).block_size
        if len(key) > block:
            key = hashlib.new(algorithm, key).digest()
        key = key.ljust(block, b"\0")
        self._inner = hashlib.new(algorithm, bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.new(algorithm, bytes(byte ^ 0x5C for byte in key))

    def digest(self, content: bytes) -> bytes:
        """The authentication code of `content`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.digest()


def hmac_verifier(scheme: verification.Hmac, secrets: Secrets) -> SignedVerifier:
    """HMAC with each live secret. Raises Unusable when a secret is not in the declared encoding."""
    keys = [
        KeyedHash(key_bytes(text, scheme.secret_encoding, scheme.secret_prefix), scheme.algorithm)
        for text in secrets.all("webhook_secret")
    ]
    algorithm, encode = scheme.algorithm, _ENCODERS[scheme.encoding]
    timestamp = None if scheme.window is None else compile_place(scheme.window.timestamp)
    content_of = compile_template(scheme.content, timestamp)

    def judge(exchange: Exchange, parts: Parts, signatures: Sequence[bytes]) -> Reason | None:
        content = content_of(exchange, parts)
        if content is None:
            return Reason.MISSING
        for key in keys:
            wanted = encode(key.digest(content))
            for signature in signatures:
                if hmac.compare_digest(wanted, signature):
                    return None
        return Reason.SIGNATURE

    return SignedVerifier(scheme, judge, _describe(scheme, f"HMAC-{algorithm.upper()}"))


def hash_verifier(scheme: verification.SecretHash, secrets: Secrets) -> SignedVerifier:
    """A plain hash over content that includes the secret."""
    algorithm, encode = scheme.algorithm, _ENCODERS[scheme.encoding]
    timestamp = None if scheme.window is None else compile_place(scheme.window.timestamp)
    contents: list[Value] = [
        compile_template(scheme.content, timestamp, text.encode())
        for text in secrets.all("webhook_secret")
    ]

    def judge(exchange: Exchange, parts: Parts, signatures: Sequence[bytes]) -> Reason | None:
        for content_of in contents:
            content = content_of(exchange, parts)
            if content is None:
                return Reason.MISSING
            wanted = encode(hashlib.new(algorithm, content).digest())
            for signature in signatures:
                if hmac.compare_digest(wanted, signature):
                    return None
        return Reason.SIGNATURE

    return SignedVerifier(scheme, judge, _describe(scheme, algorithm.upper()))


def ed25519_verifier(scheme: verification.Ed25519, secrets: Secrets) -> SignedVerifier:
    """Ed25519 with each live public key. Raises Unusable when a key is not one."""
    keys: list[ed25519.Ed25519PublicKey] = []
    for text in secrets.all("public_key"):
        try:
            raw = key_bytes(text.strip(), scheme.key_encoding, "")
            keys.append(ed25519.Ed25519PublicKey.from_public_bytes(raw))
        except ValueError:
            raise Unusable("public_key is not an Ed25519 public key") from None

    def holds(content: bytes, signature: bytes) -> bool:
        return any(_verifies(lambda key=key: key.verify(signature, content)) for key in keys)

    return _public_key_verifier(scheme, holds, "Ed25519")


def ecdsa_verifier(scheme: verification.Ecdsa, secrets: Secrets) -> SignedVerifier:
    """ECDSA P-256 with each live public key. Raises Unusable when a key is not one."""
    keys = [_p256(text) for text in secrets.all("public_key")]
    algorithm = ec.ECDSA(hashes.SHA256())

    def holds(content: bytes, signature: bytes) -> bool:
        return any(
            _verifies(lambda key=key: key.verify(signature, content, algorithm)) for key in keys
        )

    return _public_key_verifier(scheme, holds, "ECDSA P-256")


def _public_key_verifier(
    scheme: verification.Signed, holds: Callable[[bytes, bytes], bool], name: str
) -> SignedVerifier:
    decode = _DECODERS[scheme.encoding]
    timestamp = None if scheme.window is None else compile_place(scheme.window.timestamp)
    content_of = compile_template(scheme.content, timestamp)

    def judge(exchange: Exchange, parts: Parts, signatures: Sequence[bytes]) -> Reason | None:
        content = content_of(exchange, parts)
        if content is None:
            return Reason.MISSING
        for text in signatures:
            signature = decode(text)
            if signature is None:
                return Reason.MALFORMED
            if holds(content, signature):
                return None
        return Reason.SIGNATURE

    return SignedVerifier(scheme, judge, _describe(scheme, name))


def _verifies(check: Callable[[], None]) -> bool:
    try:
        check()
    except InvalidSignature:
        return False
    return True


def _p256(text: str) -> ec.EllipticCurvePublicKey:
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_der_public_key(base64.b64decode(text.strip(), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("public_key is neither PEM nor base64 of a DER public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unusable("public_key is not on the curve P-256")
    return key


def key_bytes(text: str, encoding: KeyEncoding, prefix: str) -> bytes:
    """A secret as bytes. Raises Unusable when it is not in its encoding."""
    text = text.removeprefix(prefix)
    try:
        match encoding:
            case "utf-8":
                return text.encode()
            case "hex":
                return bytes.fromhex(text)
            case "base64":
                return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Unusable(f"the secret is not {encoding}") from None


def _hex(raw: bytes) -> bytes:
    return binascii.hexlify(raw)


def _base64(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False)


def _from_hex(text: bytes) -> bytes | None:
    # only the canonical text: what a second spelling would be good for is not ours to find out
    try:
        raw = binascii.unhexlify(text)
    except ValueError:
        return None
    return raw if _hex(raw) == text else None


def _from_base64(text: bytes) -> bytes | None:
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return raw if _base64(raw) == text else None


_ENCODERS: Final = {"hex": _hex, "base64": _base64}
_DECODERS: Final = {"hex": _from_hex, "base64": _from_base64}


def _describe(scheme: verification.Signed, algorithm: str) -> str:
    where = scheme.signature_place().replace("header:", "header ")
    form = scheme.encoding if scheme.parts is None else f"{scheme.parts}={scheme.encoding}"
    text = f"{where}: {scheme.prefix}{form} of {algorithm} over {scheme.content}"
    if scheme.window is not None:
        text += f"; {scheme.window.timestamp} within {scheme.window.tolerance:g} s"
    return text
