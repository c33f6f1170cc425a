"""The grants: client credentials, authorization code with PKCE, refresh with rotation."""

from datetime import timedelta
from typing import Any, Final

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc7636 import CodeChallenge

from jackfield_common.events.message import now
from jackfield_common.ids import new_id
from jackfield_oauth.models import Grant, IssuedCode, IssuedRefreshToken, Person, scopes_of
from jackfield_oauth.service.protocol.facts import (
    KeepCode,
    KeepRefreshToken,
    RevokeGrant,
    StartGrant,
    UseCode,
    UseRefreshToken,
)
from jackfield_oauth.service.protocol.request import ProtocolRequest, RegisteredClient
from jackfield_oauth.service.secrets import SecretHash, new_secret

SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
METHODS: Final = (*SECRET_METHODS, "none")
CODE: Final = "jf_ac_"
REFRESH: Final = "jf_rt_"
CODE_LIFETIME: Final = timedelta(seconds=60)
REFRESH_LIFETIME: Final = timedelta(days=30)
GRACE: Final = timedelta(seconds=30)
"""How long a spent refresh token is answered with its successor again: the answer may have been lost."""


def successor_of(secrets: SecretHash, token: str) -> str:
    """The refresh token that follows a refresh token: always the same, so that a repeat is harmless."""
    return secrets.derived("refresh-token-successor", token, REFRESH)


class CredentialsGrant(ClientCredentialsGrant):
    """Client credentials (RFC 6749, 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(SECRET_METHODS)


class S256(CodeChallenge):
    """PKCE (RFC 7636), always, and with SHA-256 alone (RFC 9700, 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: Any) -> None:
        """Refuse a request without a challenge, or with one of another method."""
        given = grant.request.payload.data
        if not given.get("code_challenge"):
            raise InvalidRequestError(description="PKCE is required: send a code_challenge.")
        if given.get("code_challenge_method") != "S256":
            raise InvalidRequestError(description="code_challenge_method has to be S256.")
        super().validate_code_challenge(grant, redirect_uri)  # pyright: ignore[reportUnknownMemberType]


class PresentedCode:
    """A code, in Authlib's terms."""

    code_challenge_method = "S256"

    def __init__(self, code: IssuedCode) -> None:
        self.code = code
        self.code_challenge = code.challenge

    def get_redirect_uri(self) -> str:
        """What the exchange has to name; empty when the request did not name it."""
        return self.code.redirect_uri if self.code.redirect_given else ""

    def get_scope(self) -> str:
        """What was allowed."""
        return " ".join(self.code.grant.scopes)

    def get_nonce(self) -> str | None:
        """The nonce of the request."""
        return self.code.nonce

    def get_auth_time(self) -> int:
        """When the person proved who they are."""
        return int(self.code.grant.auth_time.timestamp())

    def get_acr(self) -> None:
        """Nothing is said of it."""

    def get_amr(self) -> list[str]:
        """How they proved it (RFC 8176)."""
        return ["pwd"]


class CodeGrant(AuthorizationCodeGrant):
    """Authorization code (RFC 6749, 4.1). `secrets` is set by the server."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(METHODS)

    @property
    def _asked(self) -> ProtocolRequest:
        assert isinstance(self.request, ProtocolRequest)
        return self.request

    @staticmethod
    def validate_authorization_redirect_uri(request: OAuth2Request, client: ClientMixin) -> str:
        """The redirect address. Raises InvalidRequestError, which is shown rather than redirected."""
        assert request.payload is not None
        given = request.payload.redirect_uri
        if given and not client.check_redirect_uri(given):
            raise InvalidRequestError(description="redirect_uri is not registered for this client.")
        chosen = given or client.get_default_redirect_uri()
        if not chosen:
            raise InvalidRequestError(description="The parameter redirect_uri is missing.")
        return chosen

    def generate_authorization_code(self) -> str:
        """A code with 256 random bits."""
        return new_secret(CODE)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Start a grant with this code hanging on it."""
        asked = self._asked
        signed_in, client = asked.facts.signed_in, asked.facts.client
        assert signed_in is not None
        assert client is not None
        given = asked.form
        grant = Grant(
            grant_id=new_id(),
            client_id=client.client_id,
            user_id=signed_in.person.user_id,
            tenant=signed_in.person.tenant,
            scopes=scopes_of(asked.allowed_scope),
            auth_time=signed_in.at,
        )
        issued = IssuedCode(
            code_digest=self._secrets.digest(code),
            grant=grant,
            redirect_uri=given.get("redirect_uri", ""),
            redirect_given="redirect_uri" in given,
            challenge=given["code_challenge"],
            nonce=given.get("nonce"),
            expires_at=now() + CODE_LIFETIME,
        )
        asked.effects += [StartGrant(grant), KeepCode(issued)]

    def query_authorization_code(self, code: str, client: ClientMixin) -> PresentedCode | None:
        """The code of this request; one that was used before ends the grant (RFC 6749, 4.1.2)."""
        issued = self._asked.facts.code
        if issued is None or issued.grant.client_id != client.get_client_id():
            return None
        if issued.used:
            self._asked.effects.append(RevokeGrant(issued.grant, "its code was used twice"))
            return None
        if issued.expires_at <= now() or issued.grant.revoked:
            return None
        return PresentedCode(issued)

    def delete_authorization_code(self, authorization_code: PresentedCode) -> None:
        """The code is used up; it is kept, so that a second use is seen."""
        self._asked.effects.append(UseCode(authorization_code.code.code_digest))

    def authenticate_user(self, authorization_code: PresentedCode) -> Person | None:
        """Whom the grant belongs to, unless they may no longer act."""
        return self._asked.facts.person

    @property
    def _secrets(self) -> SecretHash:
        return self.server.rules.secrets


class PresentedRefreshToken:
    """A refresh token, in Authlib's terms."""

    def __init__(self, issued: IssuedRefreshToken) -> None:
        self.issued = issued

    def check_client(self, client: RegisteredClient) -> bool:
        """Whether it was issued to this client."""
        return self.issued.grant.client_id == client.get_client_id()

    def get_scope(self) -> str:
        """What was allowed."""
        return " ".join(self.issued.grant.scopes)


class RefreshGrant(RefreshTokenGrant):
    """Refresh (RFC 6749, 6) with rotation and reuse detection (RFC 9700, 4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(METHODS)
    INCLUDE_NEW_REFRESH_TOKEN = True

    @property
    def _asked(self) -> ProtocolRequest:
        assert isinstance(self.request, ProtocolRequest)
        return self.request

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        """The token of this request, if it is good. Reuse of a spent one ends its grant."""
        issued, client = self._asked.facts.refresh, self._asked.facts.client
        if issued is None or client is None or issued.grant.client_id != client.client_id:
            raise InvalidGrantError(description="The refresh token is not known.")
        if issued.grant.revoked:
            raise InvalidGrantError(description="What this token hung on was revoked.")
        if issued.expires_at <= now():
            raise InvalidGrantError(description="The refresh token has expired.")
        if issued.used_at is not None and (issued.successor_used or issued.used_at + GRACE < now()):
            self._asked.effects.append(
                RevokeGrant(issued.grant, "a spent refresh token was used again")
            )
            raise InvalidGrantError(
                description="The refresh token was used before: everything of its grant is revoked."
            )
        return PresentedRefreshToken(issued)

    def authenticate_user(self, refresh_token: PresentedRefreshToken) -> Person | None:
        """Whom the grant belongs to. Raises InvalidGrantError when they may no longer act."""
        person = self._asked.facts.person
        if person is None:
            raise InvalidGrantError(description="The user of this token may no longer act.")
        return person

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """The token is spent."""
        assert isinstance(refresh_token, PresentedRefreshToken)
        self._asked.effects.append(UseRefreshToken(refresh_token.issued.token_digest))


def keep_refresh_token(
    request: ProtocolRequest, secrets: SecretHash, grant: Grant, grant_type: str
) -> str:
    """A refresh token for a grant: a fresh one, or the successor of the one that was presented."""
    if grant_type == RefreshTokenGrant.GRANT_TYPE:
        token = successor_of(secrets, request.form["refresh_token"])
    else:
        token = new_secret(REFRESH)
    request.effects.append(KeepRefreshToken(secrets.digest(token), grant, now() + REFRESH_LIFETIME))
    return token
