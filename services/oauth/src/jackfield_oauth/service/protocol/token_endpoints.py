"""Introspection (RFC 7662) and revocation (RFC 7009)."""

from typing import Any, Final

from authlib.oauth2.rfc6749 import ClientMixin, InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from jackfield_common.events.message import now
from jackfield_oauth.models import IssuedRefreshToken
from jackfield_oauth.service.access_tokens import AccessToken
from jackfield_oauth.service.protocol.facts import RevokeAccessToken, RevokeGrant
from jackfield_oauth.service.protocol.grants import METHODS, SECRET_METHODS
from jackfield_oauth.service.protocol.request import ProtocolRequest, RegisteredClient


class PresentedToken:
    """A token that a request is about, in Authlib's terms."""

    def __init__(self, token: AccessToken | IssuedRefreshToken, revoked: bool) -> None:
        self.token = token
        self._revoked = revoked

    @property
    def client_id(self) -> str:
        """Whom it was issued to."""
        if isinstance(self.token, AccessToken):
            return self.token.client_id
        return self.token.grant.client_id

    @property
    def tenant(self) -> str:
        """Whose it is."""
        if isinstance(self.token, AccessToken):
            return self.token.tenant
        return self.token.grant.tenant

    def check_client(self, client: ClientMixin) -> bool:
        """Whether it was issued to this client."""
        return self.client_id == client.get_client_id()

    def is_expired(self) -> bool:
        """Whether its time is over; an access token that has expired is not even read."""
        return isinstance(self.token, IssuedRefreshToken) and self.token.expires_at <= now()

    def is_revoked(self) -> bool:
        """Whether it was revoked, or spent."""
        return self._revoked


def _presented(request: ProtocolRequest) -> PresentedToken | None:
    facts = request.facts
    if facts.token is not None:
        return PresentedToken(facts.token, facts.revoked)
    if facts.refresh is not None:
        spent = facts.refresh.used_at is not None
        return PresentedToken(facts.refresh, facts.refresh.grant.revoked or spent)
    return None


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
        return client.client.introspects and client.client.tenant == token.tenant

    def introspect_token(self, token: PresentedToken) -> dict[str, object]:
        """What is said of an active token (RFC 7662, 2.2)."""
        if isinstance(token.token, AccessToken):
            claims = token.token.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            return {"active": True, "token_type": "Bearer", **claims}
        grant = token.token.grant
        return {
            "active": True,
            "token_type": "refresh_token",
            "client_id": grant.client_id,
            "sub": grant.user_id,
            "scope": " ".join(grant.scopes),
            "exp": int(token.token.expires_at.timestamp()),
            "tenant": grant.tenant,
        }


class Revocation(RevocationEndpoint):
    """A client gives a token of its own up; with a refresh token, all that hangs on its grant."""

    CLIENT_AUTH_METHODS: Final = METHODS

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
        if isinstance(token.token, AccessToken):
            self._request.effects.append(RevokeAccessToken(token.token))
        else:
            self._request.effects.append(
                RevokeGrant(token.token.grant, "its client gave the refresh token up")
            )
