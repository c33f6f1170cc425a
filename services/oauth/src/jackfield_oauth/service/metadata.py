"""What the server says of itself: RFC 8414 metadata, and the same for OpenID Connect Discovery 1.0."""

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from jackfield_oauth.models import Scope
from jackfield_oauth.service.authorization import GRANT_TYPES
from jackfield_oauth.service.protocol.server import SECRET_METHODS

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
INTROSPECT_PATH = "/oauth2/introspect"
REVOKE_PATH = "/oauth2/revoke"
JWKS_PATH = "/oauth2/jwks"


def metadata(issuer: str) -> dict[str, object]:
    """The document (RFC 8414, 2); every address starts with the issuer."""
    document: dict[str, object] = {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "introspection_endpoint": issuer + INTROSPECT_PATH,
        "revocation_endpoint": issuer + REVOKE_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": [scope.value for scope in Scope],
        "response_types_supported": [],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(SECRET_METHODS),
        "introspection_endpoint_auth_methods_supported": list(SECRET_METHODS),
        "revocation_endpoint_auth_methods_supported": [*SECRET_METHODS, "none"],
    }
    if issuer.startswith("https:"):
        # Authlib's check wants https everywhere; on loopback (RFC 8252, 8.3) there is none.
        AuthorizationServerMetadata(document).validate()
    return document
