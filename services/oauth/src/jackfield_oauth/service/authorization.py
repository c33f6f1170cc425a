"""What the protocol's endpoints do: read the facts, let Authlib decide, write the effects."""

from dataclasses import replace
from typing import Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError

from jackfield_common.database import Connection
from jackfield_common.outbox import Outbox
from jackfield_oauth.models import Client, IssuedCode, IssuedRefreshToken
from jackfield_oauth.repository.clients import Clients
from jackfield_oauth.repository.devices import Devices
from jackfield_oauth.repository.grants import Grants
from jackfield_oauth.repository.people import People
from jackfield_oauth.repository.revocations import Revocations
from jackfield_oauth.service.access_tokens import AccessToken
from jackfield_oauth.service.coalescing import Coalesced
from jackfield_oauth.service.effects import Effects
from jackfield_oauth.service.protocol.device import GRANT_TYPE as DEVICE_GRANT
from jackfield_oauth.service.protocol.facts import Facts
from jackfield_oauth.service.protocol.grants import REFRESH, successor_of
from jackfield_oauth.service.protocol.message import Identification, Message, Reply, identify
from jackfield_oauth.service.protocol.openid import claims_of
from jackfield_oauth.service.protocol.request import ProtocolRequest
from jackfield_oauth.service.protocol.server import Rules, Server, answer_of
from jackfield_oauth.service.protocol.token_endpoints import Introspection, Revocation

GRANT_TYPES: Final = ("client_credentials", "authorization_code", "refresh_token", DEVICE_GRANT)


class UnsupportedGrantType(OAuth2Error):
    """The grant is not supported (RFC 6749, 5.2); says which are."""

    error = "unsupported_grant_type"
    description = f"Supported are: {' '.join(GRANT_TYPES)}."


class InvalidToken(OAuth2Error):
    """A bearer token that is not good (RFC 6750, 3.1)."""

    error = "invalid_token"
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        """Says so to the client in the header that RFC 6750 names."""
        challenge = f'Bearer error="{self.error}", error_description="{self.description}"'
        return [*super().get_headers(), ("WWW-Authenticate", challenge)]


class AuthorizationService:
    """The endpoints, without their HTTP. Database errors are raised as they come."""

    def __init__(
        self,
        rules: Rules,
        outbox: Outbox,
        clients: Clients,
        revocations: Revocations,
        people: People,
        grants: Grants,
        devices: Devices,
        effects: Effects,
    ) -> None:
        self._rules = rules
        self._outbox = outbox
        self._people = people
        self._grants = grants
        self._devices = devices
        self._effects = effects
        self.clients = Coalesced[str, Client](clients.find)
        self._revocations = Coalesced[str, bool](revocations.find)

    async def token(self, message: Message) -> Reply:
        """Issue a token (RFC 6749, 5)."""
        given = message.parameters
        try:
            grant_type = given.get("grant_type")
            if grant_type is None:
                raise InvalidRequestError(description="The parameter grant_type is missing.")
            if grant_type not in GRANT_TYPES:
                raise UnsupportedGrantType()
            identification = identify(message)
        except OAuth2Error as error:
            return refusal(error)
        client = await self.clients.get(identification.client_id)
        if grant_type == "client_credentials":
            request = ProtocolRequest(message, identification, Facts(client))
            return Server(self._rules, request).answer_token_request()
        async with self._outbox.transaction() as connection:
            facts = Facts(client)
            if grant_type == "authorization_code":
                code = await self._code(connection, given.get("code", ""))
                facts = replace(facts, code=code)
            elif grant_type == "refresh_token":
                refresh = await self._refresh_token(connection, given.get("refresh_token", ""))
                facts = replace(facts, refresh=refresh)
            else:
                digest = self._rules.secrets.digest(given.get("device_code", ""))
                facts = replace(facts, device=await self._devices.polling(connection, digest))
            return await self._exchange(connection, message, identification, facts)

    async def authorize_device(self, message: Message) -> Reply:
        """Give a device its codes (RFC 8628, 3.2)."""
        try:
            identification = identify(message)
        except OAuth2Error as error:
            return refusal(error)
        client = await self.clients.get(identification.client_id)
        request = ProtocolRequest(message, identification, Facts(client))
        reply = Server(self._rules, request).answer_device_request()
        if request.effects:
            async with self._outbox.transaction() as connection:
                await self._effects.write(connection, request.effects)
        return reply

    async def introspect(self, message: Message) -> Reply:
        """Say what a token is good for (RFC 7662)."""
        return await self._about_a_token(message, Introspection)

    async def revoke(self, message: Message) -> Reply:
        """Make a token no longer good (RFC 7009)."""
        return await self._about_a_token(message, Revocation)

    async def userinfo(self, authorization: str | None) -> Reply:
        """Say who the person behind a token is (OpenID Connect Core 1.0, 5.3)."""
        scheme, _, text = (authorization or "").partition(" ")
        token = await self.live(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            return refusal(InvalidToken(description="The access token is missing or not good."))
        if "openid" not in token.scope.split():
            error = InvalidToken(
                description="The scope openid is needed.",
                error="insufficient_scope",
                status_code=403,
            )
            return refusal(error)
        person = await self._people.by_id(token.sub)
        if person is None or person.disabled:
            return refusal(InvalidToken(description="The user of this token may no longer act."))
        return Reply(200, claims_of(person, token.scope), {"Cache-Control": "no-store"})

    async def live(self, text: str) -> AccessToken | None:
        """The claims of an access token that is good now."""
        token = self._rules.tokens.read(text)
        if token is None or await self._revocations.get(token.jti) is not None:
            return None
        return token

    async def _exchange(
        self,
        connection: Connection,
        message: Message,
        identification: Identification,
        facts: Facts,
    ) -> Reply:
        if facts.grant is not None:
            person = await self._people.by_id(facts.grant.user_id, connection)
            if person is not None and not person.disabled:
                facts = replace(facts, person=person)
        request = ProtocolRequest(message, identification, facts)
        reply = Server(self._rules, request).answer_token_request()
        await self._effects.write(connection, request.effects)
        return reply

    async def _about_a_token(
        self, message: Message, endpoint: type[Introspection | Revocation]
    ) -> Reply:
        try:
            identification = identify(message)
        except OAuth2Error as error:
            return refusal(error)
        text = message.parameters.get("token", "")
        client = await self.clients.get(identification.client_id)
        token, refresh, revoked = self._rules.tokens.read(text), None, False
        if token is not None:
            revoked = await self._revocations.get(token.jti) is not None
        elif text.startswith(REFRESH):
            refresh = await self._grants.find_refresh_token(self._rules.secrets.digest(text))
        facts = Facts(client, token=token, revoked=revoked, refresh=refresh)
        request = ProtocolRequest(message, identification, facts)
        reply = Server(self._rules, request).answer_token_endpoint(endpoint(request))
        if request.effects:
            async with self._outbox.transaction() as connection:
                await self._effects.write(connection, request.effects)
        return reply

    async def _code(self, connection: Connection, code: str) -> IssuedCode | None:
        return await self._grants.code(connection, self._rules.secrets.digest(code))

    async def _refresh_token(self, connection: Connection, token: str) -> IssuedRefreshToken | None:
        secrets = self._rules.secrets
        return await self._grants.refresh_token(
            connection, secrets.digest(token), secrets.digest(successor_of(secrets, token))
        )


def refusal(error: OAuth2Error) -> Reply:
    """An error in the form of its RFC."""
    return Reply(*answer_of(error))
