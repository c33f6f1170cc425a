"""Proof by where the request comes from: a client certificate forwarded by a proxy, or a network."""

import binascii
import hmac
import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization

from jackfield_common.connector import verification
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.limits import Networks
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.verifier import Secrets, Unusable

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_ENVOY: Final = re.compile(r'(?:^|[;,])Cert="([^"]*)"')
_MAX_CERTIFICATE: Final = 16 * 1024


class CertificateVerifier:
    """mTLS ended at a trusted proxy: the certificate comes as URL-encoded PEM.

    Takes nginx' `$ssl_client_escaped_cert` as it is, and the `Cert` of Envoy's
    X-Forwarded-Client-Cert. The proxy has to have checked that the client holds the key.
    """

    def __init__(self, scheme: verification.ClientCertificate, secrets: Secrets) -> None:
        self._header = scheme.header.lower().encode()
        self._fingerprints: list[bytes] = []
        self._authorities: list[x509.Certificate] = []
        for text in secrets.all("client_certificate"):
            if "-----BEGIN" in text:
                try:
                    self._authorities.append(x509.load_pem_x509_certificate(text.encode()))
                except (ValueError, x509.InvalidVersion):
                    raise Unusable("client_certificate is not a certificate in PEM") from None
            else:
                plain = text.replace(":", "").strip().lower()
                if not _FINGERPRINT.fullmatch(plain):
                    raise Unusable("client_certificate is neither a SHA-256 fingerprint nor PEM")
                self._fingerprints.append(binascii.unhexlify(plain))
        self.proof_headers = frozenset({self._header})
        self.secret_places: tuple[str, ...] = ()
        self.expected = f"a client certificate, forwarded in {scheme.header} by a trusted proxy"

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        if not exchange.through_proxy:
            return Reason.MISSING
        if exchange.repeated is not None and self._header in exchange.repeated:
            return Reason.REPEATED
        given = exchange.headers.get(self._header)
        if not given:
            return Reason.MISSING
        certificate = _certificate(given)
        if certificate is None:
            return Reason.MALFORMED
        at = datetime.fromtimestamp(now, UTC)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return Reason.STALE
        return None if self._is_known(certificate) else Reason.SIGNATURE

    def _is_known(self, certificate: x509.Certificate) -> bool:
        fingerprint = certificate.fingerprint(hashes.SHA256())
        if any(hmac.compare_digest(known, fingerprint) for known in self._fingerprints):
            return True
        return any(_issued(certificate, authority) for authority in self._authorities)


def _certificate(header: bytes) -> x509.Certificate | None:
    text = header.decode("latin-1")
    envoy = _ENVOY.search(text)
    pem = unquote(text if envoy is None else envoy[1])
    if len(pem) > _MAX_CERTIFICATE:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, x509.InvalidVersion):
        return None
    # one certificate, and nothing around it that somebody else may read differently
    alone = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return certificate if pem in (alone, alone.rstrip("\n")) else None


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


class AddressesVerifier:
    """The sender's network is all the proof there is."""

    def __init__(self, scheme: verification.Addresses, secrets: Secrets) -> None:
        given = secrets.first("networks") or ""
        texts = tuple(one.strip() for one in given.split(",") if one.strip())
        try:
            self._networks = Networks((*scheme.networks, *texts))
        except ValueError:
            raise Unusable("networks holds something that is no network (CIDR)") from None
        if not self._networks:
            raise Unusable("networks is not filled in")
        self.proof_headers: frozenset[bytes] = frozenset()
        self.secret_places: tuple[str, ...] = ()
        self.expected = "a sender in the allowed networks"

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        return None if exchange.source in self._networks else Reason.ADDRESS
