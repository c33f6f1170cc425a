"""Who asks: by an API key or by an access token."""

from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.problem import Unauthenticated
from jackfield_gateway.service.access_tokens import AccessTokens
from jackfield_gateway.service.api_keys import ApiKeys


class Authentication:
    """Recognises actors."""

    def __init__(self, keys: ApiKeys, tokens: AccessTokens) -> None:
        self._keys = keys
        self._tokens = tokens

    async def actor(self, authorization: str | None, api_key: str | None) -> Actor:
        """Who sent these headers (`Authorization`, `X-API-Key`). Raises Unauthenticated, NotReady."""
        if authorization is not None and api_key is not None:
            raise Unauthenticated(
                "Give one credential: Authorization or X-API-Key.", error="invalid_request"
            )
        if api_key is not None:
            return await self._of_key(api_key)
        if authorization is None:
            raise Unauthenticated("Give an API key or an access token: Authorization: Bearer …")
        scheme, _, credential = authorization.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated(
                "The Authorization header has to read: Bearer, a space, and an API key or an access"
                " token (RFC 6750, 2.1).",
                error="invalid_request",
            )
        # Three parts are a token (RFC 7515, 7.1): no key of ours holds a dot.
        if credential.count(".") == 2:
            return self._tokens.actor(credential)
        return await self._of_key(credential)

    async def _of_key(self, key: str) -> Actor:
        actor = await self._keys.actor(key)
        if actor is None:
            raise Unauthenticated(
                "The API key is unknown, expired or revoked.", error="invalid_token"
            )
        return actor
