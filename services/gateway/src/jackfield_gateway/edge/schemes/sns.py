"""Amazon SNS messages, signed with the certificate that they name."""

import base64
import binascii
import re
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import JsonValue

from jackfield_common.connector import verification
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.documents import Documents
from jackfield_gateway.edge.schemes.verifier import Secrets

CERTIFICATE_LIFETIME: Final = 86_400.0
_CERTIFICATE_URL: Final = re.compile(
    r"https://sns\.[a-z0-9-]{1,32}\.amazonaws\.com(?:\.cn)?/[A-Za-z0-9_-]{1,128}\.pem"
)
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip
_SIGNED: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_OPTIONAL: Final = frozenset({"Subject"})


def read_certificate(raw: bytes) -> x509.Certificate:
    """An X.509 certificate in PEM. Raises ValueError."""
    try:
        return x509.load_pem_x509_certificate(raw)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


class SnsVerifier:
    """Checks topic, age and signature of a message."""

    def __init__(
        self,
        scheme: verification.SnsCertificate,
        secrets: Secrets,
        documents: Documents[x509.Certificate],
    ) -> None:
        self._topics = frozenset(secrets.all("topic_arn"))
        self._tolerance = scheme.tolerance
        self._documents = documents
        self.proof_headers: frozenset[bytes] = frozenset()
        self.secret_places: tuple[str, ...] = ()
        self.expected = f"a signed Amazon SNS message of the topic, within {scheme.tolerance:g} s"

    def prepare(self, exchange: Exchange, now: float) -> Coroutine[None, None, None] | None:
        """As `Preparing.prepare`: fetch the certificate, once the message is one of the topic."""
        message = self._message(exchange)
        if isinstance(message, Reason):
            return None
        url = _text(message, "SigningCertURL")
        if self._documents.may_fetch(url, wanted=False):
            return self._documents.fetch(url)
        return None

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        message = self._message(exchange)
        if isinstance(message, Reason):
            return message
        try:
            sent = datetime.fromisoformat(_text(message, "Timestamp"))
        except ValueError:
            return Reason.MALFORMED
        if sent.tzinfo is None:
            sent = sent.replace(tzinfo=UTC)
        if abs(now - sent.timestamp()) > self._tolerance:
            return Reason.STALE
        certificate = self._documents.get(_text(message, "SigningCertURL"))
        if certificate is None:
            return Reason.KEYS
        at = datetime.fromtimestamp(now, UTC)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return Reason.STALE
        return _verify(message, certificate)

    def _message(self, exchange: Exchange) -> dict[str, JsonValue] | Reason:
        try:
            message = exchange.document()
        except ValueError:
            return Reason.MALFORMED
        if not isinstance(message, dict) or "Signature" not in message:
            return Reason.MISSING
        signed = _SIGNED.get(_text(message, "Type"))
        if signed is None or any(
            not isinstance(message.get(name), str)
            for name in signed
            if name not in _OPTIONAL or name in message
        ):
            return Reason.MALFORMED
        if _text(message, "TopicArn") not in self._topics:
            return Reason.SIGNATURE
        if not _CERTIFICATE_URL.fullmatch(_text(message, "SigningCertURL")):
            return Reason.MALFORMED
        return message


def _verify(message: dict[str, JsonValue], certificate: x509.Certificate) -> Reason | None:
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(_text(message, "SignatureVersion"))  # noqa: S303
    key = certificate.public_key()
    text = _text(message, "Signature").encode()
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Reason.MALFORMED
    if algorithm is None or base64.b64encode(signature) != text:
        return Reason.MALFORMED
    if not isinstance(key, rsa.RSAPublicKey):
        return Reason.SIGNATURE
    names = [name for name in _SIGNED[_text(message, "Type")] if name in message]
    content = "".join(f"{name}\n{_text(message, name)}\n" for name in names).encode()
    try:
        key.verify(signature, content, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        return Reason.SIGNATURE
    return None


def _text(message: dict[str, JsonValue], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""
