"""A request and its client, in Authlib's terms."""

from collections.abc import Collection

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from jackfield_oauth.models import Client, Scope, scope_text
from jackfield_oauth.service.protocol.facts import Effect, Facts
from jackfield_oauth.service.protocol.message import Identification, Message
from jackfield_oauth.service.protocol.redirects import matches


class RegisteredClient(ClientMixin):
    """A registered client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        """Its id."""
        return self.client.client_id

    def get_allowed_scope(self, scope: Collection[str] | str) -> str:
        """What it gets when it asks for `scope`; asking for nothing, all of its own except `sudo`."""
        if scope:
            return scope if isinstance(scope, str) else scope_text(tuple(scope))
        return scope_text([one for one in self.client.scopes if one != Scope.SUDO])

    def get_default_redirect_uri(self) -> str:
        """The only redirect address it has; empty when there are several."""
        return self.client.redirect_uris[0] if len(self.client.redirect_uris) == 1 else ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether this is one of its redirect addresses."""
        return any(matches(redirect_uri, known) for known in self.client.redirect_uris)

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may ask for a code."""
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it was registered for this grant."""
        return grant_type in self.client.grant_types


class ProtocolRequest(OAuth2Request):
    """A message on its way through Authlib: with what was read for it, gathering what to write."""

    def __init__(
        self, message: Message, identification: Identification | None, facts: Facts
    ) -> None:
        super().__init__(message.method, message.uri)  # pyright: ignore[reportUnknownMemberType]
        self.payload = BasicOAuth2Payload(dict(message.parameters))
        self.identification = identification
        self.facts = facts
        self.effects: list[Effect] = []

    @property
    def allowed_scope(self) -> str:
        """What is to be allowed, as Authlib settled it: what was asked for, or the client's default."""
        return self.scope or ""  # pyright: ignore[reportDeprecated] - of what Authlib sets, it is not

    @property
    def form(self) -> dict[str, str]:
        """The parameters."""
        assert self.payload is not None
        return self.payload.data
