"""Authlib's authorization server, on facts read before and effects written after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidScopeError,
    OAuth2Error,
)
from authlib.oauth2.rfc6750 import BearerTokenGenerator

from jackfield_oauth.models import IdentityScope, Person, Scope, scope_text, scopes_of
from jackfield_oauth.service.access_tokens import AccessTokens, Issue
from jackfield_oauth.service.protocol.device import DeviceAuthorization, DeviceGrant, Endpoint
from jackfield_oauth.service.protocol.facts import KeepGrantedToken
from jackfield_oauth.service.protocol.grants import (
    S256,
    SECRET_METHODS,
    CodeGrant,
    CredentialsGrant,
    RefreshGrant,
    keep_refresh_token,
)
from jackfield_oauth.service.protocol.message import Reply, unauthenticated
from jackfield_oauth.service.protocol.openid import IdTokens
from jackfield_oauth.service.protocol.request import ProtocolRequest, RegisteredClient
from jackfield_oauth.service.secrets import SecretHash

SCOPES: Final = (*(one.value for one in IdentityScope), *(one.value for one in Scope))
"""Every scope there is."""

_NOBODYS_DIGEST: Final = b"\0" * 32


@dataclass(frozen=True, slots=True)
class Rules:
    """What the server is made with, the same for every request."""

    issuer: str
    tokens: AccessTokens
    id_tokens: IdTokens
    secrets: SecretHash
    audience: str


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
        super().__init__(scopes_supported=SCOPES)
        self.rules = rules
        self._request = request
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                access_token_generator=self._make_access_token,
                refresh_token_generator=self._make_refresh_token,
                expires_generator=self._lifetime,
            ),
        )
        self.register_grant(CredentialsGrant)
        self.register_grant(CodeGrant, [S256(required=True), rules.id_tokens])
        self.register_grant(RefreshGrant)
        self.register_grant(DeviceGrant, [rules.id_tokens])

    def answer_token_request(self) -> Reply:
        """Carry the request through its grant."""
        return cast(Reply, self.create_token_response(self._request))  # pyright: ignore[reportUnknownMemberType]

    def answer_token_endpoint(self, endpoint: Endpoint) -> Reply:
        """Carry the request through an endpoint beside the token endpoint."""
        self.register_endpoint(endpoint)  # pyright: ignore[reportUnknownMemberType]
        reply = cast(Any, self.create_endpoint_response(endpoint.ENDPOINT_NAME, self._request))  # pyright: ignore[reportUnknownMemberType]
        return cast(Reply, reply)

    def answer_device_request(self) -> Reply:
        """Give a device its codes."""
        endpoint = DeviceAuthorization(self, self._request, self.rules.issuer, self.rules.secrets)
        return self.answer_token_endpoint(endpoint)

    def consent_grant(self, person: Person | None) -> CodeGrant:
        """The grant that an authorization request asks for. Raises OAuth2Error."""
        grant = self.get_consent_grant(self._request, person)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return cast(CodeGrant, grant)

    def answer_authorization_request(self, grant: CodeGrant, person: Person | None) -> Reply:
        """Give a code to the client, or, with nobody allowing it, say that it was denied."""
        reply = self.create_authorization_response(self._request, person, grant)  # pyright: ignore[reportUnknownMemberType]
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
            matches = self.rules.secrets.matches(
                identification.secret, _NOBODYS_DIGEST if kept is None else kept
            )
            if client is None or kept is None or not matches:
                raise unauthenticated()
        elif client is None or client.auth_method != "none":
            raise unauthenticated()
        request.auth_method = identification.method
        return RegisteredClient(client)

    def validate_requested_scope(self, scope: str) -> None:
        """Refuse scopes that do not exist, or that the client or the person was not given."""
        asked, facts = scopes_of(scope), self._request.facts
        if any(one not in SCOPES for one in asked):
            raise InvalidScopeError(description=f"Unknown scope: choose from {scope_text(SCOPES)}.")
        client = facts.client
        missing = [one for one in asked if client is None or one not in client.scopes]
        if missing:
            raise InvalidScopeError(
                description=f"The client was not registered for: {scope_text(missing)}."
            )
        signed_in = facts.signed_in
        if signed_in and Scope.SUDO in asked and not signed_in.person.role.administers:
            raise InvalidScopeError(description="sudo is for administrators.")

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

    def _make_access_token(
        self, *, client: ClientMixin, grant_type: str, user: Person | None, scope: str
    ) -> str:
        assert isinstance(client, RegisteredClient)
        grant = self._request.facts.grant
        made = self.rules.tokens.make(
            Issue(
                client=client.client,
                scope=scope,
                audience=self.rules.audience,
                person=user,
                auth_time=None if grant is None else grant.auth_time,
            )
        )
        if grant is not None:
            self._request.effects.append(KeepGrantedToken(made.jti, grant, made.expires_at))
        return made.token

    def _make_refresh_token(
        self, *, client: ClientMixin, grant_type: str, user: Person | None, scope: str
    ) -> str:
        grant = self._request.facts.grant
        assert grant is not None, "a client that acts for itself needs no refresh token"
        return keep_refresh_token(self._request, self.rules.secrets, grant, grant_type)

    def _lifetime(self, client: ClientMixin, grant_type: str) -> int:
        return self.rules.tokens.lifetime
