"""Authlib's authorization server, on facts read before and effects written after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidScopeError,
    OAuth2Error,
    TokenEndpoint,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator

from jackfield_oauth.models import Client, Scope, scope_text, scopes_of
from jackfield_oauth.service.access_tokens import AccessToken, AccessTokens, Issue
from jackfield_oauth.service.protocol.message import (
    Identification,
    Message,
    Reply,
    unauthenticated,
)
from jackfield_oauth.service.secrets import SecretHash

SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read for one request. `token` is the access token that it is about, if it is one."""

    client: Client | None
    token: AccessToken | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class RevokeAccessToken:
    """Effect: this token is no longer good."""

    token: AccessToken


Effect = RevokeAccessToken


class RegisteredClient(ClientMixin):
    """A client, in Authlib's terms."""

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

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it was registered for this grant."""
        return grant_type in self.client.grant_types


class ProtocolRequest(OAuth2Request):
    """A message on its way through Authlib."""

    def __init__(
        self, message: Message, identification: Identification | None, facts: Facts
    ) -> None:
        super().__init__("POST", message.uri)  # pyright: ignore[reportUnknownMemberType]
        self.payload = BasicOAuth2Payload(dict(message.parameters))
        self.identification = identification
        self.facts = facts
        self.effects: list[Effect] = []

    @property
    def form(self) -> dict[str, str]:
        """The parameters of the body."""
        assert self.payload is not None
        return self.payload.data


@dataclass(frozen=True, slots=True)
class Rules:
    """What the server is made with, the same for every request."""

    tokens: AccessTokens
    secrets: SecretHash
    audience: str
    scopes: tuple[str, ...] = tuple(Scope)


class CredentialsGrant(ClientCredentialsGrant):
    """Client credentials (RFC 6749, 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(SECRET_METHODS)


@dataclass
class _NoClientSecret:
    """Compared with when the client is unknown, so that it takes as long as a wrong secret."""

    digest: bytes = field(default=b"\0" * 32)


_NOBODY: Final = _NoClientSecret()


def answer_of(error: OAuth2Error) -> tuple[int, Mapping[str, object] | str, dict[str, str]]:
    """Status, body and headers of an error, as its RFC has them."""
    answer: Any = error()  # pyright: ignore[reportUnknownVariableType]
    status, body, headers = cast(
        tuple[int, Mapping[str, object] | str, list[tuple[str, str]]], answer
    )
    return status, body, dict(headers)


class Server(AuthorizationServer):
    """An authorization server for one request: Authlib looks clients up without saying for whom."""

    def __init__(self, rules: Rules, request: ProtocolRequest) -> None:
        super().__init__(scopes_supported=rules.scopes)
        self._rules = rules
        self._request = request
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                access_token_generator=self._make_access_token,
                expires_generator=self._lifetime,
            ),
        )
        self.register_grant(CredentialsGrant)

    def answer_token_request(self) -> Reply:
        """Carry the request through its grant."""
        return cast(Reply, self.create_token_response(self._request))  # pyright: ignore[reportUnknownMemberType]

    def answer_token_endpoint(self, endpoint: TokenEndpoint) -> Reply:
        """Carry the request through an endpoint that is about a token."""
        self.register_endpoint(endpoint)  # pyright: ignore[reportUnknownMemberType]
        reply = cast(Any, self.create_endpoint_response(endpoint.ENDPOINT_NAME, self._request))  # pyright: ignore[reportUnknownMemberType]
        return cast(Reply, reply)

    def query_client(self, client_id: str) -> Any:
        """The client that was read for this request."""
        client = self._request.facts.client
        return RegisteredClient(client) if client and client.client_id == client_id else None

    def authenticate_client(
        self, request: OAuth2Request, methods: Collection[str], endpoint: str = "token"
    ) -> ClientMixin:
        """The client of the request. Raises InvalidClientError, the same whatever was wrong."""
        identification, client = self._request.identification, self._request.facts.client
        if identification is None or identification.method not in methods:
            raise unauthenticated()
        if identification.method in SECRET_METHODS:
            kept = client.secret_digest if client is not None else None
            matches = self._rules.secrets.matches(
                identification.secret, kept if kept is not None else _NOBODY.digest
            )
            if client is None or kept is None or not matches:
                raise unauthenticated()
        elif client is None or client.auth_method != "none":
            raise unauthenticated()
        request.auth_method = identification.method
        return RegisteredClient(client)

    def validate_requested_scope(self, scope: str) -> None:
        """Refuse scopes that do not exist or that the client was not given."""
        asked = scopes_of(scope)
        if any(one not in self._rules.scopes for one in asked):
            raise InvalidScopeError(
                description=f"Unknown scope: choose from {scope_text(self._rules.scopes)}."
            )
        client = self._request.facts.client
        missing = [one for one in asked if client is None or one not in client.scopes]
        if missing:
            raise InvalidScopeError(
                description=f"The client was not registered for: {scope_text(missing)}."
            )

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Nothing: an access token is kept by nobody but its holder."""

    def send_signal(self, name: object, *args: object, **kwargs: object) -> None:
        """Nothing listens."""

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        """The request itself: it was made before."""
        return request

    def handle_response(
        self,
        status: int,
        body: Mapping[str, object] | str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
    ) -> Reply:
        """Authlib's answer."""
        return Reply(status, body, dict(headers))

    def refuse(self, error: OAuth2Error) -> Reply:
        """An error in the form of its RFC."""
        status, body, headers = answer_of(error)
        return Reply(status, body, headers)

    def _make_access_token(
        self, *, client: ClientMixin, grant_type: str, user: object, scope: str
    ) -> str:
        assert isinstance(client, RegisteredClient)
        return self._rules.tokens.make(
            Issue(
                client=client.client,
                scope=scope,
                subject=None,
                audience=self._rules.audience,
            )
        )

    def _lifetime(self, client: ClientMixin, grant_type: str) -> int:
        return self._rules.tokens.lifetime
