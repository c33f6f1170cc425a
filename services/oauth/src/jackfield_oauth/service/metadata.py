"""What the server says of itself: RFC 8414 metadata and OpenID Connect Discovery 1.0 in one document."""

from typing import Final

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from jackfield_oauth.service.authorization import GRANT_TYPES
from jackfield_oauth.service.consent import AUTHORIZE_PATH
from jackfield_oauth.service.protocol.grants import METHODS, SECRET_METHODS
from jackfield_oauth.service.protocol.server import SCOPES

TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path
INTROSPECT_PATH: Final = "/oauth2/introspect"
REVOKE_PATH: Final = "/oauth2/revoke"
DEVICE_AUTHORIZATION_PATH: Final = "/oauth2/device_authorization"
PUSH_PATH: Final = "/oauth2/par"
JWKS_PATH: Final = "/oauth2/jwks"
USERINFO_PATH: Final = "/oauth2/userinfo"

_CLAIMS: Final = (
    *("sub", "iss", "aud", "exp", "iat", "nonce", "auth_time", "amr", "at_hash"),
    *("name", "email", "email_verified"),
)


def metadata(issuer: str, algorithm: str) -> dict[str, object]:
    """The document (RFC 8414, 2); every address starts with the issuer."""
    document: dict[str, object] = {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "introspection_endpoint": issuer + INTROSPECT_PATH,
        "revocation_endpoint": issuer + REVOKE_PATH,
        "pushed_authorization_request_endpoint": issuer + PUSH_PATH,
        "device_authorization_endpoint": issuer + DEVICE_AUTHORIZATION_PATH,
        "userinfo_endpoint": issuer + USERINFO_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm],
        "claims_supported": list(_CLAIMS),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "introspection_endpoint_auth_methods_supported": list(SECRET_METHODS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_parameter_supported": False,
    }
    if issuer.startswith("https:"):
        # Authlib's check wants https everywhere; on loopback (RFC 8252, 8.3) there is none.
        AuthorizationServerMetadata(document).validate()
    return document
