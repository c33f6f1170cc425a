"""Introspection (RFC 7662) and revocation (RFC 7009)."""

from typing import Any, Final

from authlib.oauth2.rfc6749 import ClientMixin, InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from jackfield_oauth.service.access_tokens import AccessToken
from jackfield_oauth.service.protocol.server import (
    SECRET_METHODS,
    ProtocolRequest,
    RegisteredClient,
    RevokeAccessToken,
)


class PresentedToken:
    """A token that a request is about, in Authlib's terms."""

    def __init__(self, token: AccessToken, revoked: bool) -> None:
        self.token = token
        self._revoked = revoked

    def check_client(self, client: ClientMixin) -> bool:
        """Whether it was issued to this client."""
        return self.token.client_id == client.get_client_id()

    def is_expired(self) -> bool:
        """Never: an expired one is not read at all."""
        return False

    def is_revoked(self) -> bool:
        """Whether it was revoked."""
        return self._revoked


def _presented(request: ProtocolRequest) -> PresentedToken | None:
    facts = request.facts
    return None if facts.token is None else PresentedToken(facts.token, facts.revoked)


def _check_params(request: ProtocolRequest) -> None:
    # An unknown hint is ignored (RFC 7009, 2.2): it is one.
    if "token" not in request.form:
        raise InvalidRequestError(description="The parameter token is missing.")


class Introspection(IntrospectionEndpoint):
    """A client learns of its own tokens; a resource server of all tokens of its tenant."""

    CLIENT_AUTH_METHODS: Final = SECRET_METHODS

    def __init__(self, request: ProtocolRequest) -> None:
        super().__init__(None)  # pyright: ignore[reportUnknownMemberType]
        self._request = request

    def check_params(self, request: Any, client: Any) -> None:
        """Refuse a request without a token."""
        _check_params(self._request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> PresentedToken | None:
        """The token that was read for this request."""
        return _presented(self._request)

    def check_permission(
        self, token: PresentedToken, client: RegisteredClient, request: Any
    ) -> bool:
        """Whether this client may know of this token."""
        if token.check_client(client):
            return True
        return client.client.introspects and client.client.tenant == token.token.tenant

    def introspect_token(self, token: PresentedToken) -> dict[str, object]:
        """What is said of an active token (RFC 7662, 2.2)."""
        claims = token.token.model_dump(mode="json", exclude_none=True)
        return {"active": True, "token_type": "Bearer", **claims}


class Revocation(RevocationEndpoint):
    """A client gives a token of its own up."""

    CLIENT_AUTH_METHODS: Final = (*SECRET_METHODS, "none")

    def __init__(self, request: ProtocolRequest) -> None:
        super().__init__(None)  # pyright: ignore[reportUnknownMemberType]
        self._request = request

    def check_params(self, request: Any, client: Any) -> None:
        """Refuse a request without a token."""
        _check_params(self._request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> PresentedToken | None:
        """The token that was read for this request."""
        return _presented(self._request)

    def revoke_token(self, token: PresentedToken, request: Any) -> None:
        """Revoke it when the request is over."""
        self._request.effects.append(RevokeAccessToken(token.token))
