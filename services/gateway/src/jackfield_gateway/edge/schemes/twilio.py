"""Twilio's request signature, as its documentation and its libraries have it."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from jackfield_common.connector import verification
from jackfield_gateway.edge.exchange import FORM, Exchange
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.verifier import Secrets

_MAX_FIELDS = 1000


class TwilioVerifier:
    """Base64 of HMAC-SHA1 over the address and, for a form, its fields sorted and joined."""

    def __init__(self, scheme: verification.TwilioForm, secrets: Secrets) -> None:
        self._keys = [text.encode() for text in secrets.all("webhook_secret")]
        self._header = scheme.header.lower().encode()
        self.proof_headers = frozenset({self._header})
        self.secret_places: tuple[str, ...] = ()
        self.expected = f"header {scheme.header}: Twilio's signature of the public address"

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        if exchange.repeated is not None and self._header in exchange.repeated:
            return Reason.REPEATED
        given = exchange.headers.get(self._header)
        if not given:
            return Reason.MISSING
        if exchange.content_type == FORM:
            try:
                fields = parse_qsl(
                    exchange.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS
                )
            except ValueError:
                return Reason.MALFORMED
            tail = "".join(name + value for name, value in sorted(set(fields)))
        else:
            covered = exchange.parameters().get("bodySHA256")
            if covered is None:
                return Reason.MISSING
            digest = hashlib.sha256(exchange.body).hexdigest()
            if not hmac.compare_digest(digest.encode(), covered.encode()):
                return Reason.SIGNATURE
            tail = ""
        holds = False
        for key in self._keys:
            for url in _with_and_without_port(exchange.url):
                wanted = base64.b64encode(hmac.digest(key, (url + tail).encode(), "sha1"))
                holds |= hmac.compare_digest(wanted, given)
        return None if holds else Reason.SIGNATURE


def _with_and_without_port(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, "443" if parts.scheme == "https" else "80"
    bare = urlunsplit(parts._replace(netloc=name))
    return bare, urlunsplit(parts._replace(netloc=f"{name}:{port}"))
