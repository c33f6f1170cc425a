"""OpenID Connect Core 1.0: the id_token beside an access token, and what userinfo says."""

import time
from typing import Any, Final

from authlib.oidc.core.grants import OpenIDCode

from jackfield_oauth.models import IdentityScope, Person, scopes_of
from jackfield_oauth.service.signing_keys import KeyRing

_LIFETIME: Final = 3600


class IdTokens(OpenIDCode):
    """Adds an id_token where the scope `openid` was allowed."""

    def __init__(self, keys: KeyRing, issuer: str) -> None:
        super().__init__(require_nonce=False)
        self._keys = keys
        self._issuer = issuer

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """Not asked: codes are single-use, and bound to the client by PKCE."""
        return False

    def generate_user_info(self, user: Person, scope: str) -> Any:
        """The claims about the person that the scope opens."""
        return claims_of(user, scope)

    def resolve_client_private_key(self, client: Any) -> Any:
        """The key that signs now."""
        return self._keys.signer().key

    def get_client_algorithm(self, client: Any) -> str:
        """Its algorithm."""
        return self._keys.signer().algorithm

    def get_encode_header(self, client: Any) -> dict[str, str]:
        """The header of the id_token."""
        signer = self._keys.signer()
        return {"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT"}

    def get_client_claims(self, client: Any) -> dict[str, object]:
        """Issuer, audience and lifetime."""
        issued = int(time.time())
        return {
            "iss": self._issuer,
            "aud": client.get_client_id(),
            "iat": issued,
            "exp": issued + _LIFETIME,
        }


def claims_of(person: Person, scope: str) -> dict[str, object]:
    """What a client with this scope may know of a person (5.4)."""
    scopes = scopes_of(scope)
    claims: dict[str, object] = {"sub": person.user_id}
    if IdentityScope.PROFILE in scopes:
        claims["name"] = person.name
    if IdentityScope.EMAIL in scopes:
        claims |= {"email": person.email, "email_verified": False}
    return claims
