"""From a declared scheme and an integration's secrets to a verifier."""

from collections.abc import Mapping

from cryptography.x509 import Certificate
from joserfc.jwk import KeySet
from pydantic import JsonValue, TypeAdapter, ValidationError

from jackfield_common.connector import verification
from jackfield_common.connector.verification import SimpleVerify, Verify
from jackfield_gateway.edge.schemes.documents import Documents, Fetching
from jackfield_gateway.edge.schemes.jwt import KEYS_LIFETIME, JwtVerifier, read_keys
from jackfield_gateway.edge.schemes.network import AddressesVerifier, CertificateVerifier
from jackfield_gateway.edge.schemes.shared import (
    BasicVerifier,
    StandardWebhooksVerifier,
    TokenVerifier,
)
from jackfield_gateway.edge.schemes.signed import (
    ecdsa_verifier,
    ed25519_verifier,
    hash_verifier,
    hmac_verifier,
)
from jackfield_gateway.edge.schemes.sns import (
    CERTIFICATE_LIFETIME,
    SnsVerifier,
    read_certificate,
)
from jackfield_gateway.edge.schemes.twilio import TwilioVerifier
from jackfield_gateway.edge.schemes.verifier import Secrets, Unusable, Verifier

_SIMPLE: TypeAdapter[verification.Simple] = TypeAdapter(SimpleVerify)


def chosen(verify: Verify, config: Mapping[str, JsonValue]) -> verification.Simple:
    """The one scheme an installation uses. Raises Unusable when its config names none."""
    if isinstance(verify, verification.Choice):
        name = config.get(verify.config, verify.default)
        scheme = verify.of.get(name) if isinstance(name, str) else None
        if scheme is None:
            raise Unusable(f"{verify.config} names no scheme; one of {', '.join(verify.of)}")
        return scheme
    if isinstance(verify, verification.Configured):
        given = config.get(verify.config)
        if given is None:
            return verify.default
        try:
            return _SIMPLE.validate_python(given)
        except ValidationError as error:
            raise Unusable(f"{verify.config}: {error.errors()[0]['msg']}") from None
    return verify


class Compiler:
    """Compiles schemes; holds what they fetch, so that integrations share it."""

    def __init__(self, fetcher: Fetching) -> None:
        self._keys = Documents[KeySet](fetcher, read_keys, KEYS_LIFETIME)
        self._certificates = Documents[Certificate](fetcher, read_certificate, CERTIFICATE_LIFETIME)

    def compile(self, scheme: verification.Simple, secrets: Secrets) -> Verifier:
        """A verifier. Raises Unusable when the secrets are missing or not what the scheme needs."""
        match scheme:
            case verification.Hmac():
                return hmac_verifier(scheme, secrets)
            case verification.SecretHash():
                return hash_verifier(scheme, secrets)
            case verification.Ed25519():
                return ed25519_verifier(scheme, secrets)
            case verification.Ecdsa():
                return ecdsa_verifier(scheme, secrets)
            case verification.TwilioForm():
                return TwilioVerifier(scheme, secrets)
            case verification.SnsCertificate():
                return SnsVerifier(scheme, secrets, self._certificates)
            case verification.Jwt():
                return JwtVerifier(scheme, secrets, self._keys)
            case verification.StaticToken():
                return TokenVerifier(scheme, secrets)
            case verification.BasicCredentials():
                return BasicVerifier(scheme, secrets)
            case verification.StandardWebhooks():
                return StandardWebhooksVerifier(scheme, secrets)
            case verification.ClientCertificate():
                return CertificateVerifier(scheme, secrets)
            case verification.Addresses():
                return AddressesVerifier(scheme, secrets)
