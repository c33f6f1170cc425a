"""What the authorization server's endpoints do: read the facts, let Authlib decide, write the effects."""

from collections.abc import Sequence

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError

from jackfield_common.outbox import Outbox
from jackfield_oauth.models import Client
from jackfield_oauth.repository.clients import Clients
from jackfield_oauth.repository.revocations import Revocations
from jackfield_oauth.service.coalescing import Coalesced
from jackfield_oauth.service.protocol.message import (
    Message,
    Reply,
    identify,
)
from jackfield_oauth.service.protocol.server import (
    Effect,
    Facts,
    ProtocolRequest,
    Rules,
    Server,
    answer_of,
)
from jackfield_oauth.service.protocol.token_endpoints import Introspection, Revocation
from jackfield_oauth.service.revocations import RevokedTokens

GRANT_TYPES = ("client_credentials",)


class UnsupportedGrantType(OAuth2Error):
    """The grant is not supported (RFC 6749, 5.2); says which are."""

    error = "unsupported_grant_type"
    description = f"Supported are: {' '.join(GRANT_TYPES)}."


class AuthorizationService:
    """The endpoints, without their HTTP. Database errors are raised as they come."""

    def __init__(
        self,
        rules: Rules,
        outbox: Outbox,
        clients: Clients,
        revocations: Revocations,
        revoked: RevokedTokens,
    ) -> None:
        self._rules = rules
        self._outbox = outbox
        self._revoked = revoked
        self._clients = Coalesced[str, Client](clients.find)
        self._revocations = Coalesced[str, bool](revocations.find)

    async def token(self, message: Message) -> Reply:
        """Issue a token (RFC 6749, 5)."""
        try:
            grant_type = message.parameters.get("grant_type")
            if grant_type is None:
                raise InvalidRequestError(description="The parameter grant_type is missing.")
            if grant_type not in GRANT_TYPES:
                raise UnsupportedGrantType()
            identification = identify(message)
        except OAuth2Error as error:
            return refusal(error)
        facts = Facts(client=await self._clients.get(identification.client_id))
        request = ProtocolRequest(message, identification, facts)
        return Server(self._rules, request).answer_token_request()

    async def introspect(self, message: Message) -> Reply:
        """Say what a token is good for (RFC 7662)."""
        return await self._about_a_token(message, Introspection)

    async def revoke(self, message: Message) -> Reply:
        """Make a token no longer good (RFC 7009)."""
        return await self._about_a_token(message, Revocation)

    async def _about_a_token(
        self, message: Message, endpoint: type[Introspection | Revocation]
    ) -> Reply:
        try:
            identification = identify(message)
        except OAuth2Error as error:
            return refusal(error)
        token = self._rules.tokens.read(message.parameters.get("token", ""))
        client = await self._clients.get(identification.client_id)
        revoked = token is not None and await self._revocations.get(token.jti) is not None
        request = ProtocolRequest(message, identification, Facts(client, token, revoked))
        reply = Server(self._rules, request).answer_token_endpoint(endpoint(request))
        await self._write(request.effects)
        return reply

    async def _write(self, effects: Sequence[Effect]) -> None:
        if not effects:
            return
        async with self._outbox.transaction() as connection:
            for effect in effects:
                await self._revoked.revoke(connection, effect.token)


def refusal(error: OAuth2Error) -> Reply:
    """An error in the form of its RFC."""
    return Reply(*answer_of(error))
